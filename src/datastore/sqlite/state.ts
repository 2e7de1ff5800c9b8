import type BetterSqlite3 from 'better-sqlite3';

/** What the store knows about itself: one row, rewritten in the transaction that changes it. */
export interface StoreState {
  /** True from a clean stop to the next start. */
  clean: boolean;
  /** No revision above this one was ever handed out. After a clean stop: the newest revision. */
  reserved: number;
  /** Revisions below this one are no longer promised. */
  compacted: number;
  /** How far what compaction drops was really removed. */
  swept: number;
  /** Folders with volatile keys, and the revision below which history in them is incomplete. */
  volatileFolders: Record<string, number>;
}

const INITIAL: StoreState = { clean: true, reserved: 1, compacted: 0, swept: 0, volatileFolders: {} };

export function readState(db: BetterSqlite3.Database): StoreState {
  const row = db.prepare('SELECT document FROM state WHERE id = 1').get() as { document: string } | undefined;
  return row ? { ...INITIAL, ...(JSON.parse(row.document) as StoreState) } : { ...INITIAL };
}

export function writeState(db: BetterSqlite3.Database, state: StoreState): void {
  db.prepare('INSERT OR REPLACE INTO state (id, document) VALUES (1, ?)').run(JSON.stringify(state));
}

/**
 * The state to run with, given the one found. After an unclean stop any reserved revision may have been used, so
 * counting goes on above them all, and what volatile folders held since then is unknown.
 */
export function startState(
  found: StoreState,
  newestRow: number,
  block: number,
): StoreState & { revision: number } {
  const revision = Math.max(found.reserved, newestRow, 1);
  const volatileFolders = { ...found.volatileFolders };
  if (!found.clean) for (const folder of Object.keys(volatileFolders)) volatileFolders[folder] = revision;
  return { ...found, clean: false, revision, reserved: revision + block, volatileFolders };
}
