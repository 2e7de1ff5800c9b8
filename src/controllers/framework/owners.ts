import type { Selector } from '../../api/labels.ts';
import { apiVersionOf, type KubeObject, type Resource } from '../../api/resource.ts';
import { isNotFound } from '../../api/status.ts';
import type { OwnerReference } from '../../api/types.gen.ts';
import { controllerOf } from '../../client/object-store.ts';
import type { Client } from '../../client/port.ts';

/** The reference that makes `owner` the controller of an object. */
export function controllerReference(owner: KubeObject, resource: Resource): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export interface Claims<T> {
  readonly owned: readonly T[];
  /** Match the selector and belong to nobody. */
  readonly adopt: readonly T[];
  /** Belong to the owner and match no more. */
  readonly release: readonly T[];
}

/** What an owner has, gains and loses among candidates, as upstream's ControllerRefManager. Pure. */
export function planClaims<T extends KubeObject>(
  owner: KubeObject,
  selector: Selector,
  candidates: Iterable<T>,
): Claims<T> {
  const owned: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  const leaving = Boolean(owner.metadata.deletionTimestamp);
  for (const object of candidates) {
    const controller = controllerOf(object);
    const matches = selector.matches(object.metadata.labels);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches) owned.push(object);
      else if (!leaving && !object.metadata.deletionTimestamp) release.push(object);
    } else if (matches && !leaving && !object.metadata.deletionTimestamp) adopt.push(object);
  }
  return { owned, adopt, release };
}

export interface ClaimOptions<O extends KubeObject, T extends KubeObject> {
  readonly client: Client;
  readonly owner: O;
  readonly ownerResource: Resource<O>;
  readonly resource: Resource<T>;
  readonly claims: Claims<T>;
}

/**
 * Carries claims out and returns what the owner has afterwards. Adopts only after reading the owner itself from the
 * server: a store may still show one that is being deleted.
 */
export async function claim<O extends KubeObject, T extends KubeObject>(
  options: ClaimOptions<O, T>,
): Promise<T[]> {
  const { client, owner, ownerResource, resource, claims } = options;
  const all = [...claims.owned];
  for (const object of claims.release) {
    await setOwners(client, resource, object, (refs) => refs.filter(({ uid }) => uid !== owner.metadata.uid));
  }
  if (claims.adopt.length === 0) return all;
  const { name = '', namespace, uid } = owner.metadata;
  const fresh = await client.get(ownerResource, { name, namespace });
  if (fresh.metadata.uid !== uid || fresh.metadata.deletionTimestamp) return all;
  const reference = controllerReference(owner, ownerResource);
  for (const object of claims.adopt) {
    const adopted = await setOwners(client, resource, object, (refs) => [
      ...refs.filter((ref) => ref.uid !== reference.uid),
      reference,
    ]);
    if (adopted) all.push(adopted);
  }
  return all;
}

/** Replaces the owner references of exactly this revision of an object; undefined when it is gone. */
export async function setOwners<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  object: T,
  change: (references: readonly OwnerReference[]) => OwnerReference[],
): Promise<T | undefined> {
  const { name = '', namespace, uid, resourceVersion, ownerReferences = [] } = object.metadata;
  const metadata = { uid, resourceVersion, ownerReferences: change(ownerReferences) };
  try {
    return await client.patch(resource, { name, namespace }, { type: 'merge', body: { metadata } });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
