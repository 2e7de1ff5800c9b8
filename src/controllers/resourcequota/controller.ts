import { equalJson } from '../../api/json-value.ts';
import { quotaUsage } from '../../api/quota-usage.ts';
import { type KubeObject, qualifiedResource, type Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { Pod } from '../../api/types.gen.ts';
import { type Informer, keyOf, splitKey } from '../../client/informer.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { servedResources } from '../framework/served-resources.ts';
import { writeStatus } from '../framework/status-writer.ts';
import { metadataInformer } from '../framework/whole-or-metadata.ts';
import type { Controller } from '../port.ts';
import { countedResources, planQuotaStatus } from './plan.ts';

/**
 * Keeps `status.hard` and `status.used` of ResourceQuotas for people and tools to read; admission counts by itself
 * (docs/decisions/0052). Nothing is watched for it but quotas until one of them counts something.
 */
export const resourceQuotaController: Controller = {
  name: 'resourcequota-controller',
  start(context) {
    const { client, informers } = context;
    const quotas = informers.for(resources.resourceQuotas);
    const served = servedResources(context);
    const watched = new Map<string, { informer: Informer<KubeObject>; end: () => void }>();
    const loop = startControlLoop({
      context,
      name: 'resourcequota-controller',
      informers: [quotas, served],
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const quota = quotas.store.get(namespace, name);
        if (!quota || quota.metadata.deletionTimestamp) return undefined;
        await Promise.all(countedResources(quota.spec).map((one) => watch(qualifiedResource(one))?.synced()));
        const status = planQuotaStatus(quota, (one) =>
          watched.get(qualifiedResource(one))?.informer.store.list(namespace),
        );
        await writeStatus(client, resources.resourceQuotas, quota, status);
        return undefined;
      },
    });

    function watch(qualified: string): Informer<KubeObject> | undefined {
      const known = watched.get(qualified);
      if (known) return known.informer;
      const resource = served.list().find((one) => one.namespaced && qualifiedResource(one) === qualified);
      if (!resource) return undefined;
      const { informer } = metadataInformer(context, resource);
      const touch = (object: KubeObject): void => {
        for (const quota of quotas.store.list(object.metadata.namespace ?? ''))
          if (countedResources(quota.spec).some((one) => qualifiedResource(one) === qualified))
            loop.addAfter(keyOf(quota), LIMITS.controllers.quotaStatusDelayMs);
      };
      const end = informer.onChange({
        add: touch,
        update(object, old) {
          if (quotas.store.size > 0 && !countsTheSame(resource, object, old)) touch(object);
        },
        delete: touch,
      });
      watched.set(qualified, { informer, end });
      return informer;
    }

    loop.enqueueAll(quotas);
    loop.onStop(
      served.onChange((resource, isServed) => {
        const qualified = qualifiedResource(resource);
        if (!isServed) {
          watched.get(qualified)?.end();
          watched.delete(qualified);
        }
        for (const quota of quotas.store.list())
          if (countedResources(quota.spec).some((one) => qualifiedResource(one) === qualified))
            loop.add(keyOf(quota));
      }),
    );
    loop.onStop(() => {
      for (const { end } of watched.values()) end();
    });
    return loop.stop;
  },
};

/** Most changes, a heartbeat of a status above all, change nothing about what an object uses. */
function countsTheSame(resource: Resource, object: KubeObject, old: KubeObject): boolean {
  const deadline = ({ spec }: Pod): number | undefined => spec?.activeDeadlineSeconds;
  return (
    equalJson(quotaUsage(resource, object), quotaUsage(resource, old)) && deadline(object) === deadline(old)
  );
}
