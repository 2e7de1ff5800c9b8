import { equalJson } from '../../api/json-value.ts';
import type { Resource } from '../../api/resource.ts';
import { apiServices, endpointSlices, services } from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { APIService, EndpointSlice, Service } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { type Clock, rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { followCache } from '../authz/follow-cache.ts';
import type { WatchCache } from '../watchcache/port.ts';
import type { ApiServices, RemoteService } from './api-services.ts';
import { judge, PASSED, type Verdict, withVerdict } from './availability.ts';
import type { RemoteAnswer, RemoteClient } from './remote-client.ts';
import type { RemoteDiscovery } from './remote-discovery.ts';

export interface AvailabilityOptions {
  readonly client: Client;
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
  readonly services: ApiServices;
  readonly remotes: RemoteClient;
  readonly discovery: RemoteDiscovery;
  readonly clock: Clock;
  readonly log: Logger;
  /** An APIService was written or went. */
  readonly onChange: () => void;
}

/**
 * Writes the `Available` condition of APIServices. Those of this server cost one look; those of others are looked at
 * when they, their Service or its endpoints change, after a request to them failed, and now and then.
 */
export class AvailabilityController {
  readonly #options: AvailabilityOptions;
  readonly #queue: WorkQueue;
  readonly #stops: (() => void)[] = [];
  /** The newest verdict on each, and what it was about. */
  readonly #last = new Map<string, { readonly spec: APIService['spec']; readonly verdict: Verdict }>();

  /** How often in a row one that was available did not answer. */
  readonly #doubts = new Map<string, number>();

  constructor(options: AvailabilityOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#queue = new WorkQueue({
      clock,
      work: (name) => this.#sync(name),
      onError: (name, error) => log.debug('APIService is not available', { name, error }),
      concurrency: 4,
      baseMs: LIMITS.aggregator.retryBaseMs,
      maxMs: LIMITS.aggregator.retryMaxMs,
    });
  }

  start(): void {
    const { services: known, discovery, onChange } = this.#options;
    this.#follow(apiServices, (object) => {
      discovery.keep(known.remotes);
      if (!this.#isOwnWrite(object)) this.#queue.add(object.metadata.name ?? '');
      onChange();
    });
    this.#follow(services, ({ metadata: { namespace, name } }) => this.#concern(namespace, name));
    this.#follow(endpointSlices, ({ metadata: { namespace, labels } }) =>
      this.#concern(namespace, labels?.['kubernetes.io/service-name']),
    );
  }

  /** What this controller wrote needs no second look. */
  #isOwnWrite({ metadata: { name = '' }, spec, status }: APIService): boolean {
    const last = this.#last.get(name);
    const [condition] = status?.conditions?.filter(({ type }) => type === 'Available') ?? [];
    return (
      last !== undefined &&
      condition?.message === last.verdict.message &&
      condition.reason === last.verdict.reason &&
      equalJson(spec, last.spec)
    );
  }

  /** A request to it failed: looks again at once. */
  suspect(name: string): void {
    this.#queue.add(name);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await this.#queue.stop();
  }

  #follow(resource: Resource, seen: (object: Pick<APIService, 'metadata'>) => void): void {
    const { cacheOf, log } = this.#options;
    const cache = cacheOf(resource);
    if (!cache) return;
    // Of what is deleted only the name is told; slices are all looked at then.
    const remove = (namespace: string, name: string): void => {
      if (resource === endpointSlices)
        for (const one of this.#options.services.remotes) this.#queue.add(one.name);
      else seen({ metadata: { namespace, name } });
    };
    this.#stops.push(
      followCache({ cache, log, name: resource.resource, clear: () => {}, put: seen, remove }),
    );
  }

  #concern(namespace: string | undefined, name: string | undefined): void {
    for (const remote of this.#options.services.remotes)
      if (remote.service.name === name && remote.service.namespace === namespace)
        this.#queue.add(remote.name);
  }

  async #sync(name: string): Promise<number | undefined> {
    const { cacheOf, services: known, discovery } = this.#options;
    const apiService = cacheOf(apiServices)?.get(undefined, name)?.object() as APIService | undefined;
    if (!apiService) {
      this.#last.delete(name);
      this.#doubts.delete(name);
      return undefined;
    }
    const remote = known.remotes.find((one) => one.name === name);
    const verdict = judge({ apiService, ...this.#backing(remote) });
    if (verdict || !remote) {
      if (remote) discovery.lost(remote);
      await this.#write(apiService, verdict ?? PASSED);
      return undefined;
    }
    let list: RemoteAnswer;
    try {
      list = await oneOfSeveral(() => this.#ask(remote));
    } catch (error) {
      if (this.#isDoubtful(apiService)) throw error;
      discovery.lost(remote);
      const url = urlOf(remote);
      const message = `failing or missing response from ${url}: ${(error as Error).message}`;
      await this.#write(apiService, { status: 'False', reason: 'FailedDiscoveryCheck', message });
      throw error;
    }
    this.#doubts.delete(name);
    const failure = await this.#discover(remote, list);
    await this.#write(apiService, PASSED);
    if (failure !== undefined) throw failure;
    return LIMITS.aggregator.recheckMs;
  }

  /** Several endpoints of which one is broken must not make the condition change all the time: it is asked again first. */
  #isDoubtful({ metadata: { name = '' }, spec }: APIService): boolean {
    const last = this.#last.get(name);
    const doubts = (this.#doubts.get(name) ?? 0) + 1;
    if (last?.verdict !== PASSED || !equalJson(spec, last.spec) || doubts > LIMITS.aggregator.doubts) {
      this.#doubts.delete(name);
      return false;
    }
    this.#doubts.set(name, doubts);
    return true;
  }

  /** What it serves may be unknown while it is available. */
  async #discover(remote: RemoteService, list: RemoteAnswer): Promise<Error | undefined> {
    const { discovery } = this.#options;
    try {
      await oneOfSeveral(() => discovery.refresh(remote, list));
      return undefined;
    } catch (error) {
      discovery.lost(remote);
      return error as Error;
    }
  }

  #backing(remote: RemoteService | undefined): {
    readonly service: Service | undefined;
    readonly slices: readonly EndpointSlice[];
  } {
    if (!remote) return { service: undefined, slices: [] };
    const { cacheOf } = this.#options;
    const { namespace, name } = remote.service;
    const matches = ({ labels }: { labels: Readonly<Record<string, string>> }): boolean =>
      labels['kubernetes.io/service-name'] === name;
    return {
      service: cacheOf(services)?.get(namespace, name)?.object() as Service | undefined,
      slices: (cacheOf(endpointSlices)?.list({ namespace, matches }) ?? []).map(
        (one) => one.object() as EndpointSlice,
      ),
    };
  }

  async #ask(remote: RemoteService): Promise<RemoteAnswer> {
    const answer = await this.#options.remotes.get(remote, pathOf(remote), { accept: 'application/json' });
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer;
    throw new Error(`bad status from ${urlOf(remote)}: ${answer.statusCode}`);
  }

  async #write({ metadata: { name = '' }, spec, status }: APIService, verdict: Verdict): Promise<void> {
    const { client, clock, log } = this.#options;
    this.#last.set(name, { spec, verdict });
    const conditions = status?.conditions ?? [];
    const next = withVerdict(conditions, verdict, rfc3339(clock.now()));
    if (next === conditions) return;
    log.info('APIService availability', { name, status: verdict.status, reason: verdict.reason });
    const body = { status: { conditions: next } };
    await client
      .patch(apiServices, { name }, { type: 'merge', body }, { subresource: 'status' })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  }
}

/** Asks once, then several times at once: endpoints are picked at random, and one that answers is enough. */
async function oneOfSeveral<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch {
    const attempts = Array.from({ length: LIMITS.aggregator.attempts }, ask);
    return await Promise.any(attempts).catch((all: AggregateError) => {
      throw all.errors.at(-1);
    });
  }
}

/** Where a group and version is to be found on any API server. */
export function pathOf({ group, version }: Pick<RemoteService, 'group' | 'version'>): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}

function urlOf(remote: RemoteService): string {
  const { namespace, name, port } = remote.service;
  return `https://${name}.${namespace}.svc:${port}${pathOf(remote)}`;
}
