import type BetterSqlite3 from 'better-sqlite3';
import { LIMITS } from '../../lib/limits.ts';
import { prefixEnd } from '../keys.ts';
import type { ChangeRows, CommitRequest, CommitResponse, Conflict, Rows, WireEntry } from './protocol.ts';
import { pack, unpack } from './protocol.ts';
import { readState, type StoreState, writeState } from './state.ts';

type Database = BetterSqlite3.Database;

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entries (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    volatile INTEGER NOT NULL,
    value BLOB
  );
  CREATE INDEX IF NOT EXISTS entries_by_key ON entries (key);
  CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), document TEXT NOT NULL);
`;

/**
 * The inner query reads the index alone, in key order, and the whole stops with the limit. The order stands inside: at
 * the end SQLite would sort all that follows, values included, for each page. Its limit of none keeps it from being
 * dropped there (https://www.sqlite.org/optoverview.html), and a cross join keeps it.
 */
export const LIST = `
  SELECT e.revision, e.key, e.created, e.value
  FROM (SELECT key, max(revision) AS newest FROM entries
        WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key ORDER BY key LIMIT -1) AS visible
  CROSS JOIN entries AS e ON e.revision = visible.newest
  WHERE e.value IS NOT NULL LIMIT ?`;

/**
 * The newest row of a key. The cast is for speed: with a bare parameter and this order SQLite takes its plan as good for
 * one key only and plans again whenever another is bound (https://www.sqlite.org/c3ref/prepare.html), which takes
 * several times as long as the search.
 */
export const HEAD = `
  SELECT revision, created, value IS NULL AS deleted FROM entries
  WHERE key = CAST(? AS TEXT) ORDER BY revision DESC LIMIT 1`;

/** The same as of a revision. */
export const VISIBLE = `
  SELECT revision, key, created, value FROM entries
  WHERE key = CAST(? AS TEXT) AND revision <= ? ORDER BY revision DESC LIMIT 1`;

interface Head {
  revision: number;
  created: number;
  deleted: number;
}

interface Row {
  revision: number;
  key: string;
  created: number;
  volatile: number;
  value: Buffer | null;
}

/** Revisions newer than any; SQLite compares it as an integer. */
const NEWEST = Number.MAX_SAFE_INTEGER;

/** The statements on one open database. Everything is synchronous; a failure leaves no transaction open. */
export class LogTable {
  readonly #db: Database;
  readonly #statements: ReturnType<typeof prepare>;
  #state: StoreState;

  constructor(db: Database) {
    this.#db = db;
    this.#statements = prepare(db);
    this.#state = readState(db);
  }

  /** Applies a group of batches in one transaction; a batch whose comparison fails takes no other with it. */
  commit(request: CommitRequest): CommitResponse {
    return this.#transaction((state) => {
      if (request.reserved !== undefined) state.reserved = request.reserved;
      if (request.volatileFolders) state.volatileFolders = { ...request.volatileFolders };
      if (request.flush) this.#insertRows(request.flush);
      return this.#applyBatches(request);
    });
  }

  #applyBatches(request: CommitRequest): CommitResponse {
    const values = unpack(request.values);
    const revisions: number[] = [];
    const createRevisions: number[] = [];
    const deleted: (Uint8Array | undefined)[] = [];
    const conflicts: (Conflict | undefined)[] = [];
    let next = request.firstRevision;
    let at = 0;
    for (const length of request.batches) {
      const heads: (Head | undefined)[] = [];
      let conflict: Conflict | undefined;
      for (let index = at; index < at + length && !conflict; index++) {
        const key = request.keys[index] as string;
        const head = this.#statements.head.get(key) as Head | undefined;
        const live = head && head.deleted === 0 ? head : undefined;
        const expected = request.expected[index] as number;
        if (expected >= 0 && expected !== (live?.revision ?? 0)) conflict = { key, current: this.get(key) };
        heads.push(live);
      }
      conflicts.push(conflict);
      for (let index = at; index < at + length; index++) {
        const head = heads[index - at];
        const value = values[index];
        if (conflict || (value === undefined && !head)) {
          revisions.push(0);
          createRevisions.push(0);
          continue;
        }
        const key = request.keys[index] as string;
        if (value === undefined && head) deleted.push(this.#valueAt(head.revision));
        const created = head?.created ?? next;
        this.#statements.insert.run(next, key, created, 0, value ?? null);
        revisions.push(next++);
        createRevisions.push(created);
      }
      at += length;
    }
    return {
      revisions,
      createRevisions,
      deleted: deleted.length === 0 ? undefined : pack(deleted),
      conflicts: conflicts.every((conflict) => conflict === undefined) ? [] : conflicts,
    };
  }

  #insertRows(rows: Rows): void {
    const values = unpack(rows.values);
    rows.keys.forEach((key, index) => {
      this.#statements.insert.run(
        rows.revisions[index],
        key,
        rows.createRevisions[index],
        1,
        values[index] ?? null,
      );
    });
  }

  get(key: string, revision = NEWEST): WireEntry | undefined {
    const row = this.#statements.visible.get(key, revision) as Row | undefined;
    if (!row?.value) return undefined;
    return { key, value: copy(row.value), revision: row.revision, createRevision: row.created };
  }

  list(options: {
    prefix: string;
    start: string;
    revision?: number | undefined;
    limit?: number | undefined;
  }): Rows {
    const { prefix, start, revision = NEWEST, limit = -1 } = options;
    return toRows(this.#statements.list.all(start, prefixEnd(prefix), revision, limit) as Row[]);
  }

  count(prefix: string, revision = NEWEST): number {
    return this.#statements.count.get(prefix, prefixEnd(prefix), revision) as number;
  }

  changes(options: { prefix: string; afterRevision: number; limit?: number | undefined }): ChangeRows {
    const { prefix, afterRevision, limit = -1 } = options;
    const rows = this.#statements.changes.all(afterRevision, prefix, prefixEnd(prefix), limit) as Row[];
    const deletes = rows.map((row) => row.value === null);
    for (const row of rows) {
      if (row.value !== null) continue;
      const before = this.#statements.visible.get(row.key, row.revision - 1) as Row | undefined;
      row.value = before?.value ?? Buffer.alloc(0);
    }
    return { ...toRows(rows), deletes, volatile: rows.map((row) => row.volatile === 1) };
  }

  /** From now on nothing below `revision` is promised; `sweep` removes it step by step. */
  compact(revision: number): void {
    this.#transaction((state) => {
      state.compacted = Math.max(state.compacted, revision);
    });
  }

  /**
   * Every superseded row has a later row of its key. The later ones that came since the last sweep are walked in
   * revision order, each taking its older rows with it, so a step costs what it removes.
   */
  sweep(): boolean {
    if (this.#state.swept >= this.#state.compacted) return false;
    return this.#transaction((state) => {
      const { swept, compacted } = state;
      const rows = this.#statements.sweep.all(swept, compacted, LIMITS.datastore.sweepRows) as Head2[];
      for (const { revision, key, deleted } of rows) {
        this.#statements.removeOlder.run(key, deleted ? revision + 1 : revision);
      }
      const last = rows.at(-1);
      state.swept = rows.length < LIMITS.datastore.sweepRows || !last ? compacted : last.revision;
      return state.swept < compacted;
    });
  }

  /** Empties the page cache, which the next reads fill again. */
  shrink(): void {
    this.#db.pragma('shrink_memory');
  }

  /** Marks the store as cleanly stopped at `revision`, so that the next start loses and skips nothing. */
  close(revision: number): void {
    this.#transaction((state) => {
      state.clean = true;
      state.reserved = revision;
    });
  }

  #valueAt(revision: number): Buffer | undefined {
    return (this.#statements.value.get(revision) as { value: Buffer | null } | undefined)?.value ?? undefined;
  }

  /** Runs `work` and stores the state it changed, all or nothing. */
  #transaction<R>(work: (state: StoreState) => R): R {
    const state = { ...this.#state };
    this.#statements.begin.run();
    let result: R;
    try {
      result = work(state);
      if (!sameState(state, this.#state)) writeState(this.#db, state);
      this.#statements.commit.run();
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.#db.inTransaction) this.#statements.rollback.run();
      throw error;
    }
    this.#state = state;
    return result;
  }
}

interface Head2 {
  revision: number;
  key: string;
  deleted: number;
}

function prepare(db: Database) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    head: db.prepare(HEAD),
    insert: db.prepare(
      'INSERT OR REPLACE INTO entries (revision, key, created, volatile, value) VALUES (?, ?, ?, ?, ?)',
    ),
    value: db.prepare('SELECT value FROM entries WHERE revision = ?'),
    visible: db.prepare(VISIBLE),
    list: db.prepare(LIST),
    count: db
      .prepare(`
      SELECT count(*) FROM (SELECT max(revision) AS newest FROM entries
                            WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key) AS visible
      CROSS JOIN entries AS e ON e.revision = visible.newest WHERE e.value IS NOT NULL`)
      .pluck(),
    changes: db.prepare(
      'SELECT * FROM entries WHERE revision > ? AND +key >= ? AND +key < ? ORDER BY revision LIMIT ?',
    ),
    sweep: db.prepare(
      'SELECT revision, key, value IS NULL AS deleted FROM entries WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?',
    ),
    removeOlder: db.prepare('DELETE FROM entries WHERE key = ? AND revision < ?'),
  };
}

function toRows(rows: readonly Row[]): Rows {
  return {
    keys: rows.map((row) => row.key),
    revisions: rows.map((row) => row.revision),
    createRevisions: rows.map((row) => row.created),
    values: pack(rows.map((row) => row.value ?? undefined)),
  };
}

function sameState(a: StoreState, b: StoreState): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A message clones the whole buffer a view looks into, so the view gets one of its own. */
function copy(value: Buffer): Uint8Array {
  return Uint8Array.prototype.slice.call(value);
}
