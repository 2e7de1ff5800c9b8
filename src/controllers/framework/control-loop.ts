import type { KubeObject } from '../../api/resource.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../client/informer.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import type { ControllerContext } from '../port.ts';

export interface ControlLoopOptions {
  readonly context: ControllerContext;
  readonly name: string;
  /** All must have synced before the first key is worked on; acting on half a picture deletes things. */
  readonly informers: readonly Pick<Informer<KubeObject>, 'synced'>[];
  /** Brings what the key names to its desired state. A number asks for another look after so many ms. */
  readonly reconcile: (key: string) => Promise<number | undefined>;
  readonly concurrency?: number;
}

export interface ControlLoop {
  add(key: string): void;
  addAfter(key: string, delayMs: number): void;
  /** Adds the key of each object that appears, changes or goes. */
  enqueueAll<T extends KubeObject>(informer: Informer<T>): void;
  /** Calls `visit` for each object that appears, changes (with what it was) or goes. */
  onAny<T extends KubeObject>(informer: Informer<T>, visit: (object: T, old: T | undefined) => void): void;
  /** Any other thing to end with the loop. */
  onStop(end: () => void): void;
  readonly stop: () => Promise<void>;
}

/** A work queue fed by informers: collects keys at once, works on them once everything has synced. */
export function startControlLoop(options: ControlLoopOptions): ControlLoop {
  const { context, name, informers, reconcile, concurrency = 2 } = options;
  const log = context.log.child(name);
  const ends: (() => void)[] = [];
  const early = new Set<string>();
  let ready = false;
  const queue = new WorkQueue({
    clock: context.clock,
    name,
    work: reconcile,
    concurrency,
    onError: (key, error) => {
      // Losing a race is ordinary; the next look has newer data.
      if (isConflict(error) || isNotFound(error)) log.debug('will retry', { key, error });
      else log.warn('sync failed, will retry', { key, error });
    },
  });
  const add = (key: string): void => {
    if (ready) queue.add(key);
    else early.add(key);
  };
  Promise.all(informers.map((informer) => informer.synced())).then(
    () => {
      ready = true;
      for (const key of early) queue.add(key);
      early.clear();
    },
    () => {}, // Stopped before it ever synced.
  );
  const onAny: ControlLoop['onAny'] = (informer, visit) => {
    ends.push(
      informer.onChange({
        add: (object) => visit(object, undefined),
        update: (object, old) => visit(object, old),
        delete: (object) => visit(object, undefined),
      }),
    );
  };
  return {
    add,
    addAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    enqueueAll: (informer) => onAny(informer, (object) => add(keyOf(object))),
    onAny,
    onStop: (end) => ends.push(end),
    async stop() {
      for (const end of ends.splice(0)) end();
      await queue.stop();
    },
  };
}
