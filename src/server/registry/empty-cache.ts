import { apiError } from '../../api/status.ts';
import type { WatchCache } from '../watchcache/port.ts';

/** Stands in for the cache of a resource that is never stored. */
export const EMPTY_CACHE: WatchCache = {
  revision: 0,
  size: 0,
  get: () => undefined,
  list: () => [],
  ownedBy: () => [],
  watch() {
    throw apiError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
  },
  close: () => {},
};
