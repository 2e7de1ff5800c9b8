import type { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { checkWrites, compareKeys } from '../keys.ts';
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
} from '../port.ts';
import { CompactedError, FutureRevisionError, StorageError } from '../port.ts';
import { type Batch, buildCommit, readCommit } from './group-commit.ts';
import type { ChangeRows, Opened, Rows, WorkerData } from './protocol.ts';
import { unpack } from './protocol.ts';
import { startWorker } from './start-worker.ts';
import { folderOf, VolatileOverlay } from './volatile-overlay.ts';
import { WorkerLink } from './worker-link.ts';

export interface SqliteOptions {
  /** The database file; its folder also holds the log, the lock and the snapshots, and is made where it is missing. */
  readonly path: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** better-sqlite3's addon, where the packaged executable keeps it. */
  readonly nativeBinding?: string;
  /** Bound on the database file. */
  readonly maxBytes?: number;
  /** Called when the thread ends by itself: nothing can be stored or read any more, and the process should end. */
  readonly onFailure?: (error: Error) => void;
  /** Starts the thread that runs `worker.ts`; the packaged executable loads it its own way. */
  readonly createWorker?: (workerData: WorkerData) => Worker;
}

export interface SqliteDatastore extends Datastore {
  /**
   * Writes a checked copy of the database, keeping a bounded number of them. Answers its path, or that of one taken
   * within `maxAgeMs`.
   */
  snapshot(options?: { readonly maxAgeMs?: number }): Promise<string>;
  /** Stores volatile writes now. */
  flush(): Promise<void>;
  /** Gives back memory that only speeds things up. Resolves when its thread has; does nothing once it is closed. */
  tidy(): Promise<void>;
}

/**
 * Opens the store on a file, in a thread of its own: SQLite is synchronous and a flash card can stall for seconds.
 * Rejects with `StorageError`: `locked` when another process has it (its pid in the message), `damaged` when the
 * file is and no snapshot can replace it.
 */
