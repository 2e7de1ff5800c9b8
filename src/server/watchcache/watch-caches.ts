import type { KubeObject, Resource } from '../../api/resource.ts';
import type { Change, Datastore, ListResult } from '../../datastore/port.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Upkeep } from './cache-record.ts';
import { Interner } from './interner.ts';
import type { WatchCache } from './port.ts';
import { RecentObjects } from './recent-objects.ts';
import { Slabs } from './slabs.ts';
import { ResourceCache } from './watch-cache.ts';

/** The watch caches of a server: one subscription to the datastore feeds them all. */
export interface WatchCaches {
  /** Newest revision of the whole store that every cache reflects. */
  readonly revision: number;
  /** Reads the resource in pages and follows it from there. Resolves when the cache is complete. */
  open<T extends KubeObject>(options: CacheOptions<T>): Promise<WatchCache>;
  /** Closes every cache. */
  close(): void;
}

export interface CacheOptions<T extends KubeObject = KubeObject> {
  readonly resource: Pick<Resource<T>, 'namespaced'>;
  /** `/registry/<group or core>/<resource>/`. */
  readonly prefix: string;
  readonly selectableFields?: Readonly<Record<string, (object: T) => string>> | undefined;
  /** See {@link RecordFactory.upkeep}. */
  readonly upkeep?: (() => Upkeep) | undefined;
}

/** What caches need of a datastore. */
export type CacheSource = Pick<Datastore, 'revision' | 'changes' | 'get' | 'list' | 'subscribe'>;

export function createWatchCaches(options: { datastore: CacheSource; clock?: Clock }): WatchCaches {
  const { datastore, clock = systemClock } = options;
  return new Hub(datastore, clock);
}

/** A single cache with a subscription of its own; closing it ends that too. */
export async function createWatchCache<T extends KubeObject>(
  options: CacheOptions<T> & { datastore: CacheSource; clock?: Clock },
): Promise<WatchCache> {
  const caches = createWatchCaches(options);
  try {
    const cache = await caches.open(options);
    const close = cache.close.bind(cache);
    cache.close = () => {
      close();
      caches.close();
    };
    return cache;
  } catch (error) {
    caches.close();
    throw error;
  }
}

interface Feed {
  readonly cache: ResourceCache;
  /** Changes that came while the cache was filling; `undefined` once it is complete. */
  waiting: Change[] | undefined;
}

class Hub implements WatchCaches {
  revision: number;
  readonly #datastore: CacheSource;
  readonly #clock: Clock;
  readonly #interner = new Interner(LIMITS.watch.interned);
  readonly #recent = new RecentObjects(LIMITS.watch.recent);
  readonly #feeds = new Map<string, Feed>();
  readonly #unsubscribe: () => void;

  constructor(datastore: CacheSource, clock: Clock) {
    this.#datastore = datastore;
    this.#clock = clock;
    this.revision = datastore.revision;
    this.#unsubscribe = datastore.subscribe((changes) => this.#dispatch(changes));
  }

  async open<T extends KubeObject>(options: CacheOptions<T>): Promise<WatchCache> {
    const { prefix, selectableFields = {} } = options;
    if (this.#feeds.has(prefix)) throw new Error(`${prefix} has a watch cache already`);
    const factory = {
      prefix,
      namespaced: options.resource.namespaced,
      selectableFields,
      readers: Object.values(selectableFields),
      slabs: new Slabs(LIMITS.watch.slabBytes),
      interner: this.#interner,
      recent: this.#recent,
      upkeep: options.upkeep,
    };
    const cache = new ResourceCache({
      factory,
      limits: LIMITS.watch,
      currentRevision: () => this.revision,
      nowMs: () => this.#clock.monotonicMs(),
      onClose: () => this.#feeds.delete(prefix),
      history: {
        changes: (afterRevision, max) => this.#datastore.changes({ prefix, afterRevision, limit: max }),
        get: (key, revision) => this.#datastore.get(key, revision),
      },
    });
    const feed: Feed = { cache, waiting: [] };
    this.#feeds.set(prefix, feed);
    try {
      await this.#fill(feed, prefix);
      return cache;
    } catch (error) {
      cache.close();
      throw error;
    }
  }

  close(): void {
    this.#unsubscribe();
    for (const { cache } of [...this.#feeds.values()]) cache.close();
  }

  async #fill(feed: Feed, prefix: string): Promise<void> {
    const limit = LIMITS.watch.loadPage;
    let next: Promise<ListResult> | undefined = this.#datastore.list({ prefix, limit });
    while (next) {
      const { entries, more }: ListResult = await next;
      const last = entries.at(-1);
      // Read while this page is taken in.
      next = more && last ? this.#datastore.list({ prefix, start: `${last.key}\0`, limit }) : undefined;
      // Whoever fails below has said why; the next round meets this one otherwise.
      next?.catch(() => {});
      for (const entry of entries) feed.cache.load(entry);
    }
    feed.cache.complete(feed.waiting ?? []);
    feed.waiting = undefined;
  }

  #dispatch(changes: readonly Change[]): void {
    for (const change of changes) {
      this.revision = change.revision;
      const feed = this.#feeds.get(folderOf(change.key));
      if (!feed) continue;
      if (feed.waiting) feed.waiting.push(change);
      else feed.cache.apply(change);
    }
  }
}

/** `/registry/<group>/<resource>/` of a storage key. */
function folderOf(key: string): string {
  const group = key.indexOf('/', 1);
  const resource = key.indexOf('/', group + 1);
  return key.slice(0, key.indexOf('/', resource + 1) + 1);
}
