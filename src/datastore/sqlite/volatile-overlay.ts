import { compareKeys } from '../keys.ts';
import type { Change, Entry } from '../port.ts';
import { pack, type Rows } from './protocol.ts';

/** One version of a key that was written volatile, or was read from disk so that it can be. */
interface Version {
  readonly key: string;
  /** `undefined`: deleted, or never there (revision 0). */
  readonly value: Uint8Array | undefined;
  readonly revision: number;
  readonly createRevision: number;
  /** The last value before a deletion. */
  readonly before: Uint8Array | undefined;
  /** The disk has this version. */
  stored: boolean;
  /** The disk's newest version of this key is live; what `count` must correct for. */
  diskLive: boolean;
  inHistory: boolean;
  /** Revision of the next version of this key, 0 for none. */
  supersededBy: number;
}

/** Rough cost of one version beside its value. */
const VERSION_BYTES = 200;

/**
 * Volatile writes that the disk does not have yet, laid over what it has. Keys are grouped in folders
 * (`/registry/<group>/<resource>/`); for each the overlay knows from which revision on its history is complete.
 */
export class VolatileOverlay {
  readonly #newest = new Map<string, Version>();
  /** Recent versions in revision order, superseded ones among them. */
  readonly #history: Version[] = [];
  readonly #historyLimit: number;
  readonly #folders: Map<string, number>;
  #unstoredBytes = 0;

  constructor(folders: Readonly<Record<string, number>>, historyLimit: number) {
    this.#folders = new Map(Object.entries(folders));
    this.#historyLimit = historyLimit;
  }

  get unstoredBytes(): number {
    return this.#unstoredBytes;
  }

  has(key: string): boolean {
    return this.#newest.has(key);
  }

  knowsFolderOf(key: string): boolean {
    return this.#folders.has(folderOf(key));
  }

