import { compareKeys } from '../../datastore/keys.ts';
import type { CacheRecord } from './cache-record.ts';

/** Records in key order. Inserting moves pointers, which for the few thousand objects of a board costs microseconds. */
export class SortedRecords {
  readonly #records: CacheRecord[] = [];

  get size(): number {
    return this.#records.length;
  }

  get all(): readonly CacheRecord[] {
    return this.#records;
  }

  get(path: string): CacheRecord | undefined {
    const record = this.#records[this.#firstAtOrAfter(path)];
    return record?.path === path ? record : undefined;
  }

  /** Adds the record or replaces the one of the same path. Answers what it replaced. */
  set(record: CacheRecord): CacheRecord | undefined {
    const last = this.#records.at(-1);
    if (!last || compareKeys(last.path, record.path) < 0) {
      this.#records.push(record);
      return undefined;
    }
    const at = this.#firstAtOrAfter(record.path);
    const present = this.#records[at];
    const replaces = present?.path === record.path;
    this.#records.splice(at, replaces ? 1 : 0, record);
    return replaces ? present : undefined;
  }

  delete(path: string): CacheRecord | undefined {
    const at = this.#firstAtOrAfter(path);
    if (this.#records[at]?.path !== path) return undefined;
    return this.#records.splice(at, 1)[0];
  }

  /** Everything in a namespace, a copy. */
  inNamespace(namespace: string): CacheRecord[] {
    // '0' follows '/', so it ends the namespace.
    return this.#records.slice(this.#firstAtOrAfter(`${namespace}/`), this.#firstAtOrAfter(`${namespace}0`));
  }

  #firstAtOrAfter(path: string): number {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys((this.#records[middle] as CacheRecord).path, path) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
