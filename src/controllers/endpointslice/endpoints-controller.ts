import { equalJson } from '../../api/json-value.ts';
import { selectorFromLabels } from '../../api/labels.ts';
import * as resources from '../../api/resources.gen.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { Endpoints, Service } from '../../api/types.gen.ts';
import { splitKey } from '../../client/informer.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { isNamespaceTerminating } from '../framework/pod-control.ts';
import type { Controller } from '../port.ts';
import { enqueueServicesOfPods } from './controller.ts';
import { type EndpointsPlan, planEndpoints } from './plan-endpoints.ts';
import { isHeadless } from './service-endpoints.ts';

const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
/** Marks objects of this controller: nobody mirrors them into slices a second time. */
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';

/** Keeps the Endpoints object of every Service that selects pods. */
export const endpointsController: Controller = {
  name: 'endpoint-controller',
  start(context) {
    const services = context.informers.for(resources.services);
    const pods = context.informers.for(resources.pods);
    const endpoints = context.informers.for(resources.endpoints);
    const { client } = context;
    const loop = startControlLoop({
      context,
      name: 'endpoint-controller',
      informers: [services, pods, endpoints],
      concurrency: 5,
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const existing = endpoints.store.get(namespace, name);
        const service = services.store.get(namespace, name);
        if (!service) {
          // Somebody's own Endpoints without a Service are theirs.
          if (existing?.metadata.labels?.[MANAGED_BY] === 'endpoint-controller')
            await client.delete(resources.endpoints, { namespace, name }).catch(ignoreNotFound);
          return undefined;
        }
        if (!service.spec?.selector || service.spec.type === 'ExternalName') return undefined;
        if (service.metadata.deletionTimestamp) return undefined;
        const selector = selectorFromLabels(service.spec.selector);
        const selected = pods.store
          .list(namespace)
          .filter(({ metadata }) => selector.matches(metadata.labels));
        const wanted = endpointsOf(service, existing, planEndpoints(service, selected));
        if (existing && isSame(existing, wanted)) return undefined;
        if (existing) await client.update(resources.endpoints, wanted);
        else
          await client.create(resources.endpoints, wanted).catch((error: unknown) => {
            // One that exists will arrive in the store and bring us here again.
            if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
          });
        return undefined;
      },
    });
    loop.enqueueAll(services);
    loop.enqueueAll(endpoints);
    enqueueServicesOfPods(loop, pods, services);
    return loop.stop;
  },
};

function endpointsOf(service: Service, existing: Endpoints | undefined, plan: EndpointsPlan): Endpoints {
  const { name = '', namespace = '', labels } = service.metadata;
  const { [OVER_CAPACITY]: _, ...annotations } = existing?.metadata.annotations ?? {};
  if (plan.truncated) annotations[OVER_CAPACITY] = 'truncated';
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...(existing?.metadata ?? { name, namespace }),
      labels: {
        ...labels,
        [MANAGED_BY]: 'endpoint-controller',
        ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
      },
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    subsets: plan.subsets,
  };
}

function isSame(left: Endpoints, right: Endpoints): boolean {
  return (
    equalJson(left.subsets ?? [], right.subsets ?? []) &&
    equalJson(left.metadata.labels ?? {}, right.metadata.labels ?? {}) &&
    equalJson(left.metadata.annotations ?? {}, right.metadata.annotations ?? {})
  );
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
