import { isIPv4 } from 'node:net';
import type { Service } from '../../../api/types.gen.ts';
import type { Allocators } from '../../registry/definition.ts';

export interface AllocatorOptions {
  /** IPv4, such as `10.43.0.0/16`. */
  readonly serviceCidr: string;
  /** Both inclusive. */
  readonly nodePorts: { readonly first: number; readonly last: number };
  /** At least 0, below `below`. */
  readonly random: (below: number) => number;
}

/**
 * Cluster IPs and node ports in use, and free ones picked at random. The lower band of each range is left to those
 * who ask for a fixed value as long as the upper one has room (KEP-3070, KEP-3668).
 */
export function createAllocators({ serviceCidr, nodePorts, random }: AllocatorOptions): Allocators {
  const range = parseRange(serviceCidr);
  const addresses = new Pool({
    first: range.first,
    last: range.last,
    reserved: band(range.last - range.first + 1, { divisor: 16, min: 16, max: 256 }),
    random,
  });
  const ports = new Map<string, Pool>();
  const portsOf = (protocol: string): Pool => {
    let pool = ports.get(protocol);
    if (pool === undefined) {
      const { first, last } = nodePorts;
      pool = new Pool({
        first,
        last,
        random,
        reserved: band(last - first + 1, { divisor: 32, min: 16, max: 128 }),
      });
      ports.set(protocol, pool);
    }
    return pool;
  };
  return {
    clusterIP(wanted) {
      if (wanted === undefined) {
        const picked = addresses.take();
        if (picked === undefined) throw new Error('failed to allocate a serviceIP: range is full');
        return addressText(picked);
      }
      const refuse = (why: string): Error => new Error(`failed to allocate IP ${wanted}: ${why}`);
      const number = isIPv4(wanted) ? addressNumber(wanted) : Number.NaN;
      if (!addresses.contains(number)) {
        throw refuse(
          `the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${serviceCidr}`,
        );
      }
      if (!addresses.claim(number)) throw refuse('provided IP is already allocated');
      return wanted;
    },
    releaseClusterIP(ip) {
      if (isIPv4(ip)) addresses.release(addressNumber(ip));
    },
    nodePort(wanted, protocol) {
      const pool = portsOf(protocol);
      if (wanted === undefined) {
        const picked = pool.take();
        if (picked === undefined) throw new Error('failed to allocate a nodePort: range is full');
        return picked;
      }
      if (!pool.contains(wanted)) {
        const { first, last } = nodePorts;
        throw new Error(
          `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
        );
      }
      if (!pool.claim(wanted)) throw new Error('provided port is already allocated');
      return wanted;
    },
    releaseNodePort(port, protocol) {
      ports.get(protocol)?.release(port);
    },
  };
}

/**
 * Marks what stored Services hold, once at start. Returns what could not be marked (out of range after a change
 * of configuration, or held twice), one sentence each: the Services keep what they have.
 */
export function rebuildAllocators(allocators: Allocators, services: Iterable<Service>): string[] {
  const problems: string[] = [];
  for (const { metadata, spec } of services) {
    const note = (claim: () => unknown): void => {
      try {
        claim();
      } catch (error) {
        problems.push(`service ${metadata.namespace}/${metadata.name}: ${(error as Error).message}`);
      }
    };
    if (hasClusterIP(spec)) note(() => allocators.clusterIP(spec?.clusterIP));
    for (const { nodePort, protocol } of spec?.ports ?? []) {
      if (nodePort) note(() => allocators.nodePort(nodePort, protocol ?? 'TCP'));
    }
    const health = spec?.healthCheckNodePort;
    if (health) note(() => allocators.nodePort(health, 'TCP'));
  }
  return problems;
}

/** Whether a service holds an address: not headless, not an external name. */
export function hasClusterIP(spec: Service['spec']): boolean {
  return spec?.type !== 'ExternalName' && Boolean(spec?.clusterIP) && spec?.clusterIP !== 'None';
}

/** How much of the lower end of a range is left to fixed values. */
function band(size: number, { divisor, min, max }: { divisor: number; min: number; max: number }): number {
  return size <= min ? 0 : Math.min(Math.max(min, Math.floor(size / divisor)), max);
}

function parseRange(cidr: string): { first: number; last: number } {
  const [address = '', bits] = cidr.split('/');
  const prefix = Number(bits);
  if (!isIPv4(address) || !(prefix >= 8 && prefix <= 30)) {
    throw new Error(`service CIDR ${JSON.stringify(cidr)} must be an IPv4 range between /8 and /30`);
  }
  const size = 2 ** (32 - prefix);
  const base = Math.floor(addressNumber(address) / size) * size;
  // Neither the network's own address nor broadcast.
  return { first: base + 1, last: base + size - 2 };
}

const addressNumber = (ip: string): number =>
  ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const addressText = (ip: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(ip / 2 ** shift) % 256).join('.');

interface PoolOptions {
  readonly first: number;
  readonly last: number;
  /** How many of the lowest are given out at random only when nothing else is left. */
  readonly reserved: number;
  readonly random: (below: number) => number;
}

/** Numbers in use out of a range. Memory grows with what is used, not with the range. */
class Pool {
  readonly #options: PoolOptions;
  readonly #used = new Set<number>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  contains(number: number): boolean {
    return number >= this.#options.first && number <= this.#options.last;
  }

  claim(number: number): boolean {
    if (this.#used.has(number)) return false;
    this.#used.add(number);
    return true;
  }

  release(number: number): void {
    this.#used.delete(number);
  }

  take(): number | undefined {
    const { first, last, reserved } = this.#options;
    const split = first + reserved;
    const picked = this.#pick(split, last) ?? this.#pick(first, split - 1);
    if (picked !== undefined) this.#used.add(picked);
    return picked;
  }

  /** From a random start upwards, around the end: finds the last free number as surely as the first. */
  #pick(from: number, to: number): number | undefined {
    const size = to - from + 1;
    if (size <= 0) return undefined;
    const start = this.#options.random(size);
    for (let step = 0; step < size; step++) {
      const number = from + ((start + step) % size);
      if (!this.#used.has(number)) return number;
    }
    return undefined;
  }
}
