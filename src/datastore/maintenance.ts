import type { Clock, Timer } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import type { Datastore } from './port.ts';

export interface MaintenanceOptions {
  readonly datastore: Datastore & {
    snapshot?: (options: { readonly maxAgeMs: number }) => Promise<string>;
  };
  readonly clock: Clock;
  readonly log: Logger;
}

/** A revision and when it was the newest. */
export interface Mark {
  readonly revision: number;
  readonly atMs: number;
  /** Stored changes up to it, counted since the start. */
  readonly changes: number;
}

/** Changes between two marks. */
const MARK_EVERY = 500;

/**
 * What to compact to: the newest mark old enough, or so far back that keeping more would make the database grow
 * without bound. `undefined` while too little would be gained.
 */
export function compactionTarget(marks: readonly Mark[], now: Mark, lastChanges: number): Mark | undefined {
  const { keepMs, keepChanges, compactEvery } = LIMITS.datastore;
  const target = marks.findLast(
    (mark) => now.atMs - mark.atMs >= keepMs || now.changes - mark.changes >= keepChanges,
  );
  return target && target.changes - lastChanges >= compactEvery ? target : undefined;
}

/**
 * Keeps the store small and safe: compacts as changes come (a store at rest costs nothing) and takes a snapshot a
 * day. Returns how to stop it.
 */
export function startMaintenance({ datastore, clock, log }: MaintenanceOptions): () => Promise<void> {
  let marks: Mark[] = [];
  let changes = 0;
  let lastChanges = 0;
  let running: Promise<void> | undefined;
  let snapshots: Promise<unknown> | undefined;
  let stopped = false;

  const compact = async (target: Mark): Promise<void> => {
    try {
      await datastore.compact(target.revision);
      lastChanges = target.changes;
      marks = marks.filter((mark) => mark.revision > target.revision);
    } catch (error) {
      if (!stopped) log.warn('compaction failed, trying again later', { error });
    }
  };
  const unsubscribe = datastore.subscribe((batch) => {
    const before = Math.floor(changes / MARK_EVERY);
    for (const change of batch) if (!change.volatile) changes++;
    const last = batch.at(-1);
    if (!last || Math.floor(changes / MARK_EVERY) === before) return;
    const now = { revision: last.revision, atMs: clock.monotonicMs(), changes };
    marks.push(now);
    const target = running ? undefined : compactionTarget(marks, now, lastChanges);
    if (!target) return;
    running = compact(target).finally(() => {
      running = undefined;
    });
  });

  let timer: Timer | undefined;
  const planSnapshot = (delayMs: number): void => {
    timer = clock.setTimer(delayMs, () => {
      snapshots = datastore
        .snapshot?.({ maxAgeMs: LIMITS.datastore.snapshotEveryMs })
        .catch((error: unknown) => {
          if (!stopped) log.warn('no snapshot of the datastore could be taken', { error });
        });
      planSnapshot(LIMITS.datastore.snapshotEveryMs);
    });
  };
  if (datastore.snapshot) planSnapshot(LIMITS.datastore.snapshotDelayMs);

  return async () => {
    stopped = true;
    unsubscribe();
    timer?.cancel();
    await running;
    await snapshots;
  };
}
