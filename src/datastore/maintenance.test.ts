import { describe, expect, it } from 'vitest';
import { FakeClock } from '../lib/fake-clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { silentLogger } from '../lib/log.ts';
import { compactionTarget, type Mark, startMaintenance } from './maintenance.ts';
import { createMemoryDatastore } from './memory.ts';

const { keepMs, keepChanges, compactEvery, snapshotDelayMs, snapshotEveryMs } = LIMITS.datastore;
const mark = (changes: number, atMs: number): Mark => ({ revision: changes, changes, atMs });

describe('the compaction target', () => {
  it('keeps recent history', () => {
    expect(compactionTarget([mark(compactEvery, 0)], mark(compactEvery + 1, keepMs - 1), 0)).toBeUndefined();
    expect(compactionTarget([mark(compactEvery, 0)], mark(compactEvery + 1, keepMs), 0)?.revision).toBe(
      compactEvery,
    );
  });
  it('bounds history that comes fast', () => {
    const marks = [mark(3000, 1), mark(6000, 2)];
    expect(compactionTarget(marks, mark(3000 + keepChanges, 3), 0)?.revision).toBe(3000);
  });
  it('waits until it is worth it', () => {
    expect(compactionTarget([mark(compactEvery - 1, 0)], mark(9000, keepMs), 0)).toBeUndefined();
    expect(compactionTarget([mark(5000, 0)], mark(9000, keepMs), 4000)).toBeUndefined();
  });
});

describe('maintenance', () => {
  it('compacts while changes come, and lets go of everything when stopped', async () => {
    const datastore = createMemoryDatastore();
    const clock = new FakeClock();
    const stop = startMaintenance({ datastore, clock, log: silentLogger });
    const write = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++)
        await datastore.commit([{ key: '/a', value: new Uint8Array(1) }]);
    };
    await write(compactEvery + 1);
    const { revision } = datastore;
    expect(datastore.compactedRevision).toBe(0);
    await clock.advance(keepMs);
    await write(500);
    expect(datastore.compactedRevision).toBe(revision - 1);
    await stop();
    await clock.advance(keepMs);
    await write(compactEvery * 2);
    expect(datastore.compactedRevision).toBe(revision - 1);
    expect(clock.timers).toBe(0);
  });

  it('takes a snapshot a day, the first some time after the start', async () => {
    const clock = new FakeClock();
    const taken: number[] = [];
    const datastore = Object.assign(createMemoryDatastore(), {
      snapshot: async () => `${taken.push(clock.monotonicMs())}`,
    });
    const stop = startMaintenance({ datastore, clock, log: silentLogger });
    await clock.advance(snapshotDelayMs + snapshotEveryMs);
    expect(taken).toEqual([snapshotDelayMs, snapshotDelayMs + snapshotEveryMs]);
    await stop();
    expect(clock.timers).toBe(0);
  });
});
