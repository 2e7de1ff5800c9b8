import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { Endpoint, EndpointAddress, Endpoints } from '../../api/types.gen.ts';
import { splitKey } from '../../client/informer.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { controllerReference } from '../framework/owners.ts';
import type { Controller } from '../port.ts';
import { executeSlicePlan, MANAGED_BY, SERVICE_NAME } from './controller.ts';
import { planSlices } from './plan-slices.ts';
import { type AddressType, addressTypeOf, type PortGroup } from './service-endpoints.ts';

const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const NAME = 'endpointslice-mirroring-controller';

/** Endpoints that people write by hand, as slices, which is what all readers of today look at. */
export const endpointSliceMirroringController: Controller = {
  name: NAME,
  start(context) {
    const services = context.informers.for(resources.services);
    const endpoints = context.informers.for(resources.endpoints);
    const slices = context.informers.for(resources.endpointSlices);
    const expectations = new Expectations(slices.store);
    const loop = startControlLoop({
      context,
      name: NAME,
      informers: [services, endpoints, slices],
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        if (!expectations.met(key)) return STALE_STORE_MS;
        const source = endpoints.store.get(namespace, name);
        const service = services.store.get(namespace, name);
        const own = slices.store
          .list(namespace)
          .filter(
            ({ metadata: { labels } }) => labels?.[MANAGED_BY] === MANAGER && labels[SERVICE_NAME] === name,
          );
        if (!source || !service || service.spec?.selector || !isMirrored(source)) {
          await executeSlicePlan(context, { create: [], update: [], delete: own }, key, expectations);
          return undefined;
        }
        const { 'endpoints.kubernetes.io/managed-by': _, ...labels } = source.metadata.labels ?? {};
        const metadata = {
          generateName: `${name}-`,
          namespace,
          labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER },
          ownerReferences: [controllerReference(source, resources.endpoints as Resource<KubeObject>)],
        };
        for (const addressType of ['IPv4', 'IPv6'] as const) {
          const groups = mirroredGroups(source, addressType);
          const mine = own.filter((slice) => slice.addressType === addressType);
          const plan =
            groups.length === 0
              ? { create: [], update: [], delete: mine }
              : planSlices({ metadata, addressType }, groups, mine);
          await executeSlicePlan(context, plan, key, expectations);
        }
        return undefined;
      },
    });
    loop.enqueueAll(services);
    loop.enqueueAll(endpoints);
    loop.onAny(slices, ({ metadata: { labels, namespace } }) => {
      if (labels?.[MANAGED_BY] === MANAGER) loop.add(`${namespace}/${labels[SERVICE_NAME]}`);
    });
    return loop.stop;
  },
};

function isMirrored({ metadata }: Endpoints): boolean {
  return (
    metadata.labels?.['endpointslice.kubernetes.io/skip-mirror'] !== 'true' &&
    metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined &&
    metadata.deletionTimestamp === undefined
  );
}

/** Subsets as groups of endpoints with equal ports. Pure. */
function mirroredGroups({ subsets = [] }: Endpoints, addressType: AddressType): PortGroup[] {
  return subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
    const of = (all: readonly EndpointAddress[], ready: boolean): Endpoint[] =>
      all
        .filter(({ ip }) => addressTypeOf(ip) === addressType)
        .map(({ ip, hostname, nodeName, targetRef }) => ({
          addresses: [ip],
          conditions: { ready },
          ...(hostname === undefined ? {} : { hostname }),
          ...(nodeName === undefined ? {} : { nodeName }),
          ...(targetRef === undefined ? {} : { targetRef }),
        }));
    const endpoints = [...of(addresses, true), ...of(notReadyAddresses, false)];
    if (endpoints.length === 0) return [];
    return [{ endpoints, ports: ports.map(({ name = '', ...port }) => ({ name, ...port })) }];
  });
}
