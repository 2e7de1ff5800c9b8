import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { LIMITS } from '../../lib/limits.ts';
import { syncFile, syncFolder } from './files.ts';
import { binding } from './pragmas.ts';
import type { WorkerData } from './protocol.ts';
import { readState, writeState } from './state.ts';

/** Named by revision, which never goes back; a board's clock does. */
const NAME = /^revision-\d{16}\.db$/;
const nameAt = (revision: number): string => `revision-${String(revision).padStart(16, '0')}.db`;

function snapshotFolder(path: string): string {
  return join(dirname(path), 'snapshots');
}

/** Snapshots of the database at `path`, newest first. */
function listSnapshots(path: string): string[] {
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
 * final name a snapshot is always whole. Answers its path, or that of one no older than `maxAgeMs`.
 */
export async function takeSnapshot(
  db: Database.Database,
  data: WorkerData,
  { revision, nowMs, maxAgeMs }: { revision: number; nowMs: number; maxAgeMs: number },
): Promise<string> {
  const newest = listSnapshots(data.path)[0];
  if (newest !== undefined && isYoung(newest, nowMs, maxAgeMs)) return newest;
  const partial = partialIn(data.path);
  try {
    await db.backup(partial);
    const problem = problemOf(partial, data);
    if (problem) throw new Error(`the copy is damaged: ${problem}`);
    return keep(partial, data.path, revision);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** A snapshot from the future was named by a clock that was wrong. */
function isYoung(path: string, nowMs: number, maxAgeMs: number): boolean {
  const ageMs = nowMs - statSync(path).mtimeMs;
  return ageMs >= 0 && ageMs < maxAgeMs;
}

function partialIn(path: string): string {
  const folder = snapshotFolder(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const partial = join(folder, 'partial');
  rmSync(partial, { force: true });
  return partial;
}

function keep(partial: string, path: string, revision: number): string {
  const kept = join(snapshotFolder(path), nameAt(revision));
  syncFile(partial);
  renameSync(partial, kept);
  syncFolder(snapshotFolder(path));
  for (const old of listSnapshots(path).slice(LIMITS.datastore.snapshots)) rmSync(old, { force: true });
  return kept;
}

/** Copies the newest snapshot that is whole next to the database, ready to take its place by a rename. */
export function prepareNewest(data: WorkerData): { from: string; prepared: string } | undefined {
  for (const from of listSnapshots(data.path)) {
    const { prepared } = prepareRestore(from, data, 0);
    if (prepared) return { from, prepared };
  }
  return undefined;
}

/**
 * Copies a snapshot next to the database and readies it: what was acknowledged after it was taken is gone, and those
 * revisions, and any below `above`, must neither come again nor be watched from. The readied state becomes the newest
 * snapshot, so that restoring twice does not count from the same revision twice.
 */
export function prepareRestore(
  from: string,
  data: WorkerData,
  above: number,
): { prepared: string; problem?: undefined } | { prepared?: undefined; problem: string } {
  const prepared = `${data.path}.restoring`;
  copyFileSync(from, prepared);
  let reserved = 0;
  const problem = problemOf(prepared, data, (db) => {
    const state = readState(db);
    const newestRow = db.prepare('SELECT max(revision) FROM entries').pluck().get() as number | null;
    reserved = Math.max(state.reserved, newestRow ?? 0, above) + LIMITS.datastore.restoreJump;
    writeState(db, { ...state, clean: false, reserved, compacted: reserved });
  });
  if (problem !== undefined) {
    rmSync(prepared, { force: true });
    return { problem };
  }
  syncFile(prepared);
  const partial = partialIn(data.path);
  copyFileSync(prepared, partial);
  keep(partial, data.path, reserved);
  return { prepared };
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
