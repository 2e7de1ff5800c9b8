import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { StorageError } from '../port.ts';
import { syncFolder } from './files.ts';
import { lock, moveAside } from './open-database.ts';
import { binding } from './pragmas.ts';
import type { WorkerData } from './protocol.ts';
import { prepareRestore } from './snapshots.ts';
import { readState } from './state.ts';

/** What `restoreSqliteDatastore` does, in the thread that has SQLite. */
export function replaceDatabase(options: WorkerData & { readonly from: string }): string | undefined {
  const { path, from, nowMs } = options;
  if (!existsSync(from)) throw new StorageError('damaged', `there is no snapshot ${from}`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unlock = lock(options);
  try {
    const { prepared, problem } = prepareRestore(from, options, newestRevision(options));
    if (prepared === undefined)
      throw new StorageError('damaged', `the snapshot ${from} is damaged: ${problem}`);
    const aside = `${path}.replaced-${new Date(nowMs).toISOString().replaceAll(':', '')}`;
    const replaced = existsSync(path) ? moveAside(path, aside) : undefined;
    renameSync(prepared, path);
    syncFolder(dirname(path));
    return replaced;
  } finally {
    unlock();
  }
}

/** What the database to replace says it handed out; 0 where it cannot be asked. */
function newestRevision(options: WorkerData): number {
  let db: Database.Database | undefined;
  try {
    db = new Database(options.path, { ...binding(options), fileMustExist: true });
    const newestRow = db.prepare('SELECT max(revision) FROM entries').pluck().get() as number | null;
    return Math.max(readState(db).reserved, newestRow ?? 0);
  } catch {
    return 0;
  } finally {
    db?.close();
  }
}
