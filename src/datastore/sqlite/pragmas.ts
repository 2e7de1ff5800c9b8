import type Database from 'better-sqlite3';
import { LIMITS } from '../../lib/limits.ts';
import { StorageError } from '../port.ts';
import { SCHEMA } from './log-table.ts';

export function isDamage(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB');
}

export function binding(data: { nativeBinding?: string }): Database.Options {
  return data.nativeBinding === undefined ? {} : { nativeBinding: data.nativeBinding };
}

/**
 * Sets what must hold at every open and checks that it does: SQLite forgets `synchronous` and the cache size, and
 * silently keeps another journal mode where it cannot have WAL.
 */
export function configure(db: Database.Database, maxBytes?: number): void {
  const { cacheKiB, walPages, walBytes } = LIMITS.datastore;
  // One process only: the index of the log then needs no shared-memory file.
  const wanted = [
    ['locking_mode', 'exclusive'],
    ['journal_mode', 'wal'],
    ['synchronous', 2],
    ['cache_size', -cacheKiB],
    ['wal_autocheckpoint', walPages],
    ['journal_size_limit', walBytes],
    ['temp_store', 2],
  ] as const;
  for (const [name, value] of wanted) db.pragma(`${name} = ${value}`);
  for (const [name, value] of wanted) {
    const held = db.pragma(name, { simple: true });
    if (held !== value) throw new StorageError('io', `SQLite refuses ${name}=${value} and keeps ${held}`);
  }
  if (maxBytes !== undefined) {
    const pageBytes = db.pragma('page_size', { simple: true }) as number;
    db.pragma(`max_page_count = ${Math.ceil(maxBytes / pageBytes)}`);
  }
  db.exec(SCHEMA);
}
