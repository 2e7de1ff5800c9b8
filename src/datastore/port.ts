/**
 * A revisioned key/value log over bytes. It knows no kinds. Every implementation (SQLite, memory, later etcd)
 * passes `test/contract/datastore.ts`.
 */
export interface Datastore {
  /** The newest revision every read reflects. Starts at 1 for an empty store; never goes back, never repeats. */
  readonly revision: number;
  /** Revisions below this one can no longer be read or watched from. */
  readonly compactedRevision: number;
  /** The newest entry, or the one visible at `revision`. */
  get(key: string, revision?: number): Promise<Entry | undefined>;
  list(options: ListOptions): Promise<ListResult>;
  /** How many live keys lie under `prefix`, now or at `revision`. */
  count(prefix: string, revision?: number): Promise<number>;
  /**
   * A batch names each key at most once; deleting a key that does not exist changes nothing and succeeds.
   * Applies all writes or none. Resolves once they would survive a power cut (`durable`), or at once
   * (`volatile`: in memory, reaches disk on close and at a long interval; may be lost in a crash, but
   * its revision is never reused).
   */
  commit(writes: readonly Write[], durability?: Durability): Promise<CommitResult>;
  /** Changes after a revision in revision order, oldest first. Rejects with `CompactedError` if compacted away. */
  changes(options: ChangesOptions): Promise<readonly Change[]>;
  /** Drops what nobody can see at `revision` or later: superseded entries and tombstones. */
  compact(revision: number): Promise<void>;
  /**
   * Calls `listener` with each commit's changes, in revision order, before that commit's promise resolves.
   * A listener must not throw and must not block.
   */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** Flushes volatile writes and releases everything. Further calls reject. */
  close(): Promise<void>;
}

export type Durability = 'durable' | 'volatile';

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the last write to this key. */
  readonly revision: number;
  /** Revision that created the key in its present life. */
  readonly createRevision: number;
}

export interface Write {
  readonly key: string;
  /** `undefined` deletes. */
  readonly value: Uint8Array | undefined;
  /** The key's revision the writer saw; 0: must not exist; `undefined`: whatever it is. */
  readonly expectedRevision?: number;
  /** What `value` says, where the writer has it at hand: passed on with the change, never stored or looked at. */
  readonly decoded?: object | undefined;
}

export type CommitResult =
  | {
      readonly ok: true;
      readonly revision: number;
      /** One per write, in order, ascending; where nothing was there to delete, the one before it. */
      readonly revisions: readonly number[];
    }
  /** Nothing was written. `current` is the entry that did not match, `undefined` where the key does not exist. */
  | { readonly ok: false; readonly key: string; readonly current: Entry | undefined };

export interface ListOptions {
  readonly prefix: string;
  /** Read as of this revision; newest by default. */
  readonly revision?: number;
  /** First key wanted (inclusive); must start with `prefix`. */
  readonly start?: string;
  readonly limit?: number;
}

export interface ListResult {
  /** By key, ascending in byte order. */
  readonly entries: readonly Entry[];
  /** The revision the list reflects. */
  readonly revision: number;
  readonly more: boolean;
}

export interface ChangesOptions {
  readonly prefix: string;
  readonly afterRevision: number;
  readonly limit?: number;
}

export interface Change {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** For a delete, the last value before it. */
  readonly value: Uint8Array;
  readonly revision: number;
  readonly createRevision: number;
  readonly volatile: boolean;
  /** Of the write, where a listener hears of it. */
  readonly decoded?: object | undefined;
}

/** The revision asked for was compacted away. */
export class CompactedError extends Error {
  readonly compactedRevision: number;
  constructor(compactedRevision: number) {
    super(`revision has been compacted; oldest available is ${compactedRevision}`);
    this.name = 'CompactedError';
    this.compactedRevision = compactedRevision;
  }
}

/** The revision asked for lies in the future. */
export class FutureRevisionError extends Error {
  constructor(revision: number, current: number) {
    super(`revision ${revision} is newer than the store's ${current}`);
    this.name = 'FutureRevisionError';
  }
}

/**
 * The store could not do what was asked and changed nothing: the disk is full, the disk fails, or another process
 * holds the data. Calls may succeed again once the cause is gone.
 */
export class StorageError extends Error {
  readonly reason: 'full' | 'io' | 'locked' | 'damaged' | 'busy' | 'closed';
  constructor(reason: StorageError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StorageError';
    this.reason = reason;
  }
}
