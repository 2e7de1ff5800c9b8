import { equalJson } from '../../../api/json-value.ts';
import type { Service, ServiceSpec } from '../../../api/types.gen.ts';

const AFFINITY_SECONDS = 10_800;

/** Upstream's SetDefaults_Service, and the fields of address families on a cluster that knows IPv4 only. */
export function defaultService(service: Service): void {
  const { spec } = service;
  if (spec === undefined) return;
  spec.type ||= 'ClusterIP';
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  else if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= AFFINITY_SECONDS;
  }
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '')
      port.targetPort = port.port;
  }
  if (isExternal(spec)) spec.externalTrafficPolicy ||= 'Cluster';
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') {
    spec.allocateLoadBalancerNodePorts ??= true;
    for (const ingress of service.status?.loadBalancer?.ingress ?? []) {
      if (ingress.ip) ingress.ipMode ??= 'VIP';
    }
  }
}

const isExternal = ({ type, externalIPs }: ServiceSpec): boolean =>
  type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && (externalIPs?.length ?? 0) > 0);

/** Families follow from the address; a headless service without selector may list any (KEP-563). */
export function defaultFamilies(spec: ServiceSpec): void {
  if (spec.type === 'ExternalName') return;
  if (spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0) {
    spec.ipFamilyPolicy ??= 'RequireDualStack';
    if (spec.ipFamilyPolicy === 'SingleStack') spec.ipFamilies ??= ['IPv4'];
    else spec.ipFamilies ??= ['IPv4', 'IPv6'];
    return;
  }
  spec.ipFamilyPolicy ??= 'SingleStack';
  spec.ipFamilies ??= ['IPv4'];
}

/** `clusterIP` is the old name of `clusterIPs[0]`: whichever was given sets the other. */
export function normalizeClusterIPs(spec: ServiceSpec, old: ServiceSpec | undefined): void {
  if (old === undefined) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  const firstChanged = spec.clusterIP !== old.clusterIP;
  const listChanged = !equalJson(spec.clusterIPs ?? [], old.clusterIPs ?? []);
  if (!firstChanged || listChanged) return;
  if (!spec.clusterIP) delete spec.clusterIPs;
  else spec.clusterIPs = [spec.clusterIP, ...(spec.clusterIPs ?? []).slice(1)];
}

/** What a client left out of an update because it never knew it: addresses and ports stay. */
export function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
  const takesAddress = (one: ServiceSpec): boolean => one.type !== 'ExternalName';
  if (takesAddress(spec) && takesAddress(old)) {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    if (!spec.clusterIPs?.length && old.clusterIPs && spec.clusterIP === old.clusterIP)
      spec.clusterIPs = old.clusterIPs;
  }
  const takesPorts = ({ type }: ServiceSpec): boolean => type === 'NodePort' || type === 'LoadBalancer';
  if (takesPorts(spec) && takesPorts(old)) {
    const taken = new Set((spec.ports ?? []).map(({ nodePort }) => nodePort));
    for (const port of spec.ports ?? []) {
      if (port.nodePort) continue;
      const before = old.ports?.find((one) => one.port === port.port && one.protocol === port.protocol);
      if (before?.nodePort && !taken.has(before.nodePort)) port.nodePort = before.nodePort;
    }
  }
  if (spec.externalTrafficPolicy === 'Local' && spec.type === 'LoadBalancer') {
    spec.healthCheckNodePort ??= old.healthCheckNodePort as number;
    if (!spec.healthCheckNodePort) delete spec.healthCheckNodePort;
  }
}

/** Fields of the former type go, unless the client changed them in the same update: then validation tells. */
export function dropFormerType(spec: ServiceSpec, old: ServiceSpec): void {
  const same = (field: keyof ServiceSpec): boolean => equalJson(spec[field], old[field]);
  const drop = (field: keyof ServiceSpec): void => {
    if (spec[field] !== undefined && same(field)) delete spec[field];
  };
  if (spec.type === 'ExternalName' && old.type !== 'ExternalName') {
    for (const field of [
      'clusterIP',
      'clusterIPs',
      'ipFamilies',
      'ipFamilyPolicy',
      'internalTrafficPolicy',
    ] as const)
      drop(field);
  }
  const hasPorts = ({ type }: ServiceSpec): boolean => type === 'NodePort' || type === 'LoadBalancer';
  if (hasPorts(old) && !hasPorts(spec)) {
    const before = new Set((old.ports ?? []).map(({ nodePort }) => nodePort));
    for (const port of spec.ports ?? []) {
      if (port.nodePort && before.has(port.nodePort)) delete port.nodePort;
    }
  }
  const needsHealth = (one: ServiceSpec): boolean =>
    one.type === 'LoadBalancer' && one.externalTrafficPolicy === 'Local';
  if (needsHealth(old) && !needsHealth(spec)) drop('healthCheckNodePort');
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    drop('allocateLoadBalancerNodePorts');
    drop('loadBalancerClass');
  }
  if (isExternal(old) && !isExternal(spec)) drop('externalTrafficPolicy');
}
