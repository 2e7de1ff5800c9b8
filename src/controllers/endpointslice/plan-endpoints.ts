import type { EndpointAddress, EndpointSubset, Pod, Service } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import { isTerminal } from '../framework/pods.ts';
import { addressesOf, addressTypesOf, serviceEndpoints } from './service-endpoints.ts';

/** Upstream's `endpoints.kubernetes.io/over-capacity` when not all addresses fit. */
export interface EndpointsPlan {
  readonly subsets: EndpointSubset[];
  readonly truncated: boolean;
}

/** The subsets of the Endpoints object that older clients read in place of slices. Pure. */
export function planEndpoints(service: Service, pods: readonly Pod[]): EndpointsPlan {
  const [addressType = 'IPv4'] = addressTypesOf(service);
  // Endpoints never held pods that are leaving, unless the Service publishes all.
  const publishAll = service.spec?.publishNotReadyAddresses === true;
  const present = pods.filter(
    (pod) =>
      addressesOf(pod, addressType).length > 0 &&
      !isTerminal(pod) &&
      (publishAll || !pod.metadata.deletionTimestamp),
  );
  let room: number = LIMITS.controllers.endpointsAddresses;
  let truncated = false;
  const subsets = serviceEndpoints(service, present, addressType, () => undefined).map((group) => {
    const subset: { addresses: EndpointAddress[]; notReadyAddresses: EndpointAddress[] } = {
      addresses: [],
      notReadyAddresses: [],
    };
    for (const { addresses, conditions, hostname, nodeName, targetRef } of group.endpoints.toSorted((a, b) =>
      (a.addresses[0] ?? '') < (b.addresses[0] ?? '') ? -1 : 1,
    )) {
      if (room-- <= 0) {
        truncated = true;
        continue;
      }
      const address = {
        ip: addresses[0] ?? '',
        ...(hostname === undefined ? {} : { hostname }),
        ...(nodeName === undefined ? {} : { nodeName }),
        ...(targetRef === undefined ? {} : { targetRef }),
      };
      (conditions?.ready ? subset.addresses : subset.notReadyAddresses).push(address);
    }
    const ports = group.ports.map(({ name = '', port = 0, protocol = 'TCP', appProtocol }) => ({
      ...(name === '' ? {} : { name }),
      port,
      protocol,
      ...(appProtocol === undefined ? {} : { appProtocol }),
    }));
    return {
      ...(subset.addresses.length > 0 ? { addresses: subset.addresses } : {}),
      ...(subset.notReadyAddresses.length > 0 ? { notReadyAddresses: subset.notReadyAddresses } : {}),
      ...(ports.length > 0 ? { ports } : {}),
    };
  });
  return {
    subsets: subsets.filter(({ addresses, notReadyAddresses }) => addresses || notReadyAddresses),
    truncated,
  };
}
