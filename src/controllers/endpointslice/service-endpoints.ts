import type {
  DiscoveryEndpointPort,
  Endpoint,
  Node,
  Pod,
  Service,
  ServicePort,
} from '../../api/types.gen.ts';
import { isReady, isTerminal } from '../framework/pods.ts';

export type AddressType = 'IPv4' | 'IPv6';

/** Endpoints that share the numbers behind the Service's ports. */
export interface PortGroup {
  readonly ports: readonly DiscoveryEndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export function addressTypeOf(ip: string): AddressType {
  return ip.includes(':') ? 'IPv6' : 'IPv4';
}

export function isHeadless({ spec }: Service): boolean {
  return spec?.clusterIP === 'None';
}

/** Families the Service wants addresses of; older objects say it by their address alone. */
export function addressTypesOf({ spec }: Service): AddressType[] {
  if (spec?.ipFamilies?.length) return spec.ipFamilies as AddressType[];
  return [spec?.clusterIP && spec.clusterIP !== 'None' ? addressTypeOf(spec.clusterIP) : 'IPv4'];
}

/** The number a Service port leads to in one pod; undefined when the pod has no port of that name. */
function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const { targetPort: target = port.port, protocol = 'TCP' } = port;
  if (typeof target === 'number') return target;
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars])
    for (const one of container.ports ?? [])
      if (one.name === target && (one.protocol ?? 'TCP') === protocol) return one.containerPort;
  return undefined;
}

/** Pods that belong behind the Service, grouped by their port numbers (upstream's reconciler). Pure. */
export function serviceEndpoints(
  service: Service,
  pods: readonly Pod[],
  addressType: AddressType,
  nodeOf: (name: string) => Node | undefined,
): PortGroup[] {
  const groups = new Map<string, { ports: DiscoveryEndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of pods) {
    const addresses = addressesOf(pod, addressType);
    if (addresses.length === 0 || isTerminal(pod)) continue;
    const ports = portsFor(service, pod);
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    group.endpoints.push(endpointOf(service, pod, addresses, nodeOf));
    groups.set(key, group);
  }
  return [...groups.values()];
}

export function addressesOf(pod: Pod, addressType: AddressType): string[] {
  const all = pod.status?.podIPs?.map(({ ip }) => ip ?? '') ?? [];
  if (all.length === 0 && pod.status?.podIP) all.push(pod.status.podIP);
  return all.filter((ip) => ip !== '' && addressTypeOf(ip) === addressType);
}

function portsFor(service: Service, pod: Pod): DiscoveryEndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod);
    if (number === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = port;
    return [{ name, protocol, port: number, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

function endpointOf(
  service: Service,
  pod: Pod,
  addresses: string[],
  nodeOf: (name: string) => Node | undefined,
): Endpoint {
  const { name = '', namespace = '', uid = '', deletionTimestamp } = pod.metadata;
  const nodeName = pod.spec?.nodeName;
  const zone = nodeName ? nodeOf(nodeName)?.metadata.labels?.['topology.kubernetes.io/zone'] : undefined;
  const serving = isReady(pod);
  const terminating = deletionTimestamp !== undefined;
  const publishAll = service.spec?.publishNotReadyAddresses === true;
  const hostname =
    pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;
  return {
    addresses: addresses.slice(0, 1),
    conditions: { ready: publishAll || (serving && !terminating), serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}
