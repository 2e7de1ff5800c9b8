import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { ControllerRevision, PodTemplateSpec } from '../../api/types.gen.ts';
import type { Store } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import type { Client } from '../../client/port.ts';
import { controllerReference } from './owners.ts';
import { canonicalJson, templateHash } from './template-hash.ts';

interface Templated extends KubeObject {
  spec?: { template: PodTemplateSpec; revisionHistoryLimit?: number };
  status?: { collisionCount?: number };
}

/** The patch that brings an owner's template back to a revision; `kubectl rollout undo` applies it. */
function dataOf({ spec }: Templated): object {
  return { spec: { template: { ...spec?.template, $patch: 'replace' } } };
}

function byRevision(revisions: Iterable<ControllerRevision>): ControllerRevision[] {
  return [...revisions].sort((a, b) => a.revision - b.revision);
}

/** The hash part of a revision's name, which pods carry as a label. */
export function hashOf(owner: KubeObject, revision: ControllerRevision): string {
  return (revision.metadata.name ?? '').slice((owner.metadata.name ?? '').length + 1);
}

/**
 * The revision of the owner's template as it is now: found, moved to the front (after an undo), or created. Returns it
 * with all revisions of the owner, oldest first.
 */
export async function currentRevision<O extends Templated>(
  client: Client,
  store: Store<ControllerRevision>,
  owner: O,
  ownerResource: Resource<O>,
): Promise<{ current: ControllerRevision; all: ControllerRevision[] }> {
  const all = byRevision(
    store.ownedBy(owner.metadata.uid ?? '').filter((one) => controllerOf(one)?.uid === owner.metadata.uid),
  );
  const data = dataOf(owner);
  const wanted = canonicalJson(data);
  const known = all.filter((one) => canonicalJson(one.data) === wanted).at(-1);
  const next = (all.at(-1)?.revision ?? 0) + 1;
  if (known && known === all.at(-1)) return { current: known, all };
  if (known) {
    const moved = await client.update(resources.controllerRevisions, { ...known, revision: next });
    return { current: moved, all: byRevision([...all.filter((one) => one !== known), moved]) };
  }
  const created = await create(client, owner, ownerResource, data, next);
  return { current: created, all: [...all, created] };
}

async function create<O extends Templated>(
  client: Client,
  owner: O,
  ownerResource: Resource<O>,
  data: object,
  revision: number,
): Promise<ControllerRevision> {
  const { name = '', namespace, annotations } = owner.metadata;
  for (let collisions = 0; ; collisions++) {
    const hash = templateHash(data, collisions);
    const object: ControllerRevision = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name}-${hash}`,
        ...(namespace === undefined ? {} : { namespace }),
        labels: { ...owner.spec?.template.metadata?.labels, [hashLabel(ownerResource)]: hash },
        // `kubectl rollout history` reads the cause of the change here.
        ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
        ownerReferences: [controllerReference(owner, ownerResource as Resource<KubeObject>)],
      },
      data: data as NonNullable<ControllerRevision['data']>,
      revision,
    };
    try {
      return await client.create(resources.controllerRevisions, object);
    } catch (error) {
      if (!isAlreadyExists(error) || collisions >= 8) throw error;
      const ref = { namespace, name: `${name}-${hash}` };
      const found = await client.get(resources.controllerRevisions, ref);
      const isOurs = controllerOf(found)?.uid === owner.metadata.uid;
      if (isOurs && canonicalJson(found.data) === canonicalJson(data)) return found;
    }
  }
}

/** Upstream's controllers never agreed on one. */
function hashLabel<O extends KubeObject>({ kind }: Resource<O>): string {
  return kind === 'StatefulSet' ? 'controller.kubernetes.io/hash' : 'controller-revision-hash';
}

/** Deletes the oldest revisions that no pod uses, beyond the history limit. */
export async function trimRevisions(
  client: Client,
  all: readonly ControllerRevision[],
  inUse: ReadonlySet<string>,
  limit = 10,
): Promise<void> {
  const unused = all.filter(({ metadata }) => !inUse.has(metadata.name ?? ''));
  for (const { metadata } of unused.slice(0, Math.max(0, unused.length - limit))) {
    const { name = '', namespace } = metadata;
    await client.delete(resources.controllerRevisions, { name, namespace }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

/** A template as the revision remembers it. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { spec } = revision.data as { spec: { template: PodTemplateSpec & { $patch?: string } } };
  const { $patch: _, ...template } = spec.template;
  return template;
}