export async function openSqliteDatastore(options: SqliteOptions): Promise<SqliteDatastore> {
  const { path, nativeBinding, maxBytes, clock, log } = options;
  const workerData: WorkerData = {
    path,
    nowMs: clock.now(),
    ...(nativeBinding === undefined ? {} : { nativeBinding }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
  const link = new WorkerLink((options.createWorker ?? startWorker)(workerData));
  const opened = await link.opened();
  for (const warning of opened.warnings) log.error(warning);
  return new SqliteStore(link, opened, options);
}

class SqliteStore implements SqliteDatastore {
  revision: number;
  compactedRevision: number;
  readonly #link: WorkerLink;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #overlay: VolatileOverlay;
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  /** Batches that wait for the commit under way. */
  #queue: Batch[] = [];
  #queuedWrites = 0;
  #inFlight: { batches: readonly Batch[]; firstRevision: number; done: Promise<void> } | undefined;
  #dispatchScheduled = false;
  /** The next revision to hand out, and the first that is not reserved yet. */
  #nextRevision: number;
  #reserved: number;
  /** Folders that are not yet known on disk to hold volatile keys; nothing may be written to them. */
  readonly #unstoredFolders = new Set<string>();
  /** How many wait for commits at once, of late. */
  #crowd = 0;
  #flushWanted = false;
  #flushTimer: Timer | undefined;
  #closing: Promise<void> | undefined;

  constructor(link: WorkerLink, opened: Opened, options: SqliteOptions) {
    this.#link = link;
    this.#clock = options.clock;
    this.#log = options.log;
    this.revision = opened.revision;
    this.compactedRevision = opened.compactedRevision;
    this.#nextRevision = opened.revision + 1;
    this.#reserved = opened.reserved;
    this.#overlay = new VolatileOverlay(opened.volatileFolders, LIMITS.datastore.volatileHistory);
    link.onBreak = (error) => {
      if (this.#closing) return;
      this.#log.error('the datastore thread ended unexpectedly', { error });
      options.onFailure?.(error);
    };
  }

  async get(key: string, revision?: number): Promise<Entry | undefined> {
    this.#checkReadable(key, revision);
    const known = this.#overlay.visible(key, revision ?? this.revision);
    if (known) return known.entry;
    return this.#link.request<'get'>({ op: 'get', key, revision });
  }

  async list(options: ListOptions): Promise<ListResult> {
    const { prefix, start = prefix, limit } = options;
    const range = { prefix, start: start.startsWith(prefix) ? start : prefix };
    for (;;) {
      this.#checkReadable(prefix, options.revision);
      const removals = this.#overlay.removals({ ...range, revision: options.revision ?? this.revision });
      // One more tells whether there are more.
      const wanted = limit === undefined ? undefined : limit + 1 + removals;
      const request = { op: 'list', ...range, revision: options.revision, limit: wanted } as const;
      const stored = toEntries(await this.#link.request<'list'>(request));
      // Answers come in order: this one holds exactly the commits announced so far.
      const revision = options.revision ?? this.revision;
      this.#checkReadable(prefix, options.revision);
      const entries = this.#overlay.mergeList(stored, { ...range, revision });
      if (limit === undefined) return { entries, revision, more: false };
      const isWhole = stored.length !== wanted;
      const last = entries[limit];
      // Keys removed meanwhile can leave a page that reaches past what the disk was asked for: then ask again.
      const isCovered = last !== undefined && compareKeys(last.key, stored.at(-1)?.key ?? '') <= 0;
      if (isWhole || isCovered)
        return { entries: entries.slice(0, limit), revision, more: last !== undefined };
    }
  }

  async count(prefix: string, revision?: number): Promise<number> {
    this.#checkReadable(prefix, revision);
    if (revision !== undefined && !this.#overlay.misses(prefix))
      return (await this.list({ prefix, revision })).entries.length;
    const stored = await this.#link.request<'count'>({ op: 'count', prefix, revision });
    this.#checkReadable(prefix, revision);
    return revision === undefined ? stored + this.#overlay.countCorrection(prefix) : stored;
  }

  async changes(options: ChangesOptions): Promise<readonly Change[]> {
    const { prefix, afterRevision, limit } = options;
    this.#checkReadable(prefix, afterRevision);
    const rows = await this.#link.request<'changes'>({ op: 'changes', prefix, afterRevision, limit });
    this.#checkReadable(prefix, afterRevision);
    const changes = toChanges(rows);
    if (this.#overlay.misses(prefix)) return changes;
    // Where both have a change the overlay's counts: it knows the last value before a volatile deletion.
    const merged = new Map(changes.map((change) => [change.revision, change]));
    for (const change of this.#overlay.changes(prefix, afterRevision)) merged.set(change.revision, change);
    return [...merged.values()].sort((a, b) => a.revision - b.revision).slice(0, limit);
  }

  /** No async function: what it waits for is the one promise there has to be for each write. */
  commit(writes: readonly Write[], durability: Durability = 'durable'): Promise<CommitResult> {
    try {
      this.#checkOpen();
      checkWrites(writes);
    } catch (error) {
      return Promise.reject(error);
    }
    return durability === 'volatile' ? this.#commitVolatile(writes) : this.#commitDurable(writes);
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    if (revision > this.revision) throw new FutureRevisionError(revision, this.revision);
    if (revision > this.compactedRevision) {
      await this.#link.request<'compact'>({ op: 'compact', revision });
      this.compactedRevision = Math.max(this.compactedRevision, revision);
    }
    // Between two steps the commits that wait get their turn.
    while (await this.#link.request<'sweep'>({ op: 'sweep' }));
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async snapshot({ maxAgeMs = 0 }: { maxAgeMs?: number } = {}): Promise<string> {
    if (maxAgeMs === 0) await this.flush();
    return this.#link.request<'snapshot'>({
      op: 'snapshot',
      revision: this.revision,
      nowMs: this.#clock.now(),
      maxAgeMs,
    });
  }

  async tidy(): Promise<void> {
    if (!this.#closing) await this.#link.request<'tidy'>({ op: 'tidy' });
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    await this.#flush();
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    this.#flushTimer?.cancel();
    try {
      await this.#flush();
      await this.#link.request<'close'>({ op: 'close', revision: this.revision });
    } finally {
      this.#listeners.clear();
      await this.#link.end();
    }
  }

  // Durable writes

  #commitDurable(writes: readonly Write[]): Promise<CommitResult> {
    if (this.#queuedWrites + writes.length > LIMITS.datastore.queueWrites)
      return Promise.reject(new StorageError('busy', 'too many writes wait for the disk; try again later'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ writes, resolve, reject });
      this.#queuedWrites += writes.length;
      if (this.#isHalfHere()) this.#tryDispatch();
      else this.#scheduleDispatch();
    });
  }

  /**
   * Writes of all requests that the event loop reads in one turn share a commit even when none is under way: each
   * commit costs an fsync and two messages between threads, however many writes it holds.
   */
  #scheduleDispatch(): void {
    if (this.#dispatchScheduled || this.#inFlight) return;
    this.#dispatchScheduled = true;
    setImmediate(() => {
      this.#dispatchScheduled = false;
      this.#tryDispatch();
    });
  }

  /**
   * Many who write one after the other would else all wait for the same commit, and this thread with them: while one
   * half of them is on its way to the disk the other half is read, and the other way round.
   */
  #isHalfHere(): boolean {
    const present = this.#queue.length;
    this.#crowd = Math.max(this.#crowd, present + (this.#inFlight?.batches.length ?? 0));
    return !this.#inFlight && present >= LIMITS.datastore.halfCrowd && present * 2 >= this.#crowd;
  }

  /** Where nobody waits for the dispatch itself: those whose writes it takes are told when it fails. */
  #tryDispatch(): void {
    try {
      this.#dispatch();
    } catch (error) {
      this.#log.error('a commit could not be put together', { error });
    }
  }

  #dispatch(): void {
    if (this.#inFlight || (this.#queue.length === 0 && !this.#needsMaintenance())) return;
    const batches = this.#takeBatches();
    this.#crowd -= this.#crowd / 8;
    const writes: Write[] = [];
    for (const batch of batches) for (const write of batch.writes) writes.push(write);
    const firstRevision = this.#nextRevision + LIMITS.datastore.revisionGap;
    const reserved = this.#reservationFor(firstRevision + writes.length);
    const flush = this.#flushWanted ? this.#overlay.unstored() : this.#overlay.unstoredOf(writes);
    const volatileFolders =
      this.#unstoredFolders.size > 0 || flush.length > 0 || this.#closing
        ? this.#overlay.folders({ closing: this.#closing !== undefined })
        : undefined;
    const newFolders = [...this.#unstoredFolders];
    let commit: ReturnType<typeof buildCommit>;
    try {
      commit = buildCommit({ batches, writes, firstRevision, flush, reserved, volatileFolders });
    } catch (error) {
      // No memory for the message: nothing was sent, and whoever waits must hear of it.
      for (const batch of batches) batch.reject(error as Error);
      throw error;
    }
    this.#flushWanted = false;
    const { request, transfer } = commit;
    const done = this.#link.request<'commit'>(request, transfer).then(
      (response) => {
        this.#overlay.markStored(flush);
        if (reserved !== undefined) this.#reserved = reserved;
        for (const folder of newFolders) this.#unstoredFolders.delete(folder);
        const { outcomes, lastRevision } = readCommit(batches, response, this.revision);
        this.#inFlight = undefined;
        if (lastRevision > 0) this.#nextRevision = lastRevision + 1;
        for (const { changes } of outcomes) this.#overlay.replaced(changes);
        // The thread gets what waits before the answers of this one are given: both go on at the same time.
        if (this.#queue.length > 0) this.#tryDispatch();
        for (const { batch, changes, result } of outcomes) {
          this.#announce(changes);
          batch.resolve(result);
        }
      },
      (error: Error) => {
        this.#inFlight = undefined;
        // Nobody knows what of it reached the disk, so its revisions are not used again.
        this.#nextRevision = firstRevision + writes.length;
        this.#log.error('commit failed, nothing of it was kept', { writes: writes.length, error });
        for (const batch of batches) batch.reject(error);
        throw error;
      },
    );
    this.#inFlight = { batches, firstRevision, done };
    // Batches learn of a failure themselves; who needs the maintenance awaits `done`.
    done.catch(() => {}).finally(() => this.#scheduleDispatch());
  }

  #takeBatches(): Batch[] {
    let count = 0;
    let writes = 0;
    for (const batch of this.#queue) {
      if (count > 0 && writes + batch.writes.length > LIMITS.datastore.batchWrites) break;
      writes += batch.writes.length;
      count++;
    }
    this.#queuedWrites -= writes;
    return this.#queue.splice(0, count);
  }

  #needsMaintenance(): boolean {
    return (
      this.#flushWanted ||
      this.#unstoredFolders.size > 0 ||
      this.#reservationFor(this.#nextRevision) !== undefined
    );
  }

  /** A new end of the reserved block when `next` comes near the present one. */
  #reservationFor(next: number): number | undefined {
    const { revisionBlock, revisionGap } = LIMITS.datastore;
    return next + revisionGap > this.#reserved - revisionBlock / 4 ? next + revisionBlock : undefined;
  }

  #announce(changes: readonly Change[]): void {
    const last = changes.at(-1);
    if (!last) return;
    this.revision = last.revision;
    for (const listener of this.#listeners) listener(changes);
  }

  // Volatile writes

  /**
   * Compared and announced at once when every key is in memory and no durable write to one is under way. Their
   * revisions lie below those of the commit under way, so that the order of revisions is the order of announcements.
   */
  async #commitVolatile(writes: readonly Write[]): Promise<CommitResult> {
    for (;;) {
      if (writes.some((write) => this.#isPending(write.key))) return this.#commitDurable(writes);
      const unknown = writes.filter(({ key }) => !this.#overlay.has(key));
      if (unknown.length > 0) await this.#loadKeys(unknown.map((write) => write.key));
      else if (!this.#hasRoom(writes.length)) await this.#maintain();
      else return this.#applyVolatile(writes);
      this.#checkOpen();
    }
  }

  #applyVolatile(writes: readonly Write[]): CommitResult {
    if (this.#overlay.unstoredBytes > 2 * LIMITS.datastore.volatileBytes)
      throw new StorageError('full', 'too much waits in memory for a disk that takes no writes');
    for (const { key, expectedRevision } of writes) {
      const current = this.#overlay.current(key);
      if (expectedRevision !== undefined && expectedRevision !== (current?.revision ?? 0))
        return { ok: false, key, current };
    }
    const changes: Change[] = [];
    let revision = this.revision;
    const revisions = writes.map(({ key, value, decoded }) => {
      if (value === undefined && !this.#overlay.current(key)) return revision;
      revision = this.#nextRevision++;
      changes.push({ ...this.#overlay.write(key, value, revision), decoded });
      return revision;
    });
    this.#announce(changes);
    this.#planFlush();
    return { ok: true, revision, revisions };
  }

  #isPending(key: string): boolean {
    const touches = (batch: Batch): boolean => batch.writes.some((write) => write.key === key);
    return this.#queue.some(touches) || (this.#inFlight?.batches.some(touches) ?? false);
  }

  #hasRoom(count: number): boolean {
    const end = Math.min(this.#reserved, this.#inFlight?.firstRevision ?? Number.POSITIVE_INFINITY);
    return this.#nextRevision + count <= end;
  }

  /** Learns what the disk holds for these keys, and registers their folders before anything in them can be lost. */
  async #loadKeys(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      if (this.#overlay.knowsFolderOf(key)) continue;
      this.#overlay.addFolder(folderOf(key), 0);
      this.#unstoredFolders.add(folderOf(key));
    }
    while (keys.some((key) => this.#unstoredFolders.has(folderOf(key)))) await this.#maintain();
    await Promise.all(
      keys.map(async (key) => {
        const entry = await this.#link.request<'get'>({ op: 'get', key, revision: undefined });
        if (!this.#isPending(key)) this.#overlay.load(key, entry);
      }),
    );
  }

  /** Waits for the commit under way, or for one that reserves revisions and registers folders. */
  async #maintain(): Promise<void> {
    if (!this.#inFlight) this.#dispatch();
    await this.#inFlight?.done;
  }

  #planFlush(): void {
    if (this.#overlay.unstoredBytes > LIMITS.datastore.volatileBytes) {
      this.#flushWanted = true;
      this.#scheduleDispatch();
    }
    this.#flushTimer ??= this.#clock.setTimer(LIMITS.datastore.volatileFlushMs, () => {
      this.#flushTimer = undefined;
      this.#flushWanted = true;
      this.#scheduleDispatch();
    });
  }

  /** Resolves when every write and every volatile value known now is on disk. */
  async #flush(): Promise<void> {
    while (this.#inFlight || this.#queue.length > 0) {
      this.#dispatch();
      await this.#inFlight?.done.catch(() => {});
    }
    this.#flushWanted = true;
    this.#dispatch();
    await (this.#inFlight as { done: Promise<void> } | undefined)?.done;
  }

  #checkReadable(prefix: string, revision: number | undefined): void {
    this.#checkOpen();
    if (revision === undefined || revision === this.revision) return;
    if (revision > this.revision) throw new FutureRevisionError(revision, this.revision);
    const oldest = Math.max(this.compactedRevision, this.#overlay.lostBelow(prefix));
    if (revision < oldest) throw new CompactedError(oldest);
  }

  #checkOpen(): void {
    if (this.#closing) throw new StorageError('closed', 'the datastore is closed');
  }
}

function toEntries(rows: Rows): Entry[] {
  return unpack(rows.values).map((value, index) => ({
    key: rows.keys[index] as string,
    value: value as Uint8Array,
    revision: rows.revisions[index] as number,
    createRevision: rows.createRevisions[index] as number,
  }));
}

function toChanges(rows: ChangeRows): Change[] {
  return toEntries(rows).map((entry, index) => ({
    ...entry,
    type: rows.deletes[index] ? 'delete' : 'put',
    volatile: rows.volatile[index] === true,
  }));
}
