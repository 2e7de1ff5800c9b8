import type { Pod } from './types.gen.ts';

/** A port of its node that a pod takes. */
export interface HostPort {
  readonly protocol: string;
  /** `0.0.0.0` overlaps with every address. */
  readonly ip: string;
  readonly port: number;
}

export function hostPortsOf(pod: Pod): HostPort[] {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const sidecars = initContainers.filter((container) => container.restartPolicy === 'Always');
  return [...containers, ...sidecars].flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map(({ protocol = 'TCP', hostIP, hostPort = 0 }) => ({
        protocol,
        ip: hostIP || '0.0.0.0',
        port: hostPort,
      })),
  );
}

/** Whether two pods with these ports cannot be on one node. */
export function overlap(one: HostPort, other: HostPort): boolean {
  const isSameAddress = one.ip === other.ip || one.ip === '0.0.0.0' || other.ip === '0.0.0.0';
  return isSameAddress && one.port === other.port && one.protocol === other.protocol;
}
