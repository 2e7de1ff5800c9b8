import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { LIMITS } from '../../lib/limits.ts';
import { StorageError } from '../port.ts';
import { syncFolder } from './files.ts';
import { binding, configure, isDamage } from './pragmas.ts';
import type { Opened, WorkerData } from './protocol.ts';
import { prepareNewest } from './snapshots.ts';
import { readState, startState, writeState } from './state.ts';

type Db = Database.Database;

export interface OpenedDatabase {
  readonly db: Db;
  readonly opened: Opened;
  /** Closes the database and lets another process have the data. */
  release(): void;
}

/**
 * Opens the database for this process alone, checks it, and repairs what can be repaired without a person: a
 * damaged file is moved aside and the newest good snapshot takes its place.
 * Throws `StorageError` (`locked`, `damaged`), or what SQLite throws.
 */
export function openDatabase(data: WorkerData): OpenedDatabase {
  mkdirSync(dirname(data.path), { recursive: true, mode: 0o700 });
  const unlock = lock(data);
  try {
    const { db, opened } = withReserve(data.path, () => openAndBegin(data));
    return {
      db,
      opened,
      release: () => {
        db.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Opens the database and notes in it that it is in use. */
function openAndBegin(data: WorkerData): { db: Db; opened: Opened } {
  const { db, warnings } = openChecked(data);
  try {
    const newestRow = db.prepare('SELECT max(revision) FROM entries').pluck().get() as number | null;
    const { revision, ...state } = startState(readState(db), newestRow ?? 0, LIMITS.datastore.revisionBlock);
    writeState(db, state);
    const { reserved, compacted: compactedRevision, volatileFolders } = state;
    return { db, opened: { revision, reserved, compactedRevision, volatileFolders, warnings } };
  } catch (error) {
    db.close();
    throw error;
  }
}

function openChecked(data: WorkerData): { db: Db; warnings: string[] } {
  const { path } = data;
  let damage: string | undefined;
  if (existsSync(path)) {
    const result = openWhole(data);
    if (typeof result !== 'string') return { db: result, warnings: [] };
    damage = result;
  }
  const snapshot = prepareNewest(data);
  if (!snapshot && damage === undefined) {
    rmSync(`${path}-wal`, { force: true });
    return { db: configured(data), warnings: [] };
  }
  // It stays where it is: were it moved, the next start would begin with an empty cluster and end every pod.
  if (!snapshot) {
    throw new StorageError(
      'damaged',
      `the datastore ${path} is damaged (${damage}) and there is no snapshot of it; restore a backup, or move the file away to begin with an empty cluster`,
    );
  }
  const quarantine = `${path}.damaged-${new Date(data.nowMs).toISOString().replaceAll(':', '')}`;
  const aside = damage === undefined ? undefined : moveAside(path, quarantine);
  // A log that belongs to another database would be applied to this one.
  rmSync(`${path}-wal`, { force: true });
  renameSync(snapshot.prepared, path);
  syncFolder(dirname(path));
  const db = openWhole(data);
  if (typeof db === 'string')
    throw new StorageError('damaged', `the restored snapshot ${snapshot.from} is damaged: ${db}`);
  const why =
    damage === undefined
      ? `the datastore ${path} was missing`
      : `the datastore ${path} was damaged (${damage}) and moved to ${aside}`;
  return { db, warnings: [`${why}; restored the snapshot ${snapshot.from}, later changes are lost`] };
}

/** The open database, or what is wrong with the file. */
function openWhole(data: WorkerData): Db | string {
  let db: Db | undefined;
  try {
    db = configured(data);
    const verdict = db.pragma('quick_check(1)', { simple: true });
    if (verdict === 'ok') return db;
    db.close();
    return String(verdict);
  } catch (error) {
    db?.close();
    if (isDamage(error)) return (error as Error).message;
    throw error;
  }
}

function configured(data: WorkerData): Db {
  const db = new Database(data.path, binding(data));
  try {
    configure(db, data.maxBytes);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Takes the data for this process until the returned function runs or the process ends, however it ends: the lock
 * is one that SQLite holds on an empty database beside ours, so it works on a damaged one too.
 */
export function lock(data: { path: string; nativeBinding?: string }): () => void {
  const pidFile = `${data.path}.pid`;
  const holder = new Database(`${data.path}.lock`, { ...binding(data), timeout: 0 });
  try {
    holder.pragma('journal_mode = memory');
    holder.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    holder.close();
    const code = (error as { code?: string }).code ?? '';
    if (!code.startsWith('SQLITE_BUSY')) throw error;
    const pid = readPid(pidFile);
    throw new StorageError(
      'locked',
      `${dirname(data.path)} is in use by another kedge process${pid === undefined ? '' : ` (pid ${pid})`}`,
    );
  }
  try {
    writeFileSync(pidFile, `${process.pid}\n`);
  } catch {
    // A full disk must not keep the server from starting; the next one then names no pid.
  }
  return () => {
    rmSync(pidFile, { force: true });
    holder.close();
  };
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isSafeInteger(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Keeps a database with its log, for a person to look at. The database goes first: without one nobody takes the log
 * that is left for the log of another.
 */
export function moveAside(path: string, to: string): string {
  renameSync(path, to);
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${to}-wal`);
  return to;
}

/**
 * Starting writes a page, and on a full disk there is none: then nothing would ever start that could make room. So a
 * little room is kept in a file that goes when it is needed and comes back when it can.
 */
function withReserve<R>(path: string, work: () => R): R {
  const reserve = `${path}.reserve`;
  let result: R;
  try {
    result = work();
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'SQLITE_FULL' || !existsSync(reserve)) throw error;
    rmSync(reserve);
    result = work();
  }
  if (existsSync(reserve)) return result;
  try {
    writeFileSync(reserve, Buffer.alloc(LIMITS.datastore.reserveBytes, 'room'));
  } catch {
    // Still full; the next start tries again.
    rmSync(reserve, { force: true });
  }
  return result;
}