  /** Registers the folder; its history is complete from `revision` on. */
  addFolder(folder: string, revision: number): void {
    if (!this.#folders.has(folder)) this.#folders.set(folder, revision);
  }

  /** True where no key under `prefix` can be volatile, so that the disk alone answers. */
  misses(prefix: string): boolean {
    for (const folder of this.#folders.keys()) if (overlaps(folder, prefix)) return false;
    return true;
  }

  /** The revision below which history under `prefix` is incomplete; 0 where nothing was lost. */
  lostBelow(prefix: string): number {
    let revision = 0;
    for (const [folder, lost] of this.#folders)
      if (lost > revision && overlaps(folder, prefix)) revision = lost;
    return revision;
  }

  /** Takes in what the disk holds for a key (`undefined`: nothing), so that writes to it can be compared at once. */
  load(key: string, entry: Entry | undefined): void {
    if (this.#newest.has(key)) return;
    this.#newest.set(key, {
      key,
      value: entry?.value,
      revision: entry?.revision ?? 0,
      createRevision: entry?.createRevision ?? 0,
      before: undefined,
      stored: true,
      diskLive: entry !== undefined,
      inHistory: false,
      supersededBy: 0,
    });
  }

  /** The newest entry of a key the overlay `has`. */
  current(key: string): Entry | undefined {
    return toEntry(this.#newest.get(key));
  }

  write(key: string, value: Uint8Array | undefined, revision: number): Change {
    const previous = this.#newest.get(key);
    const live = previous?.value !== undefined;
    const version: Version = {
      key,
      value: value?.slice(),
      revision,
      createRevision: live ? previous.createRevision : revision,
      before: value === undefined ? previous?.value : undefined,
      stored: false,
      diskLive: previous?.diskLive ?? false,
      inHistory: true,
      supersededBy: 0,
    };
    if (previous) {
      previous.supersededBy = revision;
      if (!previous.stored) this.#unstoredBytes -= costOf(previous);
      if (!previous.inHistory) this.#forget(previous);
    }
    this.#newest.set(key, version);
    this.#unstoredBytes += costOf(version);
    this.#history.push(version);
    if (this.#history.length > this.#historyLimit) this.#dropOldest();
    return toChange(version);
  }

  /** Versions that the disk lacks. */
  unstored(): readonly Version[] {
    return [...this.#newest.values()].filter(needsStoring);
  }

  /** Those of the keys that these writes are about. */
  unstoredOf(writes: Iterable<{ readonly key: string }>): readonly Version[] {
    const found: Version[] = [];
    for (const { key } of writes) {
      const version = this.#newest.get(key);
      if (version !== undefined && needsStoring(version)) found.push(version);
    }
    return found;
  }

  /** The disk has these now. What nobody wrote since leaves memory. */
  markStored(versions: readonly Version[]): void {
    for (const version of versions) {
      version.stored = true;
      const newest = this.#newest.get(version.key);
      if (newest === version) {
        this.#unstoredBytes -= costOf(version);
        this.#newest.delete(version.key);
      } else if (newest) newest.diskLive = version.value !== undefined;
    }
  }

  /** Durable writes replaced these keys on disk. */
  replaced(changes: Iterable<{ readonly key: string }>): void {
    for (const { key } of changes) {
      const version = this.#newest.get(key);
      if (!version) continue;
      if (!version.stored) this.#unstoredBytes -= costOf(version);
      this.#newest.delete(key);
    }
  }

  /** The version of `key` visible at `revision`, where the overlay has it and the disk does not. */
  visible(key: string, revision: number): { entry: Entry | undefined } | undefined {
    const newest = this.#newest.get(key);
    const version =
      newest && isVisible(newest, revision)
        ? newest
        : this.#history.findLast((candidate) => candidate.key === key && isVisible(candidate, revision));
    return version && { entry: toEntry(version) };
  }

  /** Lays versions visible at `revision` over the disk's entries in key order. */
  mergeList(entries: readonly Entry[], range: { prefix: string; start: string; revision: number }): Entry[] {
    const found = this.#visibleIn(range);
    if (found.size === 0) return [...entries];
    const merged = new Map(entries.map((entry) => [entry.key, entry]));
    for (const [key, version] of found) {
      if ((merged.get(key)?.revision ?? 0) >= version.revision) continue;
      const entry = toEntry(version);
      if (entry) merged.set(key, entry);
      else merged.delete(key);
    }
    return [...merged.values()].sort((a, b) => compareKeys(a.key, b.key));
  }

  /** How many of the disk's entries in the range the overlay may remove; a page must read that many more. */
  removals(range: { prefix: string; start: string; revision: number }): number {
    let count = 0;
    for (const version of this.#visibleIn(range).values()) if (version.value === undefined) count++;
    return count;
  }

  #visibleIn(range: { prefix: string; start: string; revision: number }): Map<string, Version> {
    const found = new Map<string, Version>();
    const consider = (version: Version): void => {
      const { key, revision } = version;
      if (!isVisible(version, range.revision)) return;
      if (!key.startsWith(range.prefix) || compareKeys(key, range.start) < 0) return;
      if ((found.get(key)?.revision ?? 0) < revision) found.set(key, version);
    };
    for (const version of this.#history) consider(version);
    for (const version of this.#newest.values()) consider(version);
    return found;
  }

  /** By how much the number of live keys under `prefix` differs from the disk's. */
  countCorrection(prefix: string): number {
    let correction = 0;
    for (const version of this.#newest.values()) {
      if (version.stored || !version.key.startsWith(prefix)) continue;
      correction += Number(version.value !== undefined) - Number(version.diskLive);
    }
    return correction;
  }

  /** Changes after a revision that the overlay has, in no particular order; the disk may have some of them too. */
  changes(prefix: string, afterRevision: number): Change[] {
    const found = new Set<Version>();
    for (const version of this.#history) found.add(version);
    for (const version of this.#newest.values()) if (!version.stored) found.add(version);
    return [...found]
      .filter((version) => version.revision > afterRevision && version.key.startsWith(prefix))
      .map(toChange);
  }

  /** The folders to store; on a clean stop what is left unstored is lost history. */
  folders(options: { closing: boolean }): Record<string, number> {
    if (options.closing) while (this.#history.length > 0) this.#dropOldest();
    return Object.fromEntries(this.#folders);
  }

  #dropOldest(): void {
    const oldest = this.#history.shift();
    if (!oldest) return;
    oldest.inHistory = false;
    if (oldest.supersededBy > 0 || !needsStoring(oldest)) this.#forget(oldest);
  }

  /** `version` is leaving memory: where the disk does not have it, history up to it is incomplete. */
  #forget(version: Version): void {
    if (version.stored) return;
    const folder = folderOf(version.key);
    const lost = Math.max(version.supersededBy, version.revision);
    if (lost > (this.#folders.get(folder) ?? 0)) this.#folders.set(folder, lost);
    if (this.#newest.get(version.key) === version) {
      this.#unstoredBytes -= costOf(version);
      this.#newest.delete(version.key);
    }
  }
}

/** Stored versions are left to the disk, which also knows what durable writes did to the key since. */
function isVisible(version: Version, revision: number): boolean {
  if (version.stored || version.revision > revision) return false;
  return version.supersededBy === 0 || version.supersededBy > revision;
}

/** A key that came and went between two flushes never reaches the disk. */
function needsStoring(version: Version): boolean {
  return !version.stored && (version.value !== undefined || version.diskLive);
}

export function toRows(versions: ReturnType<VolatileOverlay['unstored']>): Rows {
  return {
    keys: versions.map((version) => version.key),
    revisions: versions.map((version) => version.revision),
    createRevisions: versions.map((version) => version.createRevision),
    values: pack(versions.map((version) => version.value)),
  };
}

/** `/registry/<group>/<resource>/` for storage keys; for shorter ones everything up to the last slash. */
export function folderOf(key: string): string {
  let at = -1;
  for (let depth = 0; depth < 4; depth++) {
    const next = key.indexOf('/', at + 1);
    if (next < 0) break;
    at = next;
  }
  return key.slice(0, at + 1);
}

function overlaps(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder);
}

function costOf(version: Version): number {
  return VERSION_BYTES + (version.value?.length ?? 0);
}

function toEntry(version: Version | undefined): Entry | undefined {
  if (version?.value === undefined) return undefined;
  const { key, value, revision, createRevision } = version;
  return { key, value, revision, createRevision };
}

function toChange(version: Version): Change {
  const { key, value, before, revision, createRevision } = version;
  return {
    type: value === undefined ? 'delete' : 'put',
    key,
    value: value ?? before ?? new Uint8Array(),
    revision,
    createRevision,
    volatile: true,
  };
}
