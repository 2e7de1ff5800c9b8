import type { KubeObject } from '../api/resource.ts';
import { apiError } from '../api/status.ts';
import type { WatchEvent, WatchOptions } from '../client/port.ts';
import { LIMITS } from '../lib/limits.ts';
import { type Endpoint, toClient } from './registry/registry.ts';
import { openWatch } from './registry/watch.ts';
import type { CacheEvent } from './watchcache/port.ts';

/**
 * Events of a cache as an iteration. Objects are parsed when they are read, not before, and shared with every other
 * reader. A reader that falls too far behind gets a 410, as over HTTPS.
 */
export async function* inProcessWatch<T extends KubeObject>(
  enter: () => Promise<Endpoint>,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>> {
  if (signal.aborted) return;
  const endpoint = await enter();
  if (signal.aborted) return;
  const queue: CacheEvent[] = [];
  let wake: () => void = () => {};
  let failure: Error | undefined;
  let isOver = false;
  const opened = openWatch(endpoint.served, options, {
    event(event) {
      if (queue.length >= LIMITS.watch.lagEvents) {
        failure ??= apiError('Expired', 'the watcher was too slow; list again');
      } else queue.push(event);
      wake();
    },
    closed(error) {
      failure ??= error;
      isOver = true;
      wake();
    },
  });
  // Asking the signal at every event would cost as much as the event.
  let isAborted = false;
  const onAbort = (): void => {
    isAborted = true;
    wake();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (const object of opened.initial) {
      if (isAborted) return;
      yield { type: 'ADDED', object: toClient(endpoint, object.object()) as T };
    }
    while (!isAborted) {
      if (failure) throw failure;
      const events = queue.splice(0);
      for (const { type, object } of events) {
        yield { type, object: toClient(endpoint, object.object()) as T };
        if (isAborted) return;
      }
      if (queue.length > 0 || failure || isAborted) continue;
      if (isOver) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    opened.handle.stop();
  }
}
