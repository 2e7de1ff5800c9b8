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
    const { db, warnings } = openChecked(data);
    const newestRow = db.prepare('SELECT max(revision) FROM entries').pluck().get() as number | null;
    const found = readState(db);
    const { revision, ...state } = startState(found, newestRow ?? 0, LIMITS.datastore.revisionBlock);
    writeState(db, state);
    return {
      db,
      opened: {
        revision,
        reserved: state.reserved,
        compactedRevision: state.compacted,
        volatileFolders: state.volatileFolders,
        warnings,
      },
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

function openChecked(data: WorkerData): { db: Db; warnings: string[] } {
  const { path } = data;
  let damage: string | undefined;
  if (existsSync(path)) {
    const result = openWhole(data);
    if (typeof result !== 'string') return { db: result, warnings: [] };
    damage = result;
  }
  const snapshot = prepareNewest(data);
  if (!snapshot && damage === undefined) return { db: configured(data), warnings: [] };
  const quarantine = `${path}.damaged-${new Date(data.nowMs).toISOString().replaceAll(':', '')}`;
  const aside = damage === undefined ? undefined : moveAside(path, quarantine);
  if (!snapshot) {
    throw new StorageError(
      'damaged',
      `the datastore ${path} is damaged (${damage}) and there is no snapshot to restore; it was kept as ${aside}. Restore a backup, or start again to begin with an empty cluster`,
    );
  }
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

/** Keeps a damaged database with its log, for a person to look at. */
export function moveAside(path: string, to: string): string {
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${to}-wal`);
  renameSync(path, to);
  rmSync(`${path}-shm`, { force: true });
  return to;
}
