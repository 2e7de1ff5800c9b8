import type { Endpoint, EndpointSlice, Service, ServicePort } from '../../api/types.gen.ts';

/** Which node decides, and what it answers itself. */
export interface ServicePlanInput {
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly nodeName: string;
  /** Cluster IPs that this node answers itself, such as the resolver's: they get no rules. */
  readonly localIPs: readonly string[];
}

/** What the node does with packets to Services; everything is decided, rendering only writes it down. */
export interface ServiceRuleset {
  readonly ports: readonly PortRule[];
}

export type Protocol = 'tcp' | 'udp' | 'sctp';
export type IPFamily = 'ipv4' | 'ipv6';

export interface Backend {
  readonly ip: string;
  readonly port: number;
}

/** One port of one Service in one address family. */
export interface PortRule {
  /** `namespace/name` */
  readonly service: string;
  readonly portName: string;
  readonly family: IPFamily;
  readonly protocol: Protocol;
  readonly port: number;
  readonly clusterIP: string;
  /** `externalIPs` and addresses of the load balancer. */
  readonly externalIPs: readonly string[];
  readonly nodePort?: number;
  /** `loadBalancerSourceRanges`; empty: everybody. They guard the load balancer's addresses only. */
  readonly loadBalancerIPs: readonly string[];
  readonly sourceRanges: readonly string[];
  readonly affinitySeconds?: number;
  /** For traffic from inside; `local` of the policy is already applied. */
  readonly internal: Traffic;
  /** For traffic from outside. */
  readonly external: Traffic;
  /** All endpoints, for cluster-internal clients of an external address under `externalTrafficPolicy: Local`. */
  readonly cluster: readonly Backend[];
}

export interface Traffic {
  readonly backends: readonly Backend[];
  /** Only endpoints of this node may be used, and clients keep their address. */
  readonly localOnly: boolean;
}

const DEFAULT_AFFINITY_SECONDS = 10_800;

/** Decides, as kube-proxy does, which endpoints each Service address leads to on this node. Pure. */
export function planServices(input: ServicePlanInput): ServiceRuleset {
  const slices = Map.groupBy(
    input.endpointSlices,
    ({ metadata }) => `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`,
  );
  const ports = input.services
    .filter(hasClusterIP)
    .flatMap((service) => {
      const name = `${service.metadata.namespace}/${service.metadata.name}`;
      return planService(service, name, slices.get(name) ?? [], input);
    })
    .toSorted((a, b) => keyOfRule(a).localeCompare(keyOfRule(b)));
  return { ports };
}

const keyOfRule = ({ service, family, protocol, port }: PortRule): string =>
  `${service}/${family}/${protocol}/${port}`;

function hasClusterIP({ spec }: Service): boolean {
  return spec !== undefined && spec.type !== 'ExternalName' && !!spec.clusterIP && spec.clusterIP !== 'None';
}

function planService(
  service: Service,
  name: string,
  slices: readonly EndpointSlice[],
  { nodeName, localIPs }: ServicePlanInput,
): readonly PortRule[] {
  const { spec, status } = service;
  if (!spec) return [];
  const clusterIPs = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ''];
  const ingress = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
    ip !== undefined && ipMode !== 'Proxy' ? [ip] : [],
  );
  return clusterIPs
    .filter((ip) => !localIPs.includes(ip))
    .flatMap((clusterIP) =>
      (spec.ports ?? []).map((port): PortRule => {
        const family = familyOf(clusterIP);
        const candidates = backendsOf(slices, port, family);
        const cluster = usable(candidates);
        const local = usable(candidates.filter(({ endpoint }) => endpoint.nodeName === nodeName));
        const traffic = (policy: string | undefined): Traffic =>
          policy === 'Local' ? { backends: local, localOnly: true } : { backends: cluster, localOnly: false };
        const ofFamily = (ips: readonly string[]): string[] => ips.filter((ip) => familyOf(ip) === family);
        const loadBalancerIPs = spec.type === 'LoadBalancer' ? ofFamily(ingress) : [];
        return {
          service: name,
          portName: port.name ?? '',
          family,
          protocol: (port.protocol ?? 'TCP').toLowerCase() as Protocol,
          port: port.port,
          clusterIP,
          externalIPs: [...new Set([...ofFamily(spec.externalIPs ?? []), ...loadBalancerIPs])],
          ...(port.nodePort && spec.type !== 'ClusterIP' ? { nodePort: port.nodePort } : {}),
          loadBalancerIPs,
          sourceRanges: (spec.loadBalancerSourceRanges ?? []).filter((cidr) => familyOf(cidr) === family),
          ...(spec.sessionAffinity === 'ClientIP'
            ? {
                affinitySeconds:
                  spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS,
              }
            : {}),
          internal: traffic(spec.internalTrafficPolicy),
          external: traffic(spec.externalTrafficPolicy),
          cluster,
        };
      }),
    );
}

interface Candidate {
  readonly endpoint: Endpoint;
  readonly backend: Backend;
}

/** The endpoints that serve a port; one address is used once though several slices may name it. */
function backendsOf(
  slices: readonly EndpointSlice[],
  port: ServicePort,
  family: IPFamily,
): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType.toLowerCase() !== family) continue;
    const slicePort = slice.ports?.find(
      ({ name, protocol }) =>
        (name ?? '') === (port.name ?? '') && (protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (slicePort?.port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      // The addresses of one endpoint are interchangeable; kube-proxy uses the first.
      const [ip] = endpoint.addresses;
      if (ip !== undefined)
        found.set(`${ip} ${slicePort.port}`, { endpoint, backend: { ip, port: slicePort.port } });
    }
  }
  return [...found.values()];
}

/** The ready ones; if there are none, those that still serve while they terminate (KEP-1669). */
function usable(candidates: readonly Candidate[]): readonly Backend[] {
  const ready = candidates.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const chosen =
    ready.length > 0
      ? ready
      : candidates.filter(({ endpoint: { conditions } }) => conditions?.serving && conditions.terminating);
  return chosen
    .map(({ backend }) => backend)
    .toSorted((a, b) => a.ip.localeCompare(b.ip, 'en', { numeric: true }) || a.port - b.port);
}

export function familyOf(address: string): IPFamily {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
