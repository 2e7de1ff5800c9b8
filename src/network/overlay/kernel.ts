import { readFile } from 'node:fs/promises';
import { type Exec, ExecError } from '../../lib/exec.ts';
import {
  DEVICE,
  NOTHING,
  type OverlayState,
  overlayChange,
  ROUTE_PROTOCOL,
  type Route,
  UDP_PORT,
  type VxlanDevice,
} from './state.ts';

/** The network of this machine as the overlay sees and changes it. */
export interface OverlayKernel {
  read(): Promise<NetworkPicture>;
  /** Rejects with `NoVxlanError` where the kernel has no such device. Resolves with whether anything had to be changed. */
  change(from: OverlayState, to: OverlayState): Promise<boolean>;
  /** Whether every route is there. Starts no process. */
  hasRoutes(state: OverlayState): Promise<boolean>;
}

export interface NetworkPicture {
  readonly state: OverlayState;
  /** Networks of this board, and the largest packet on each. Loopback and devices of the overlay and of pods are not. */
  readonly networks: readonly BoardNetwork[];
}

export interface BoardNetwork {
  readonly address: string;
  readonly cidr: string;
  readonly mtu: number;
}

export class NoVxlanError extends Error {}

interface Link {
  readonly ifname: string;
  readonly mtu: number;
  readonly address?: string;
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly local?: string } };
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

interface KernelRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
}

/** Drives `ip` and `bridge`; `prefix` goes before each, such as `nsenter --net=…`. */
export function overlayKernel(options: {
  readonly exec: Exec;
  readonly prefix?: readonly string[];
}): OverlayKernel {
  const { exec, prefix = [] } = options;
  const read = async <T>(...argv: string[]): Promise<readonly T[]> => {
    const { stdout } = await exec.run([...prefix, ...argv]);
    return stdout.trim() === '' ? [] : (JSON.parse(stdout) as T[]);
  };
  const batch = async (tool: 'ip' | 'bridge', lines: readonly string[]): Promise<void> => {
    // One board that is out of reach must not keep the way to another from being made.
    if (lines.length > 0)
      await exec.run([...prefix, tool, '-force', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  };
  let forwards = false;
  return {
    async read() {
      const links = await read<Link>('ip', '-json', '-details', '-4', 'address', 'show');
      const routes = await read<KernelRoute>(
        'ip',
        '-json',
        '-4',
        'route',
        'show',
        'proto',
        `${ROUTE_PROTOCOL}`,
      );
      const link = links.find(({ ifname }) => ifname === DEVICE);
      const state: OverlayState = { ...NOTHING, routes: routesOf(routes) };
      const networks = links.flatMap(networksOf);
      if (link === undefined) return { state, networks };
      const neighbours = await read<{ dst: string; lladdr?: string }>(
        ...['ip', '-json', '-4', 'neigh', 'show', 'dev', DEVICE, 'nud', 'permanent'],
      );
      const fdb = await read<{ mac: string; dst?: string }>('bridge', '-json', 'fdb', 'show', 'dev', DEVICE);
      return {
        state: {
          ...state,
          device: deviceOf(link),
          neighbours: new Map(neighbours.map(({ dst, lladdr = '' }) => [dst, lladdr])),
          forwards: new Map(fdb.flatMap(({ mac, dst }) => (dst === undefined ? [] : [[mac, dst]]))),
        },
        networks,
      };
    },
    async change(from, to) {
      const { ip, bridge } = overlayChange(from, to);
      // Packets for pods of another board may come to one that has no pods.
      if (to.routes.size > 0 && !forwards) {
        await exec.run([...prefix, 'tee', '/proc/sys/net/ipv4/ip_forward'], { stdin: '1' });
        forwards = true;
      }
      try {
        await batch('ip', ip);
      } catch (error) {
        throw explain(error);
      }
      await batch('bridge', bridge);
      return ip.length + bridge.length > 0;
    },
    async hasRoutes({ routes }) {
      const present = new Set(destinations(await readFile('/proc/net/route', 'utf8')));
      return [...routes.keys()].every((range) => present.has(range));
    },
  };
}

function routesOf(routes: readonly KernelRoute[]): Map<string, Route> {
  return new Map(
    routes.map(({ type, dst, gateway: via = '', dev }): [string, Route] => {
      if (type === 'unreachable') return [dst, { is: 'refused' }];
      return [dst, dev === DEVICE ? { is: 'tunnelled', via } : { is: 'direct', via }];
    }),
  );
}

function networksOf({ ifname, flags, linkinfo, mtu, addr_info = [] }: Link): BoardNetwork[] {
  if (flags.includes('LOOPBACK') || ifname === DEVICE) return [];
  // A host's end of a pod's pair has the address of the range's gateway.
  const usable = addr_info.filter(({ prefixlen }) => !(linkinfo?.info_kind === 'veth' && prefixlen === 32));
  return usable.map(({ local, prefixlen }) => ({ address: local, cidr: `${local}/${prefixlen}`, mtu }));
}

function deviceOf({ address = '', linkinfo, mtu, addr_info = [] }: Link): VxlanDevice {
  return {
    mac: address,
    mtu,
    local: linkinfo?.info_data?.local ?? '',
    address: addr_info[0]?.local ?? 'none',
  };
}

/** Words of kernels and of iproute2 for a device type that is not there. */
function explain(error: unknown): unknown {
  if (!(error instanceof ExecError)) return error;
  if (/unknown device type|operation not supported/i.test(error.stderr))
    return new NoVxlanError('the kernel has no vxlan', { cause: error });
  if (/specified VNI and port already exists/i.test(error.stderr))
    return new Error(`another device of this machine has our VXLAN number at UDP port ${UDP_PORT}`, {
      cause: error,
    });
  return error;
}

/** Of /proc/net/route: little-endian hexadecimal addresses and masks. */
export function destinations(table: string): string[] {
  return table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const columns = line.split('\t');
      const bits = Number.parseInt(columns[7] ?? '0', 16)
        .toString(2)
        .replaceAll('0', '').length;
      return `${address(columns[1] ?? '0')}/${bits}`;
    });
}

function address(hex: string): string {
  const value = Number.parseInt(hex, 16);
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff).join('.');
}
