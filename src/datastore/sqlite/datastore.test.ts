import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { openSqliteDatastore, type SqliteDatastore } from './datastore.ts';
import type { CommitRequest, Envelope } from './protocol.ts';

/** A thread that answers a commit when it is told to, and everything else at once. */
class SlowThread extends EventEmitter {
  readonly sizes: number[] = [];
  #waiting: { id: number; request: CommitRequest }[] = [];

  postMessage({ id, request }: Envelope): void {
    if (request.op !== 'commit') {
      this.emit('message', { id, response: null });
      return;
    }
    this.sizes.push(request.batches.length);
    this.#waiting.push({ id, request });
  }

  /** False when nothing waits. */
  answer(): boolean {
    const next = this.#waiting.shift();
    if (!next) return false;
    const revisions = next.request.keys.map((_, at) => next.request.firstRevision + at);
    const response = { revisions, createRevisions: revisions, deleted: undefined, conflicts: [] };
    this.emit('message', { id: next.id, response });
    return true;
  }

  async terminate(): Promise<void> {}
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('commits of many writers', () => {
  let thread: SlowThread;
  let store: SqliteDatastore;
  let written: number;

  beforeEach(async () => {
    thread = new SlowThread();
    written = 0;
    const opening = openSqliteDatastore({
      path: '/nowhere/state.db',
      log: silentLogger,
      clock: new FakeClock(),
      createWorker: () => thread as unknown as Worker,
    });
    const opened = {
      revision: 1,
      reserved: 1_000_000,
      compactedRevision: 0,
      volatileFolders: {},
      warnings: [],
    };
    thread.emit('message', { opened });
    store = await opening;
  });
  afterEach(async () => {
    const closing = store.close();
    while (thread.answer()) await turn();
    await closing;
  });

  const write = async (): Promise<void> => {
    const value = Buffer.from('x');
    const result = await store.commit([{ key: `/registry/core/configmaps/default/${written++}`, value }]);
    expect(result.ok).toBe(true);
  };

  it('share one when a few come in the same turn', async () => {
    const all = [write(), write(), write()];
    await turn();
    expect(thread.sizes).toEqual([3]);
    thread.answer();
    await Promise.all(all);
    expect(thread.sizes).toEqual([3]);
  });

  it('take turns in two halves: one is at the disk while the other is read', async () => {
    const writer = async (): Promise<void> => {
      for (let round = 0; round < 20; round++) await write();
    };
    let isOver = false;
    const all = Promise.all(Array.from({ length: 16 }, writer)).then(() => {
      isOver = true;
    });
    let idleTurns = 0;
    for (let turns = 0; turns < 1000 && !isOver; turns++) {
      await turn();
      if (!thread.answer() && written < 16 * 19) idleTurns++;
    }
    await all;
    expect(idleTurns).toBe(0);
    expect(Math.max(...thread.sizes)).toBeLessThan(16);
    const settled = thread.sizes.slice(4, -4);
    expect(Math.min(...settled)).toBeGreaterThanOrEqual(4);
    expect(thread.sizes.reduce((sum, size) => sum + size)).toBe(16 * 20);
  });
});
