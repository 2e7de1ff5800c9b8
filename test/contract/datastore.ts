import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryDatastore } from '../../src/datastore/memory.ts';
import type { Change, Datastore, Durability, Write } from '../../src/datastore/port.ts';
import { CompactedError, FutureRevisionError } from '../../src/datastore/port.ts';
import { checkConcurrentReads } from './datastore-concurrency.ts';

/** One store under test. `reopen` closes and opens it again on the same data, where there is any. */
export interface Subject {
  datastore: Datastore;
  reopen?: () => Promise<Datastore>;
  dispose(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const isLong = process.env['KEDGE_LONG_TESTS'] !== undefined;
const text = (value: Uint8Array | undefined): string | undefined =>
  value && Buffer.from(value).toString('utf8');

async function commit(
  store: Datastore,
  writes: readonly (Omit<Write, 'value'> & { value: string | undefined })[],
  durability: Durability = 'durable',
): Promise<number> {
  const result = await store.commit(
    writes.map((write) => ({ ...write, value: write.value === undefined ? undefined : bytes(write.value) })),
    durability,
  );
  if (!result.ok) throw new Error(`commit refused at ${result.key}`);
  return result.revision;
}

const put = (store: Datastore, key: string, value: string, durability?: Durability): Promise<number> =>
  commit(store, [{ key, value }], durability);

/**
 * What every datastore promises, whatever it keeps its bytes in. `histories` is how many random ones are tried:
 * opening some stores is dear. `KEDGE_LONG_TESTS=1` tries many more.
 */
export function describeDatastore(name: string, histories: number, open: () => Promise<Subject>): void {
  describe(`${name} datastore`, () => {
    let subject: Subject;
    let store: Datastore;
    beforeEach(async () => {
      subject = await open();
      store = subject.datastore;
    });
    afterEach(() => subject.dispose());

    it('starts empty at revision 1', async () => {
      expect(store.revision).toBe(1);
      expect(await store.list({ prefix: '' })).toEqual({ entries: [], revision: 1, more: false });
      expect(await store.get('/a')).toBeUndefined();
    });

    for (const durability of ['durable', 'volatile'] as const) {
      describe(`${durability} writes`, () => {
        it('keep the revision that created a key until it is deleted', async () => {
          const created = await put(store, '/r/g/x/k', '1', durability);
          const updated = await put(store, '/r/g/x/k', '2', durability);
          expect(await store.get('/r/g/x/k')).toMatchObject({ revision: updated, createRevision: created });
          await commit(store, [{ key: '/r/g/x/k', value: undefined }], durability);
          expect(await store.get('/r/g/x/k')).toBeUndefined();
          const again = await put(store, '/r/g/x/k', '3', durability);
          expect(await store.get('/r/g/x/k')).toMatchObject({ revision: again, createRevision: again });
        });

        it('apply all of a batch or none, and answer what did not match', async () => {
          const revision = await put(store, '/r/g/x/a', '1', durability);
          const refused = await store.commit(
            [
              { key: '/r/g/x/b', value: bytes('1'), expectedRevision: 0 },
              { key: '/r/g/x/a', value: bytes('2'), expectedRevision: revision - 1 },
            ],
            durability,
          );
          expect(refused).toMatchObject({ ok: false, key: '/r/g/x/a', current: { revision } });
          expect(await store.count('/r/g/x/')).toBe(1);
          const exists = await store.commit(
            [{ key: '/r/g/x/a', value: bytes('2'), expectedRevision: 0 }],
            durability,
          );
          expect(exists.ok).toBe(false);
          const gone = await store.commit(
            [{ key: '/r/g/x/c', value: undefined, expectedRevision: revision }],
            durability,
          );
          expect(gone).toEqual({ ok: false, key: '/r/g/x/c', current: undefined });
          expect(store.revision).toBe(revision);
        });

        it('tell subscribers before their own promise resolves, in revision order', async () => {
          const seen: Change[] = [];
          const stop = store.subscribe((changes) => seen.push(...changes));
          const revision = await put(store, '/r/g/x/a', '1', durability);
          expect(seen.at(-1)).toMatchObject({ type: 'put', key: '/r/g/x/a', revision });
          const deletion = await commit(store, [{ key: '/r/g/x/a', value: undefined }], durability);
          expect(seen.at(-1)).toMatchObject({ type: 'delete', revision: deletion, createRevision: revision });
          expect(text(seen.at(-1)?.value)).toBe('1');
          stop();
          await put(store, '/r/g/x/a', '2', durability);
          expect(seen).toHaveLength(2);
        });

        it('pass on what a writer says of its value, and keep nothing of that', async () => {
          const seen: Change[] = [];
          store.subscribe((changes) => seen.push(...changes));
          const decoded = [{ n: 1 }, { n: 2 }];
          const writes = decoded.map((one, at) => ({
            key: `/r/g/x/${at}`,
            value: JSON.stringify(one),
            decoded: one,
          }));
          await commit(store, writes, durability);
          await put(store, '/r/g/x/0', '3', durability);
          expect(seen.map((change) => change.decoded)).toEqual([...decoded, undefined]);
          expect(seen[0]?.decoded).toBe(decoded[0]);
          expect(await store.get('/r/g/x/1')).not.toHaveProperty('decoded');
          const past = await store.changes({ prefix: '/r/g/x/', afterRevision: 1 });
          expect(past.map((change) => change.decoded)).toEqual([undefined, undefined, undefined]);
        });
      });
    }

    it('does nothing for a delete of what does not exist', async () => {
      const revision = await put(store, '/a', '1');
      expect(await store.commit([{ key: '/b', value: undefined }])).toEqual({
        ok: true,
        revision,
        revisions: [revision],
      });
    });

    it('refuses a batch that names a key twice', async () => {
      await expect(
        store.commit([
          { key: '/a', value: bytes('1') },
          { key: '/a', value: bytes('2') },
        ]),
      ).rejects.toThrow(TypeError);
    });

    it('lists in byte order, in pages, as of one revision', async () => {
      for (const key of ['/p/a-b/x', '/p/a/x', '/p/b', '/q/c', '/p/\u{1f600}', '/p/\uffee'])
        await put(store, key, key);
      const { revision } = await store.list({ prefix: '/p/' });
      const first = await store.list({ prefix: '/p/', limit: 2 });
      await commit(store, [{ key: '/p/b', value: undefined }]);
      await put(store, '/p/aa', 'later');
      const rest = await store.list({ prefix: '/p/', start: '/p/a/x\0', limit: 10, revision });
      expect(first.entries.map((entry) => entry.key)).toEqual(['/p/a-b/x', '/p/a/x']);
      expect(first.more).toBe(true);
      expect(rest.entries.map((entry) => entry.key)).toEqual(['/p/b', '/p/\uffee', '/p/\u{1f600}']);
      expect(rest).toMatchObject({ more: false, revision });
      expect(await store.count('/p/')).toBe(5);
      await commit(store, [{ key: '/p/a/x', value: undefined }]);
      expect(await store.count('/p/')).toBe(4);
      expect(await store.count('/p/', revision)).toBe(5);
    });

    it('refuses the future and what was compacted', async () => {
      const first = await put(store, '/a', '1');
      const second = await put(store, '/a', '2');
      await expect(store.get('/a', second + 1000)).rejects.toThrow(FutureRevisionError);
      await expect(store.compact(second + 1000)).rejects.toThrow(FutureRevisionError);
      await store.compact(second);
      expect(store.compactedRevision).toBe(second);
      await expect(store.get('/a', first)).rejects.toThrow(CompactedError);
      await expect(store.list({ prefix: '/', revision: first })).rejects.toThrow(CompactedError);
      await expect(store.count('/', first)).rejects.toThrow(CompactedError);
      await expect(store.changes({ prefix: '/', afterRevision: first })).rejects.toThrow(CompactedError);
      expect(text((await store.get('/a', second))?.value)).toBe('2');
      expect(await store.changes({ prefix: '/', afterRevision: second })).toEqual([]);
    });

    it('lets exactly one of many concurrent writers win each revision', async () => {
      const key = '/r/g/x/counter';
      await put(store, key, '0');
      const revisions: number[] = [];
      store.subscribe((changes) => revisions.push(...changes.map((change) => change.revision)));
      const increment = async (): Promise<void> => {
        for (;;) {
          const entry = await store.get(key);
          const value = bytes(String(Number(text(entry?.value)) + 1));
          const result = await store.commit([{ key, value, expectedRevision: entry?.revision ?? 0 }]);
          if (result.ok) return;
        }
      };
      const others = Array.from({ length: 40 }, (_, index) =>
        put(store, `/r/g/y/${index % 7}`, 'v', index % 2 ? 'volatile' : 'durable'),
      );
      await Promise.all([...Array.from({ length: 20 }, increment), ...others]);
      expect(text((await store.get(key))?.value)).toBe('20');
      expect(revisions).toHaveLength(60);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    });

    it('answers readers exactly while writers are at work', async () => {
      expect(await checkConcurrentReads({ store, commits: 1500, seed: 7 })).toBeGreaterThan(5);
    }, 30_000);

    it('rejects calls after close', async () => {
      await store.close();
      await expect(store.get('/a')).rejects.toThrow('closed');
      await expect(put(store, '/a', '1')).rejects.toThrow('closed');
    });

    it(
      'behaves as the model through any history',
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
            const fresh = await open();
            try {
              await replay(fresh, steps);
            } finally {
              await fresh.dispose();
            }
          }),
          { numRuns: isLong ? histories * 20 : histories },
        );
      },
      isLong ? 900_000 : 60_000,
    );
  });
}

