import type { EndpointSlice } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';

/**
 * Where servers are: the one that was given first, then those that the cluster last named. One is in use; when it
 * fails, the next one is tried, round and round.
 */
export class ServerAddresses {
  readonly #given: readonly string[];
  #learned: readonly string[];
  #current: string;

  /** At least one of all must be there. */
  constructor(given: readonly string[], learned: readonly string[]) {
    this.#given = given;
    this.#learned = learned.slice(0, LIMITS.join.servers);
    const [first] = this.all;
    if (first === undefined) throw new Error('no address of a server is known');
    this.#current = first;
  }

  get all(): readonly string[] {
    return [...new Set([...this.#given, ...this.#learned])];
  }
  get learned(): readonly string[] {
    return this.#learned;
  }
  get current(): string {
    return this.#current;
  }

  /** Goes on to the next address, unless somebody did already; returns the one to use. */
  failed(server: string): string {
    if (server !== this.#current) return this.#current;
    const { all } = this;
    this.#current = all[(all.indexOf(server) + 1) % all.length] ?? server;
    return this.#current;
  }

  /** Takes what the cluster says now; the one in use stays as long as it works. Returns whether something is new. */
  learn(servers: readonly string[]): boolean {
    const next = servers.slice(0, LIMITS.join.servers);
    if (next.length === 0 || next.join() === this.#learned.join()) return false;
    this.#learned = next;
    return true;
  }
}

/** Origins of the servers that the EndpointSlice of the `kubernetes` Service names, in a stable order. */
export function serversOf(slice: EndpointSlice): readonly string[] {
  const port = slice.ports?.find(({ name }) => name === 'https')?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses)
    .map((address) => `https://${address.includes(':') ? `[${address}]` : address}:${port}`)
    .sort();
}
