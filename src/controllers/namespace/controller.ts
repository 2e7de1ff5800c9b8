import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { ApiError, isNotFound } from '../../api/status.ts';
import type { Namespace } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText } from '../../lib/log.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { type ServedResources, servedResources } from '../framework/served-resources.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { isEmptyContent, type NamespaceContent, planNamespaceConditions } from './plan-conditions.ts';

/** Empties a namespace that is being deleted, then lets it go. */
export const namespaceController: Controller = {
  name: 'namespace-controller',
  start(context) {
    const namespaces = context.informers.for(resources.namespaces);
    const pods = context.informers.for(resources.pods);
    const served = servedResources(context);
    const attempts = new Map<string, number>();
    const loop = startControlLoop({
      context,
      name: 'namespace-controller',
      informers: [namespaces, pods, served],
      reconcile: async (name) => {
        const namespace = namespaces.store.get(undefined, name);
        if (!namespace?.metadata.deletionTimestamp) {
          attempts.delete(name);
          return undefined;
        }
        if (await emptyNamespace(context, served, namespace)) return undefined;
        // What remains waits for grace periods and finalizers of others, whose end nobody announces here.
        const attempt = attempts.get(name) ?? 0;
        attempts.set(name, attempt + 1);
        const { namespaceRetryBaseMs, namespaceRetryMaxMs } = LIMITS.controllers;
        return Math.min(namespaceRetryMaxMs, namespaceRetryBaseMs * 2 ** Math.min(attempt, 10));
      },
    });
    loop.onAny(namespaces, ({ metadata }) => {
      if (metadata.deletionTimestamp) loop.add(metadata.name ?? '');
    });
    // Pods are what takes long: the last one to end should not wait for the next look.
    loop.onStop(
      pods.onChange({
        delete({ metadata: { namespace = '' } }) {
          if (namespaces.store.get(undefined, namespace)?.metadata.deletionTimestamp) loop.add(namespace);
        },
      }),
    );
    return loop.stop;
  },
};

/** True when the namespace was empty and its finalizer has been removed. */
async function emptyNamespace(
  { client, clock }: ControllerContext,
  served: ServedResources,
  known: Namespace,
): Promise<boolean> {
  const name = known.metadata.name ?? '';
  const namespace = await client.get(resources.namespaces, { name });
  if (namespace.metadata.uid !== known.metadata.uid) return true;
  const content = await deleteContent(client, served, name);
  const conditions = planNamespaceConditions(namespace.status?.conditions, content, rfc3339(clock.now()));
  const current = await writeStatus(client, resources.namespaces, namespace, {
    ...namespace.status,
    phase: 'Terminating',
    conditions,
  });
  if (!isEmptyContent(content)) return false;
  const finalizers = (current.spec?.finalizers ?? []).filter((one) => one !== 'kubernetes');
  await client.update(
    resources.namespaces,
    { ...current, spec: { ...current.spec, finalizers } },
    { subresource: 'finalize' },
  );
  return true;
}

async function deleteContent(
  client: Client,
  served: ServedResources,
  namespace: string,
): Promise<NamespaceContent> {
  const remaining: Record<string, number> = {};
  const finalizers: Record<string, number> = {};
  const errors: string[] = [];
  const all = served.list().filter(({ namespaced }) => namespaced);
  const isPod = ({ group, resource }: Resource): boolean => group === '' && resource === 'pods';
  for (const resource of [...all.filter(isPod), ...all.filter((one) => !isPod(one))]) {
    // Nothing that a pod may rely on, such as the policies that fence it in, goes before it has ended (KEP-5080).
    if (!isPod(resource) && remaining['pods.'] !== undefined) break;
    try {
      const left = await deleteAll(client, resource, namespace);
      if (left.length > 0) remaining[`${resource.resource}.${resource.group}`] = left.length;
      for (const { metadata } of left)
        for (const one of metadata.finalizers ?? []) finalizers[one] = (finalizers[one] ?? 0) + 1;
    } catch (error) {
      errors.push(errorText(error));
    }
  }
  return { remaining, finalizers, errors };
}

/** Deletes what is there and returns what is still there afterwards. */
async function deleteAll(
  client: Client,
  resource: Resource,
  namespace: string,
): Promise<readonly KubeObject[]> {
  try {
    const { items } = await client.list(resource, { namespace });
    if (items.length === 0) return [];
    if (items.some(({ metadata }) => !metadata.deletionTimestamp))
      await client.deleteCollection(resource, { namespace, propagationPolicy: 'Background' });
    return (await client.list(resource, { namespace })).items;
  } catch (error) {
    // A definition may go while its objects are looked for.
    if (isNotFound(error) || (error instanceof ApiError && error.code === 405)) return [];
    throw error;
  }
}