const FOLDERS = ['/registry/core/pods/', '/registry/core/events/'];
const anyKey = fc
  .tuple(fc.constantFrom(...FOLDERS), fc.constantFrom('a', 'a-b', 'b'), fc.constantFrom('x', 'y'))
  .map(([folder, namespace, name]) => `${folder}${namespace}/${name}`);
const anyPrefix = fc.constantFrom('', '/registry/core/', ...FOLDERS, `${FOLDERS[0]}a/`, `${FOLDERS[1]}a`);
const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('commit' as const),
      writes: fc.uniqueArray(
        fc.record({
          key: anyKey,
          delete: fc.boolean(),
          expect: fc.constantFrom('any', 'right', 'wrong', 'none'),
        }),
        { minLength: 1, maxLength: 3, selector: (write) => write.key },
      ),
      volatile: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constantFrom('list' as const, 'changes' as const),
      prefix: anyPrefix,
      back: fc.nat(12),
      limit: fc.option(fc.integer({ min: 1, max: 4 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('compact' as const), back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('reopen' as const, 'flush' as const) }) },
);
type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never;

/** Runs the steps against the subject and the model. Their revisions differ in number but not in order. */
async function replay(subject: Subject, steps: readonly Step[]): Promise<void> {
  const model = createMemoryDatastore();
  let store = subject.datastore;
  /** The subject's revision for each of the model's. */
  const real = new Map<number, number>([
    [1, store.revision],
    [0, 0],
  ]);
  const volatileFolders = new Set<string>();
  let value = 0;
  for (const step of steps) {
    if (step.op === 'commit') await commitBoth(step);
    else if (step.op === 'list' || step.op === 'changes') await compareReads(step);
    else if (step.op === 'compact') {
      const revision = Math.max(1, model.revision - step.back);
      await Promise.all([model.compact(revision), store.compact(real.get(revision) ?? 0)]);
    } else if (step.op === 'reopen' && subject.reopen) {
      store = await subject.reopen();
      expect(store.revision).toBe(real.get(model.revision));
    } else if (step.op === 'flush') await (store as Datastore & { flush?: () => Promise<void> }).flush?.();
  }
  for (const prefix of ['', ...FOLDERS]) {
    await compareReads({ op: 'list', prefix, back: 0, limit: null });
    expect(await store.count(prefix)).toBe(await model.count(prefix));
  }

  async function commitBoth(step: Step & { op: 'commit' }): Promise<void> {
    const durability = step.volatile ? 'volatile' : 'durable';
    const plans = await Promise.all(
      step.writes.map(async (write) => {
        const current = (await model.get(write.key))?.revision ?? 0;
        const expected = { any: undefined, right: current, wrong: current + 1000, none: 0 }[write.expect];
        return { key: write.key, value: write.delete ? undefined : bytes(String(++value)), expected };
      }),
    );
    const toWrites = (map: (revision: number) => number): Write[] =>
      plans.map(({ key, value: content, expected }) => ({
        key,
        value: content,
        ...(expected === undefined ? {} : { expectedRevision: map(expected) }),
      }));
    const wanted = await model.commit(
      toWrites((revision) => revision),
      durability,
    );
    const got = await store.commit(
      toWrites((revision) => real.get(revision) ?? 9e9),
      durability,
    );
    expect(got.ok).toBe(wanted.ok);
    if (!wanted.ok || !got.ok) {
      if (!wanted.ok && !got.ok) expect(got.current?.revision).toBe(real.get(wanted.current?.revision ?? -1));
      return;
    }
    if (step.volatile)
      for (const { key } of plans) volatileFolders.add(key.slice(0, key.indexOf('/', 15) + 1));
    wanted.revisions.forEach((revision, index) => {
      if (!real.has(revision)) real.set(revision, got.revisions[index] as number);
      expect(got.revisions[index]).toBe(real.get(revision));
    });
    expect(store.revision).toBe(real.get(model.revision));
  }

  async function compareReads(step: Extract<Step, { op: 'list' | 'changes' }>): Promise<void> {
    const { prefix, back, limit } = step;
    const at = Math.max(1, model.revision - back);
    const bound = limit === null ? {} : { limit };
    const read = (source: Datastore, revision: number): Promise<readonly object[]> =>
      step.op === 'list'
        ? source.list({ prefix, revision, ...bound }).then(({ entries, more }) => [...entries, { more }])
        : source.changes({ prefix, afterRevision: revision, ...bound }).then((changes) => [...changes]);
    const wanted = await read(model, at).catch((error: Error) => error);
    const got = await read(store, real.get(at) ?? 0).catch((error: Error) => error);
    if (wanted instanceof Error) {
      expect(got).toBeInstanceOf(wanted.constructor);
      return;
    }
    const mayForget = [...volatileFolders].some(
      (folder) => folder.startsWith(prefix) || prefix.startsWith(folder),
    );
    if (got instanceof CompactedError && mayForget && at < model.revision) return;
    expect(plain(got)).toEqual(plain(wanted, real));
    if (step.op === 'list')
      expect(await store.count(prefix, real.get(at))).toBe(await model.count(prefix, at));
  }
}

/** Comparable form: values as text, the model's revisions translated, and no trace of durability. */
function plain(items: readonly object[] | Error, real?: Map<number, number>): unknown {
  if (items instanceof Error) return items;
  return items.map((item) => {
    const { volatile: _, ...rest } = item as Partial<Change>;
    const translate = (revision: number | undefined): number | undefined =>
      revision === undefined || !real ? revision : real.get(revision);
    return {
      ...rest,
      value: text(rest.value),
      revision: translate(rest.revision),
      createRevision: translate(rest.createRevision),
    };
  });
}
