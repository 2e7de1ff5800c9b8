import { selectorFromLabels } from '../../api/labels.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { EndpointSlice, Pod, Service } from '../../api/types.gen.ts';
import { type Informer, keyOf, splitKey } from '../../client/informer.ts';
import { type ControlLoop, startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { controllerReference } from '../framework/owners.ts';
import { isNamespaceTerminating } from '../framework/pod-control.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { planSlices, type SlicePlan } from './plan-slices.ts';
import { addressTypesOf, isHeadless, serviceEndpoints } from './service-endpoints.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';

/** Keeps EndpointSlices of the pods behind every Service that selects pods. */
export const endpointSliceController: Controller = {
  name: 'endpointslice-controller',
  start(context) {
    const services = context.informers.for(resources.services);
    const pods = context.informers.for(resources.pods);
    const nodes = context.informers.for(resources.nodes);
    const slices = context.informers.for(resources.endpointSlices);
    const expectations = new Expectations(slices.store);
    const loop = startControlLoop({
      context,
      name: 'endpointslice-controller',
      informers: [services, pods, nodes, slices],
      concurrency: 5,
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const service = services.store.get(namespace, name);
        // Slices of a Service that is gone are garbage of its owner.
        if (!service || service.metadata.deletionTimestamp) return undefined;
        if (!service.spec?.selector || service.spec.type === 'ExternalName') return undefined;
        if (!expectations.met(key)) return STALE_STORE_MS;
        const own = slices.store
          .ownedBy(service.metadata.uid ?? '')
          .filter(({ metadata }) => metadata.labels?.[MANAGED_BY] === MANAGER && !metadata.deletionTimestamp);
        const selector = selectorFromLabels(service.spec.selector);
        const selected = pods.store
          .list(namespace)
          .filter(({ metadata }) => selector.matches(metadata.labels));
        const plans = addressTypesOf(service).map((addressType) =>
          planSlices(
            { metadata: sliceMetadata(service), addressType },
            serviceEndpoints(service, selected, addressType, (node) => nodes.store.get(undefined, node)),
            own.filter((slice) => slice.addressType === addressType),
          ),
        );
        const types = new Set<string>(addressTypesOf(service));
        plans.push({
          create: [],
          update: [],
          delete: own.filter(({ addressType }) => !types.has(addressType)),
        });
        for (const plan of plans) await executeSlicePlan(context, plan, key, expectations);
        return undefined;
      },
    });
    loop.enqueueAll(services);
    enqueueServicesOfPods(loop, pods, services);
    loop.onAny(slices, ({ metadata }) => {
      const name = metadata.labels?.[SERVICE_NAME];
      if (name && metadata.labels?.[MANAGED_BY] === MANAGER) loop.add(`${metadata.namespace}/${name}`);
    });
    return loop.stop;
  },
};

function sliceMetadata(service: Service): EndpointSlice['metadata'] {
  const { name = '', namespace = '', labels } = service.metadata;
  return {
    generateName: `${name}-`,
    namespace,
    labels: {
      ...labels,
      ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
      [SERVICE_NAME]: name,
      [MANAGED_BY]: MANAGER,
    },
    ownerReferences: [controllerReference(service, resources.services as Resource<KubeObject>)],
  };
}

export async function executeSlicePlan(
  { client }: ControllerContext,
  plan: SlicePlan,
  key: string,
  expectations: Expectations<EndpointSlice>,
): Promise<void> {
  for (const slice of plan.create) {
    const created = await client.create(resources.endpointSlices, slice).catch((error: unknown) => {
      if (!isNamespaceTerminating(error)) throw error;
    });
    if (created) expectations.wrote(key, created);
  }
  for (const slice of plan.update)
    expectations.wrote(key, await client.update(resources.endpointSlices, slice));
  for (const slice of plan.delete) {
    const { name = '', namespace } = slice.metadata;
    await client.delete(resources.endpointSlices, { name, namespace }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    expectations.deleted(key, slice);
  }
}

/**
 * Adds every Service that selects a pod whose endpoint may have changed. Most pod updates change nothing here, and are
 * dropped before any selector is looked at.
 */
export function enqueueServicesOfPods(
  loop: ControlLoop,
  pods: Informer<Pod>,
  services: Informer<Service>,
): void {
  const selecting = (pod: Pod): string[] =>
    services.store
      .list(pod.metadata.namespace)
      .filter(({ spec }) => spec?.selector && selectorFromLabels(spec.selector).matches(pod.metadata.labels))
      .map(keyOf);
  loop.onAny(pods, (pod, old) => {
    if (old && fingerprint(pod) === fingerprint(old)) return;
    for (const key of new Set(old ? [...selecting(pod), ...selecting(old)] : selecting(pod))) loop.add(key);
  });
}

/** What of a pod shows in its endpoints. */
function fingerprint({ metadata, spec, status }: Pod): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return JSON.stringify([
    metadata.labels,
    metadata.uid,
    metadata.deletionTimestamp !== undefined,
    spec?.nodeName,
    status?.podIPs,
    status?.podIP,
    status?.phase,
    ready,
  ]);
}
