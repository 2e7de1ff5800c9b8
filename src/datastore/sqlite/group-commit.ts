import type { Change, CommitResult, Write } from '../port.ts';
import { type CommitRequest, type CommitResponse, pack, unpack } from './protocol.ts';
import { toRows, type VolatileOverlay } from './volatile-overlay.ts';

/** One caller's writes, waiting to be committed. */
export interface Batch {
  readonly writes: readonly Write[];
  resolve(result: CommitResult): void;
  reject(error: Error): void;
}

export interface GroupOptions {
  readonly batches: readonly Batch[];
  /** All of theirs. */
  readonly writes: readonly Write[];
  readonly firstRevision: number;
  readonly flush: ReturnType<VolatileOverlay['unstored']>;
  readonly reserved: number | undefined;
  readonly volatileFolders: Readonly<Record<string, number>> | undefined;
}

/** The message that commits a group, and the buffers it hands over. */
export function buildCommit(options: GroupOptions): { request: CommitRequest; transfer: ArrayBuffer[] } {
  const { batches, writes, firstRevision, reserved, volatileFolders } = options;
  const values = pack(writes.map((write) => write.value));
  const flush = options.flush.length === 0 ? undefined : toRows(options.flush);
  const request: CommitRequest = {
    op: 'commit',
    firstRevision,
    batches: batches.map((batch) => batch.writes.length),
    keys: writes.map((write) => write.key),
    expected: writes.map((write) => write.expectedRevision ?? -1),
    values,
    flush,
    reserved,
    volatileFolders,
  };
  return { request, transfer: flush ? [values.bytes, flush.values.bytes] : [values.bytes] };
}

export interface Outcome {
  readonly batch: Batch;
  readonly result: CommitResult;
  readonly changes: readonly Change[];
}

/** What became of each batch. `revision` is the store's before the group; `lastRevision` 0 when nothing changed. */
export function readCommit(
  batches: readonly Batch[],
  response: CommitResponse,
  revision: number,
): { outcomes: readonly Outcome[]; lastRevision: number } {
  const deleted = response.deleted ? unpack(response.deleted) : [];
  let newest = revision;
  let lastRevision = 0;
  let at = 0;
  let deletedAt = 0;
  const outcomes = batches.map((batch, index): Outcome => {
    const conflict = response.conflicts[index];
    const changes: Change[] = [];
    const revisions: number[] = [];
    for (const { key, value, decoded } of batch.writes) {
      const written = response.revisions[at] as number;
      const createRevision = response.createRevisions[at++] as number;
      if (written === 0) {
        revisions.push(newest);
        continue;
      }
      newest = lastRevision = written;
      const type = value === undefined ? 'delete' : 'put';
      const bytes = value ?? deleted[deletedAt++] ?? new Uint8Array();
      changes.push({ type, key, value: bytes, revision: written, createRevision, volatile: false, decoded });
      revisions.push(written);
    }
    const result: CommitResult = conflict
      ? { ok: false, key: conflict.key, current: conflict.current }
      : { ok: true, revision: newest, revisions };
    return { batch, result, changes };
  });
  return { outcomes, lastRevision };
}
