import { compareKeys } from '../../datastore/keys.ts';
import type { CacheRecord } from './cache-record.ts';

/** How many changes may wait for the next list, besides as many as half of the records; with more it sorts all. */
const WAITING_CHANGES = 1024;

/**
 * Records by path, and in key order for who lists them. Writes are many and come one by one, lists are few and walk
 * over everything anyway: what changed is put into order by the next list.
 */
export class SortedRecords {
  readonly #byPath = new Map<string, CacheRecord>();
  /** In order, without the changes that wait; none when so much changed that the order is made anew. */
  #sorted: readonly CacheRecord[] | undefined = [];
  /** Paths whose record in `#sorted` is missing or no longer the one that counts. */
  readonly #changed = new Set<string>();

  get size(): number {
    return this.#byPath.size;
  }

  /** In key order; stays as it is when records change later. */
  get all(): readonly CacheRecord[] {
    return this.#settle();
  }

  get(path: string): CacheRecord | undefined {
    return this.#byPath.get(path);
  }

  /** Adds the record or replaces the one of the same path. Answers what it replaced. */
  set(record: CacheRecord): CacheRecord | undefined {
    const replaced = this.#byPath.get(record.path);
    this.#byPath.set(record.path, record);
    this.#note(record.path);
    return replaced;
  }

  delete(path: string): CacheRecord | undefined {
    const removed = this.#byPath.get(path);
    if (removed === undefined) return undefined;
    this.#byPath.delete(path);
    this.#note(path);
    return removed;
  }

  /** Everything in a namespace, in key order. */
  inNamespace(namespace: string): readonly CacheRecord[] {
    const sorted = this.#settle();
    // '0' follows '/', so it ends the namespace.
    return sorted.slice(firstAtOrAfter(sorted, `${namespace}/`), firstAtOrAfter(sorted, `${namespace}0`));
  }

  #note(path: string): void {
    if (this.#sorted === undefined) return;
    this.#changed.add(path);
    if (this.#changed.size <= WAITING_CHANGES + this.#byPath.size / 2) return;
    this.#sorted = undefined;
    this.#changed.clear();
  }

  /** Makes a new array for what changed: somebody may be walking over the old one. */
  #settle(): readonly CacheRecord[] {
    if (this.#sorted === undefined) this.#sorted = [...this.#byPath.values()].sort(byPath);
    else if (this.#changed.size > 0) this.#sorted = this.#merge(this.#sorted);
    this.#changed.clear();
    return this.#sorted;
  }

  #merge(sorted: readonly CacheRecord[]): readonly CacheRecord[] {
    const news: CacheRecord[] = [];
    for (const path of this.#changed) {
      const record = this.#byPath.get(path);
      if (record !== undefined) news.push(record);
    }
    news.sort(byPath);
    const merged: CacheRecord[] = [];
    let next = 0;
    for (const record of sorted) {
      if (this.#changed.has(record.path)) continue;
      while (next < news.length && compareKeys(news[next]!.path, record.path) < 0) merged.push(news[next++]!);
      merged.push(record);
    }
    while (next < news.length) merged.push(news[next++]!);
    return merged;
  }
}

function byPath(one: CacheRecord, other: CacheRecord): number {
  return compareKeys(one.path, other.path);
}

function firstAtOrAfter(sorted: readonly CacheRecord[], path: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(sorted[middle]!.path, path) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
