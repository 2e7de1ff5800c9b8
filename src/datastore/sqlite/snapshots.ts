import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { LIMITS } from '../../lib/limits.ts';
import { syncFile, syncFolder } from './files.ts';
import { binding } from './pragmas.ts';
import type { WorkerData } from './protocol.ts';
import { readState, writeState } from './state.ts';

const NAME = /^\d{8}T\d{6}\.\d{3}Z\.db$/;

function nameAt(epochMs: number): string {
  return `${new Date(epochMs).toISOString().replaceAll(/[-:]/g, '')}.db`;
}

export function snapshotFolder(path: string): string {
  return join(dirname(path), 'snapshots');
}

/** Snapshots of the database at `path`, newest first. */
export function listSnapshots(path: string): string[] {
  const folder = snapshotFolder(path);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort()
    .reverse()
    .map((name) => join(folder, name));
}

/**
 * Writes a checked copy of the database and removes the oldest beyond the bound. Commits go on meanwhile. Under its
 * final name a snapshot is always whole. Answers its path.
 */
export async function takeSnapshot(
  db: Database.Database,
  data: WorkerData,
  { nowMs, maxAgeMs }: { nowMs: number; maxAgeMs: number },
): Promise<string> {
  const newest = listSnapshots(data.path)[0];
  if (newest !== undefined && basename(newest) > nameAt(nowMs - maxAgeMs)) return newest;
  const folder = snapshotFolder(data.path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const partial = join(folder, 'partial');
  const path = join(folder, nameAt(nowMs));
  rmSync(partial, { force: true });
  try {
    await db.backup(partial);
    const problem = problemOf(partial, data);
    if (problem) throw new Error(`the copy is damaged: ${problem}`);
    syncFile(partial);
    renameSync(partial, path);
    syncFolder(folder);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  for (const old of listSnapshots(data.path).slice(LIMITS.datastore.snapshots)) rmSync(old, { force: true });
  return path;
}

/** Copies the newest snapshot that is whole next to the database, ready to take its place by a rename. */
export function restoreNewest(data: WorkerData): { from: string; prepared: string } | undefined {
  const prepared = `${data.path}.restoring`;
  for (const from of listSnapshots(data.path)) {
    copyFileSync(from, prepared);
    if (problemOf(prepared, data, skipRevisions) === undefined) {
      syncFile(prepared);
      return { from, prepared };
    }
    rmSync(prepared, { force: true });
  }
  return undefined;
}

/** What was acknowledged after the snapshot is gone; its revisions must not come again, nor be watched from. */
function skipRevisions(db: Database.Database): void {
  const state = readState(db);
  const newestRow = db.prepare('SELECT max(revision) FROM entries').pluck().get() as number | null;
  const reserved = Math.max(state.reserved, newestRow ?? 0) + LIMITS.datastore.restoreJump;
  writeState(db, { ...state, clean: false, reserved, compacted: reserved });
}

/** What is wrong with the database file, `undefined` when nothing is. Leaves no log file behind. */
function problemOf(
  path: string,
  data: WorkerData,
  then?: (db: Database.Database) => void,
): string | undefined {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { ...binding(data), fileMustExist: true });
    db.pragma('locking_mode = exclusive');
    // A snapshot has no log; left in WAL mode, opening it would make one.
    db.pragma('journal_mode = delete');
    const verdict = db.pragma('quick_check(1)', { simple: true });
    if (verdict !== 'ok') return String(verdict);
    then?.(db);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    db?.close();
  }
}
