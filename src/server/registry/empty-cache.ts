import type { WatchCache } from '../watchcache/port.ts';

/** Stands in for the cache of a resource that is never stored, or not served: nothing is there, nothing happens. */
export const EMPTY_CACHE: WatchCache = {
  revision: 0,
  size: 0,
  get: () => undefined,
  list: () => [],
  ownedBy: () => [],
  reach: () => Promise.resolve(),
  watch: () => ({ stop: () => {} }),
  close: () => {},
  end: () => {},
  endWatches: () => {},
};
