import { invalidValue } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import type { FieldError } from '../../../api/status.ts';
import { invalid } from '../../../api/status.ts';
import type { Service, ServicePort, ServiceSpec } from '../../../api/types.gen.ts';
import type { Allocators } from '../../registry/definition.ts';
import { hasClusterIP } from './service-allocators.ts';

const needsNodePorts = ({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean =>
  type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
const mayHaveNodePorts = ({ type }: ServiceSpec): boolean => type === 'NodePort' || type === 'LoadBalancer';
const needsHealthPort = ({ type, externalTrafficPolicy }: ServiceSpec): boolean =>
  type === 'LoadBalancer' && externalTrafficPolicy === 'Local';

interface Held {
  readonly kind: 'ip' | 'port';
  readonly value: string | number;
  readonly protocol: string;
}

/** The address and ports that a service holds. */
function heldBy(spec: ServiceSpec | undefined): Held[] {
  if (spec === undefined) return [];
  const held: Held[] = [];
  if (hasClusterIP(spec)) held.push({ kind: 'ip', value: spec.clusterIP as string, protocol: '' });
  for (const { nodePort, protocol = 'TCP' } of spec.ports ?? []) {
    if (nodePort) held.push({ kind: 'port', value: nodePort, protocol });
  }
  if (spec.healthCheckNodePort) held.push({ kind: 'port', value: spec.healthCheckNodePort, protocol: 'TCP' });
  return held;
}

function release(allocators: Allocators, held: readonly Held[]): void {
  for (const { kind, value, protocol } of held) {
    if (kind === 'ip') allocators.releaseClusterIP(value as string);
    else allocators.releaseNodePort(value as number, protocol);
  }
}

export function releaseService(service: Service, allocators: Allocators): void {
  release(allocators, heldBy(service.spec));
}

/** Gives back what `held` has and `kept` has not. */
export function releaseDifference(held: Service, kept: Service, allocators: Allocators): void {
  const still = heldBy(kept.spec);
  release(
    allocators,
    heldBy(held.spec).filter((one) => !still.some((other) => equalJson(one, other))),
  );
}

/**
 * Takes the address and the ports that the service asks for or needs, unless `old` holds them already. All or
 * nothing: throws 422 with what could not be had and takes nothing then.
 */
export function allocateForService(service: Service, old: Service | undefined, allocators: Allocators): void {
  const spec = service.spec as ServiceSpec;
  const before = heldBy(old?.spec);
  const taken: Held[] = [];
  const errors: FieldError[] = [];
  const keeps = (one: Held): boolean => before.some((other) => equalJson(one, other));
  const attempt = (field: string, shown: unknown, take: () => void): void => {
    try {
      take();
    } catch (error) {
      errors.push(invalidValue(field, shown, (error as Error).message));
    }
  };
  const takeNodePort = (wanted: number | undefined, protocol: string): number => {
    const asHeld = { kind: 'port', value: wanted ?? 0, protocol } as const;
    if (wanted !== undefined && (keeps(asHeld) || taken.some((one) => equalJson(one, asHeld)))) return wanted;
    const value = allocators.nodePort(wanted, protocol);
    taken.push({ kind: 'port', value, protocol });
    return value;
  };

  if (spec.type !== 'ExternalName' && spec.clusterIP !== 'None') {
    attempt('spec.clusterIPs', spec.clusterIP ? [spec.clusterIP] : null, () => {
      const wanted = spec.clusterIP || undefined;
      if (wanted !== undefined && keeps({ kind: 'ip', value: wanted, protocol: '' })) return;
      const value = allocators.clusterIP(wanted);
      taken.push({ kind: 'ip', value, protocol: '' });
      spec.clusterIP = value;
      spec.clusterIPs = [value];
    });
  }
  if (mayHaveNodePorts(spec)) {
    (spec.ports ?? []).forEach((port, at) => {
      if (!port.nodePort && !needsNodePorts(spec)) return;
      attempt(`spec.ports[${at}].nodePort`, port.nodePort ?? 0, () => {
        const wanted = port.nodePort || portOfTwin(spec.ports ?? [], at, allocators, taken);
        port.nodePort = takeNodePort(wanted, port.protocol ?? 'TCP');
      });
    });
  }
  if (needsHealthPort(spec)) {
    attempt('spec.healthCheckNodePort', spec.healthCheckNodePort ?? 0, () => {
      spec.healthCheckNodePort = takeNodePort(spec.healthCheckNodePort || undefined, 'TCP');
    });
  }
  if (errors.length === 0) return;
  release(allocators, taken);
  throw invalid({ group: '', kind: 'Service' }, service.metadata.name ?? '', errors);
}

/** DNS over TCP and UDP on the same port gets the same node port, if that is free. */
function portOfTwin(
  ports: readonly ServicePort[],
  at: number,
  allocators: Allocators,
  taken: Held[],
): number | undefined {
  const mine = ports[at];
  const twin = ports
    .slice(0, at)
    .find((other) => other.port === mine?.port && other.protocol !== mine.protocol);
  if (!twin?.nodePort || mine === undefined) return undefined;
  const protocol = mine.protocol ?? 'TCP';
  try {
    allocators.nodePort(twin.nodePort, protocol);
  } catch {
    return undefined;
  }
  taken.push({ kind: 'port', value: twin.nodePort, protocol });
  return twin.nodePort;
}
