import { expect } from 'vitest';
import { type Change, CompactedError, type Datastore, type Entry } from '../../src/datastore/port.ts';

const FOLDERS = [
  '/registry/core/pods/',
  '/registry/coordination.k8s.io/leases/',
  '/registry/core/mixed/',
] as const;
const PREFIXES = [...FOLDERS, '/registry/', '/registry/core/'];

export interface ConcurrencyOptions {
  readonly store: Datastore & { flush?: () => Promise<void> };
  readonly commits: number;
  readonly seed: number;
}

/**
 * Writers and readers at the same time: whatever a reader gets must be what the announced changes up to that
 * revision add up to. Answers how many reads were compared.
 */
export async function checkConcurrentReads({ store, commits, seed }: ConcurrencyOptions): Promise<number> {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const log: Change[] = [];
  const stop = store.subscribe((changes) => log.push(...changes));
  let left = commits;
  let compared = 0;

  const stateAt = (revision: number, prefix: string): Change[] => {
    const state = new Map<string, Change>();
    for (const change of log) {
      if (change.revision > revision) break;
      if (!change.key.startsWith(prefix)) continue;
      if (change.type === 'delete') state.delete(change.key);
      else state.set(change.key, change);
    }
    return [...state.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  };

  async function write(): Promise<void> {
    while (left-- > 0) {
      const folder = pick(FOLDERS);
      const durability =
        folder === FOLDERS[1] || (folder === FOLDERS[2] && random() < 0.5) ? 'volatile' : 'durable';
      const keys = new Set(
        Array.from(
          { length: 1 + Math.floor(random() * 3) },
          () => `${folder}ns/${Math.floor(random() * 30)}`,
        ),
      );
      const writes = [...keys].map((key) => ({
        key,
        value: random() < 0.3 ? undefined : Buffer.from(`${random()}`),
      }));
      await store.commit(writes, durability);
      if (left % 100 === 0) await store.flush?.();
      if (left % 400 === 0) await store.compact(Math.max(1, store.revision - 3000));
    }
  }

  async function read(): Promise<void> {
    while (left > 0) {
      const prefix = pick(PREFIXES);
      const limit = random() < 0.5 ? undefined : 1 + Math.floor(random() * 20);
      try {
        const { entries, revision } = await pages(store, prefix, limit);
        expect(entries.map(plain)).toEqual(stateAt(revision, prefix).map(plain));
        const afterRevision = Math.max(1, revision - Math.floor(random() * 1000));
        const changes = await store.changes({ prefix, afterRevision });
        const newest = changes.at(-1)?.revision ?? 0;
        const wanted = log.filter(
          ({ key, revision: at }) => at > afterRevision && at <= newest && key.startsWith(prefix),
        );
        expect(changes.map(plain)).toEqual(wanted.map(plain));
        compared++;
      } catch (error) {
        // Compacted, or volatile history that was never kept.
        if (!(error instanceof CompactedError)) throw error;
      }
    }
  }

  await Promise.all([write(), write(), write(), write(), read(), read()]);
  stop();
  return compared;
}

async function pages(
  store: Datastore,
  prefix: string,
  limit: number | undefined,
): Promise<{ entries: Entry[]; revision: number }> {
  let page = await store.list({ prefix, ...(limit === undefined ? {} : { limit }) });
  const { revision } = page;
  const entries = [...page.entries];
  while (page.more) {
    page = await store.list({
      prefix,
      revision,
      start: `${entries.at(-1)?.key}\0`,
      ...(limit === undefined ? {} : { limit }),
    });
    entries.push(...page.entries);
  }
  return { entries, revision };
}

function plain(item: Entry | Change): unknown[] {
  const type = 'type' in item ? item.type : 'put';
  return [item.key, item.revision, item.createRevision, Buffer.from(item.value).toString(), type];
}

/** Numbers that a seed repeats (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
