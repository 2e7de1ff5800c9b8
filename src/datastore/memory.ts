import { checkWrites, compareKeys } from './keys.ts';
import type {
  Change,
  ChangesOptions,
  CommitResult,
  Datastore,
  Durability,
  Entry,
  ListOptions,
  ListResult,
  Write,
} from './port.ts';
import { CompactedError, FutureRevisionError, StorageError } from './port.ts';

interface Version {
  revision: number;
  createRevision: number;
  /** `undefined` is a tombstone. */
  value: Uint8Array | undefined;
  volatile: boolean;
}

/**
 * The datastore as simple as it can be said: every version of every key in a map. The model that other
 * implementations are checked against, and the store of tests. Nothing reaches a disk.
 */
export function createMemoryDatastore(): Datastore {
  return new MemoryDatastore();
}

class MemoryDatastore implements Datastore {
  revision = 1;
  compactedRevision = 0;
  #closed = false;
  /** Versions oldest first. */
  readonly #keys = new Map<string, Version[]>();
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();

  async get(key: string, revision?: number): Promise<Entry | undefined> {
    this.#checkReadable(revision);
    return this.#entryAt(key, revision ?? this.revision);
  }

  async list(options: ListOptions): Promise<ListResult> {
    this.#checkReadable(options.revision);
    const { prefix, start = prefix, revision = this.revision, limit = Number.POSITIVE_INFINITY } = options;
    const entries = [...this.#keys.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, start) >= 0)
      .sort(compareKeys)
      .map((key) => this.#entryAt(key, revision))
      .filter((entry) => entry !== undefined);
    return { entries: entries.slice(0, limit), revision, more: entries.length > limit };
  }

  async count(prefix: string, revision?: number): Promise<number> {
    return (await this.list({ prefix, ...(revision === undefined ? {} : { revision }) })).entries.length;
  }

  async commit(writes: readonly Write[], durability: Durability = 'durable'): Promise<CommitResult> {
    this.#checkOpen();
    checkWrites(writes);
    for (const { key, expectedRevision } of writes) {
      const current = this.#entryAt(key, this.revision);
      if (expectedRevision !== undefined && expectedRevision !== (current?.revision ?? 0))
        return { ok: false, key, current };
    }
    const changes: Change[] = [];
    const revisions = writes.map(({ key, value, decoded }) => {
      const change = this.#write(key, value, durability === 'volatile');
      if (change) changes.push({ ...change, decoded });
      return this.revision;
    });
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
    return { ok: true, revision: this.revision, revisions };
  }

  async changes(options: ChangesOptions): Promise<readonly Change[]> {
    const { prefix, afterRevision, limit = Number.POSITIVE_INFINITY } = options;
    this.#checkReadable(afterRevision);
    const changes: Change[] = [];
    for (const [key, versions] of this.#keys) {
      if (!key.startsWith(prefix)) continue;
      versions.forEach((version, index) => {
        if (version.revision > afterRevision) changes.push(toChange(key, version, versions[index - 1]));
      });
    }
    return changes.sort((a, b) => a.revision - b.revision).slice(0, limit);
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    if (revision > this.revision) throw new FutureRevisionError(revision, this.revision);
    if (revision <= this.compactedRevision) return;
    this.compactedRevision = revision;
    for (const [key, versions] of this.#keys) {
      const newest = versions.findLastIndex((version) => version.revision <= revision);
      if (newest < 0) continue;
      versions.splice(0, versions[newest]?.value === undefined ? newest + 1 : newest);
      if (versions.length === 0) this.#keys.delete(key);
    }
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
  }

  #write(key: string, value: Uint8Array | undefined, volatile: boolean): Change | undefined {
    const versions = this.#keys.get(key) ?? [];
    if (versions.length === 0 && value !== undefined) this.#keys.set(key, versions);
    const previous = versions.at(-1);
    const exists = previous?.value !== undefined;
    if (value === undefined && !exists) return undefined;
    const revision = ++this.revision;
    const createRevision = exists ? previous.createRevision : revision;
    const version: Version = { revision, createRevision, value: value?.slice(), volatile };
    versions.push(version);
    return toChange(key, version, previous);
  }

  #entryAt(key: string, revision: number): Entry | undefined {
    const version = this.#keys.get(key)?.findLast((candidate) => candidate.revision <= revision);
    if (version?.value === undefined) return undefined;
    return { key, value: version.value, revision: version.revision, createRevision: version.createRevision };
  }

  #checkReadable(revision: number | undefined): void {
    this.#checkOpen();
    if (revision === undefined) return;
    if (revision < this.compactedRevision) throw new CompactedError(this.compactedRevision);
    if (revision > this.revision) throw new FutureRevisionError(revision, this.revision);
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageError('closed', 'the datastore is closed');
  }
}

function toChange(key: string, version: Version, previous: Version | undefined): Change {
  const { revision, createRevision, value, volatile } = version;
  const type = value === undefined ? 'delete' : 'put';
  return {
    type,
    key,
    value: value ?? previous?.value ?? new Uint8Array(),
    revision,
    createRevision,
    volatile,
  };
}
