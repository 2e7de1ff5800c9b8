/** What the datastore and its worker thread say to each other. Values travel packed in one transferred buffer. */

export interface WorkerData {
  readonly path: string;
  readonly nativeBinding?: string;
  /** Bound on the size of the database file; SQLite's own by default. */
  readonly maxBytes?: number;
  readonly nowMs: number;
  /** Replaces the database by this snapshot, answers `restored`, and ends. */
  readonly restoreFrom?: string;
}

/** Byte strings side by side; a size of -1 stands for `undefined`. */
export interface Packed {
  readonly sizes: readonly number[];
  readonly bytes: ArrayBuffer;
}

export function pack(values: readonly (Uint8Array | undefined)[]): Packed {
  let total = 0;
  const sizes = values.map((value) => {
    total += value?.length ?? 0;
    return value?.length ?? -1;
  });
  const bytes = new ArrayBuffer(total);
  const target = new Uint8Array(bytes);
  let at = 0;
  for (const value of values) {
    if (!value) continue;
    target.set(value, at);
    at += value.length;
  }
  return { sizes, bytes };
}

/** Views into the packed buffer, no copies. */
export function unpack(packed: Packed): (Uint8Array | undefined)[] {
  let at = 0;
  return packed.sizes.map((size) => {
    if (size < 0) return undefined;
    at += size;
    return new Uint8Array(packed.bytes, at - size, size);
  });
}

export interface CommitRequest {
  readonly op: 'commit';
  /** Revision of the first write that is applied; the others follow without gaps. */
  readonly firstRevision: number;
  /** How many writes each batch has. */
  readonly batches: readonly number[];
  readonly keys: readonly string[];
  /** -1: whatever it is. */
  readonly expected: readonly number[];
  readonly values: Packed;
  /** Volatile writes to store first, with the revisions they have. */
  readonly flush: Rows | undefined;
  /** No revision at or above this one is handed out before a later request raises it. */
  readonly reserved: number | undefined;
  /** Folders with volatile keys, and the revision below which history in them was not kept. */
  readonly volatileFolders: Readonly<Record<string, number>> | undefined;
}

export interface Rows {
  readonly keys: readonly string[];
  readonly revisions: readonly number[];
  readonly createRevisions: readonly number[];
  readonly values: Packed;
}

export interface CommitResponse {
  /** For every write: its revision, 0 where it was not applied. */
  readonly revisions: readonly number[];
  readonly createRevisions: readonly number[];
  /** The last values of what was deleted, in order; absent where nothing was. */
  readonly deleted: Packed | undefined;
  /** By batch; empty where there is none. */
  readonly conflicts: readonly (Conflict | undefined)[];
}

export interface Conflict {
  readonly key: string;
  readonly current: WireEntry | undefined;
}

export interface WireEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly createRevision: number;
}

export interface ChangeRows extends Rows {
  /** `true` where the row is a tombstone; its value is the last one before it. */
  readonly deletes: readonly boolean[];
  readonly volatile: readonly boolean[];
}

export interface Opened {
  readonly revision: number;
  readonly reserved: number;
  readonly compactedRevision: number;
  readonly volatileFolders: Readonly<Record<string, number>>;
  /** What an operator must hear: damage found, snapshot restored. */
  readonly warnings: readonly string[];
}

/** Every request with its answer. */
export interface Operations {
  commit: { request: CommitRequest; response: CommitResponse };
  get: { request: { op: 'get'; key: string; revision: number | undefined }; response: WireEntry | undefined };
  list: {
    request: {
      op: 'list';
      prefix: string;
      start: string;
      revision: number | undefined;
      limit: number | undefined;
    };
    response: Rows;
  };
  count: { request: { op: 'count'; prefix: string; revision: number | undefined }; response: number };
  changes: {
    request: { op: 'changes'; prefix: string; afterRevision: number; limit: number | undefined };
    response: ChangeRows;
  };
  compact: { request: { op: 'compact'; revision: number }; response: null };
  /** Removes some of what a compaction left behind; says whether more is left. */
  sweep: { request: { op: 'sweep' }; response: boolean };
  /** Writes a checked copy beside the database unless a young one is there; answers its path. */
  snapshot: {
    request: { op: 'snapshot'; revision: number; nowMs: number; maxAgeMs: number };
    response: string;
  };
  /** Gives back what the page cache and the thread's garbage take. */
  tidy: { request: { op: 'tidy' }; response: null };
  close: { request: { op: 'close'; revision: number }; response: null };
}

export type OperationName = keyof Operations;
export type Request = Operations[OperationName]['request'];

export interface Envelope {
  readonly id: number;
  readonly request: Request;
}

export type Reply =
  | { readonly opened: Opened }
  | { readonly failed: WireError }
  /** Where what was replaced is kept. */
  | { readonly restored: string | undefined }
  | { readonly id: number; readonly response: unknown }
  | { readonly id: number; readonly error: WireError };

export interface WireError {
  readonly reason: 'full' | 'io' | 'locked' | 'damaged' | 'busy';
  readonly message: string;
}
