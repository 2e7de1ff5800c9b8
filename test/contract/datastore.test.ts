import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryDatastore } from '../../src/datastore/memory.ts';
import { CompactedError, type Datastore, StorageError } from '../../src/datastore/port.ts';
import { openSqliteDatastore, type SqliteDatastore } from '../../src/datastore/sqlite/datastore.ts';
import { restoreSqliteDatastore } from '../../src/datastore/sqlite/restore.ts';
import { FakeClock } from '../../src/lib/fake-clock.ts';
import { LIMITS } from '../../src/lib/limits.ts';
import { type Logger, silentLogger } from '../../src/lib/log.ts';
import { describeDatastore } from './datastore.ts';

describeDatastore('memory', 100, async () => {
  const datastore = createMemoryDatastore();
  return { datastore, dispose: () => datastore.close() };
});

// What is asked here does not depend on the disk, whose every fsync takes its time; the tests below use it.
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

describeDatastore('sqlite', 20, async () => {
  const folder = await mkdtemp(join(MEMORY, 'kedge-datastore-'));
  const open = (): Promise<Datastore> =>
    openSqliteDatastore({ path: join(folder, 'state.db'), log: silentLogger, clock: new FakeClock() });
  let datastore = await open();
  return {
    datastore,
    async reopen() {
      await datastore.close();
      datastore = await open();
      return datastore;
    },
    async dispose() {
      await datastore.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('the sqlite datastore on its files', () => {
  let folder: string;
  let path: string;
  let open: SqliteDatastore[];
  let clock: FakeClock;
  let errors: string[];
  const log: Logger = { ...silentLogger, error: (message) => errors.push(message) };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-datastore-'));
    path = join(folder, 'state.db');
    open = [];
    errors = [];
    clock = new FakeClock();
  });
  afterEach(async () => {
    for (const store of open) await store.close().catch(() => {});
    await rm(folder, { recursive: true, force: true });
  });

  async function start(options: { maxBytes?: number } = {}): Promise<SqliteDatastore> {
    const store = await openSqliteDatastore({ path, log, clock, ...options });
    open.push(store);
    return store;
  }

  it('reads and writes as before after it gave back memory, and has none to give once it is closed', async () => {
    const store = await start();
    await store.commit([{ key: '/a', value: bytes('1') }]);
    await store.tidy();
    await store.commit([{ key: '/b', value: bytes('2') }]);
    expect((await store.list({ prefix: '/' })).entries.map(({ key }) => key)).toEqual(['/a', '/b']);
    await store.close();
    await expect(store.tidy()).resolves.toBeUndefined();
  });
  async function put(store: Datastore, key: string, value: string): Promise<number> {
    const result = await store.commit([{ key, value: bytes(value) }]);
    return result.ok ? result.revision : 0;
  }

  it('loses nothing acknowledged and reuses no revision through kill -9', { timeout: 60_000 }, async () => {
    const acknowledged = new Map<string, number>();
    let newest = 0;
    for (let round = 0; round < 3; round++) {
      for (const [key, revision] of await writeUntilKilled(path, round)) {
        newest = Math.max(newest, revision);
        if (key.startsWith('/registry/core/pods/')) acknowledged.set(key, revision);
      }
      const store = await start();
      const { entries } = await store.list({ prefix: '/registry/core/pods/' });
      const stored = new Map(entries.map((entry) => [entry.key, entry.revision]));
      for (const [key, revision] of acknowledged)
        expect(stored.get(key) ?? 0).toBeGreaterThanOrEqual(revision);
      expect(await put(store, '/registry/core/other/x', 'x')).toBeGreaterThan(newest);
      // Durable history can be resumed, volatile history is known to be incomplete.
      const changes = await store.changes({ prefix: '/registry/core/pods/', afterRevision: 1 });
      expect(new Set(changes.map((change) => change.key))).toEqual(new Set(stored.keys()));
      await expect(
        store.changes({ prefix: '/registry/coordination.k8s.io/leases/', afterRevision: newest - 1 }),
      ).rejects.toThrow(CompactedError);
      await store.close();
    }
    expect(acknowledged.size).toBeGreaterThan(50);
  });

  it('gives the data to one process at a time and names who has it', async () => {
    const store = await start();
    await expect(start()).rejects.toThrow(`in use by another kedge process (pid ${process.pid})`);
    await put(store, '/a', '1');
    await store.close();
    expect((await (await start()).get('/a'))?.value).toEqual(bytes('1'));
  });

  it('keeps volatile writes over a clean stop', async () => {
    const store = await start();
    const key = '/registry/coordination.k8s.io/leases/kube-system/x';
    await store.commit([{ key, value: bytes('old') }], 'volatile');
    await store.commit([{ key, value: bytes('new') }], 'volatile');
    const { revision } = store;
    await store.close();
    const again = await start();
    expect(again.revision).toBe(revision);
    expect(await again.get(key)).toMatchObject({ value: bytes('new'), revision });
  });

  it('knows the last value of a volatile key that was deleted and flushed', async () => {
    const store = await start();
    const key = '/registry/coordination.k8s.io/leases/kube-system/x';
    await put(store, key, 'stored');
    const { revision } = store;
    await store.commit([{ key, value: bytes('never stored') }], 'volatile');
    await store.commit([{ key, value: undefined }], 'volatile');
    await store.flush();
    const changes = await store.changes({ prefix: key, afterRevision: revision });
    expect(changes.map(({ value }) => Buffer.from(value).toString())).toEqual([
      'never stored',
      'never stored',
    ]);
  });

  it('stores volatile writes after the long interval', async () => {
    const store = await start();
    const key = '/registry/coordination.k8s.io/leases/kube-system/x';
    await store.commit([{ key, value: bytes('1') }], 'volatile');
    const before = clock.timers;
    await clock.advance(LIMITS.datastore.volatileFlushMs);
    expect(clock.timers).toBe(before - 1);
    expect(await store.count(key)).toBe(1);
  });

  it('restores the newest good snapshot when the file is damaged', async () => {
    const store = await start();
    await put(store, '/a', 'kept');
    await store.snapshot();
    await put(store, '/b', 'kept too');
    const second = await store.snapshot();
    await put(store, '/c', 'lost');
    const third = await store.snapshot();
    const { revision } = store;
    await store.close();
    await writeFile(path, Buffer.alloc(20_000, 'damage'));
    await writeFile(third, 'damage');
    const restored = await start();
    expect((await restored.list({ prefix: '/' })).entries.map((entry) => entry.key)).toEqual(['/a', '/b']);
    expect(restored.revision).toBeGreaterThan(revision);
    expect(errors).toEqual([expect.stringContaining(`restored the snapshot ${second}`)]);
    expect(await readdir(folder)).toContainEqual(expect.stringMatching(/^state\.db\.damaged-/));
    await expect(restored.changes({ prefix: '/', afterRevision: revision })).rejects.toThrow(CompactedError);
  });

  it('uses no revision again however often a snapshot is restored', async () => {
    let store = await start();
    await put(store, '/a', '1');
    await store.snapshot();
    let { revision } = store;
    for (let round = 0; round < 4; round++) {
      await store.close();
      await writeFile(path, Buffer.alloc(20_000, 'damage'));
      await clock.advance(1000);
      store = await start();
      expect(store.revision).toBeGreaterThan(revision);
      expect((await store.get('/a'))?.value).toEqual(bytes('1'));
      revision = await put(store, '/b', '1');
    }
  });

  it('restores a snapshot on request, while nobody has the data', async () => {
    const store = await start();
    await put(store, '/a', 'old');
    const snapshot = await store.snapshot();
    const revision = await put(store, '/a', 'new');
    const restore = (from: string): Promise<string | undefined> =>
      restoreSqliteDatastore({ path, from, nowMs: clock.now() });
    await expect(restore(snapshot)).rejects.toThrow('in use by another kedge process');
    await store.close();
    await writeFile(join(folder, 'bad'), 'damage');
    await expect(restore(join(folder, 'bad'))).rejects.toThrow('is damaged');
    expect(await restore(snapshot)).toMatch(/state\.db\.replaced-/);
    const restored = await start();
    expect((await restored.get('/a'))?.value).toEqual(bytes('old'));
    expect(restored.revision).toBeGreaterThan(revision);
  });

  it('says so when its thread ends by itself', async () => {
    let worker: Worker | undefined;
    const failures: Error[] = [];
    const store = await openSqliteDatastore({
      path,
      log,
      clock,
      onFailure: (error) => failures.push(error),
      createWorker: (workerData) => {
        worker = new Worker(new URL('../../src/datastore/sqlite/worker.ts', import.meta.url), { workerData });
        return worker;
      },
    });
    // In this order: a thread that is told afterwards may have answered.
    const ended = worker?.terminate();
    const lost = expect(store.get('/a')).rejects.toThrow(StorageError);
    await ended;
    await lost;
    await expect(put(store, '/a', '1')).rejects.toThrow(StorageError);
    expect(failures).toHaveLength(1);
    await store.close().catch(() => {});
  });

  it('says what to do when the file is damaged and there is no snapshot', async () => {
    await writeFile(path, Buffer.alloc(20_000, 'damage'));
    await expect(start()).rejects.toThrow(/is damaged .* no snapshot .*restore a backup/);
    // Not even the next start begins with an empty cluster.
    await expect(start()).rejects.toThrow(/is damaged/);
  });

  it('keeps a bounded number of snapshots', async () => {
    const store = await start();
    for (let count = 0; count < LIMITS.datastore.snapshots + 2; count++) {
      await put(store, '/a', String(count));
      await store.snapshot();
    }
    expect(await readdir(join(folder, 'snapshots'))).toHaveLength(LIMITS.datastore.snapshots);
  });

  it('refuses writes while the disk is full, loses nothing, and goes on when there is room', async () => {
    const store = await start({ maxBytes: 400_000 });
    const written: string[] = [];
    const fill = async (): Promise<void> => {
      for (let count = 0; ; count++) {
        const key = `/registry/core/secrets/default/${count}`;
        await put(store, key, 'x'.repeat(10_000));
        written.push(key);
      }
    };
    const failure = await fill().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageError);
    expect(failure).toMatchObject({ reason: 'full' });
    expect(await store.count('/registry/core/secrets/')).toBe(written.length);
    await store.commit([{ key: written[0] as string, value: undefined }]);
    await store.compact(store.revision);
    const revision = await put(store, '/registry/core/secrets/default/new', 'x'.repeat(9000));
    expect(store.revision).toBe(revision);
  });

  it('tells who waits when no commit can be made of it, and answers the others', async () => {
    const store = await start();
    const broken = new Proxy(bytes('x'), {
      get() {
        throw new RangeError('Array buffer allocation failed');
      },
    });
    const key = '/registry/core/configmaps/default/';
    const first = put(store, `${key}a`, '1');
    // Waits behind the first commit, and is taken up just before that is answered.
    await new Promise((next) => setImmediate(next));
    const second = store.commit([{ key: `${key}b`, value: broken }]);
    const refused = expect(second).rejects.toThrow('allocation failed');
    expect(await first).toBeGreaterThan(0);
    await refused;
    expect(errors).toEqual(['a commit could not be put together']);
    expect(await put(store, `${key}c`, '3')).toBeGreaterThan(await first);
    expect(await store.count(key)).toBe(2);
  });

  it('uses the room of what was compacted again', async () => {
    const store = await start({ maxBytes: 1_000_000 });
    for (let count = 0; count < 300; count++) {
      await put(store, '/registry/core/configmaps/default/x', 'x'.repeat(20_000));
      if (count % 20 === 0) await store.compact(store.revision);
    }
    expect(await store.count('/')).toBe(1);
  });
});

/** Runs a process that writes and reports what was acknowledged, and kills it in the middle. */
async function writeUntilKilled(path: string, round: number): Promise<[string, number][]> {
  const script = join(import.meta.dirname, '../fixtures/datastore-writer.ts');
  const child = spawn(process.execPath, [script, path, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged: [string, number][] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [key = '', revision] = line.split(' ');
    acknowledged.push([key, Number(revision)]);
    if (acknowledged.length === 200) child.kill('SIGKILL');
  }
  return acknowledged;
}
