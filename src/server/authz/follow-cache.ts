import type { KubeObject } from '../../api/resource.ts';
import type { Logger } from '../../lib/log.ts';
import type { WatchCache } from '../watchcache/port.ts';

export interface FollowOptions {
  readonly cache: Pick<WatchCache, 'list' | 'watch' | 'revision'>;
  readonly log: Logger;
  readonly name: string;
  /** Before everything is read again. */
  readonly clear: () => void;
  readonly put: (object: KubeObject) => void;
  readonly remove: (namespace: string, name: string) => void;
}

/**
 * Keeps something in step with a watch cache, in the same turn in which the cache changes. When the cache gives the
 * watch up, everything is read anew. Returns what ends it.
 */
export function followCache({ cache, log, name, clear, put, remove }: FollowOptions): () => void {
  let isStopped = false;
  let stop = (): void => {};
  const start = (): void => {
    clear();
    const { revision } = cache;
    for (const one of cache.list({})) put(one.object());
    const handle = cache.watch({}, revision, {
      event({ type, object }) {
        if (type === 'DELETED') remove(object.namespace ?? '', object.name);
        else put(object.object());
      },
      closed(error) {
        if (isStopped) return;
        log.warn('reading anew what authorization follows', { resource: name, error: error?.message });
        // Not from within the cache's own loop.
        setImmediate(() => {
          if (!isStopped) start();
        });
      },
    });
    stop = () => handle.stop();
  };
  start();
  return () => {
    isStopped = true;
    stop();
  };
}
