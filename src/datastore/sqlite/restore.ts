import type { Worker } from 'node:worker_threads';
import { StorageError } from '../port.ts';
import type { Reply, WorkerData } from './protocol.ts';
import { startWorker } from './start-worker.ts';

export interface RestoreOptions {
  /** The database to replace; need not exist. */
  readonly path: string;
  /** A snapshot, as `snapshot()` writes them. What it holds becomes the newest snapshot, which may drop the oldest. */
  readonly from: string;
  readonly nowMs: number;
  /** As for `openSqliteDatastore`. */
  readonly nativeBinding?: string;
  readonly createWorker?: (workerData: WorkerData) => Worker;
}

/**
 * Puts a snapshot in the place of the database while no server runs. The replaced one is kept beside it; answers
 * under which name. Rejects with `StorageError`: `locked` while a server has the data, `damaged` when the snapshot is
 * no good (then nothing was changed).
 */
export function restoreSqliteDatastore(options: RestoreOptions): Promise<string | undefined> {
  const { createWorker = startWorker, from, ...data } = options;
  const worker = createWorker({ ...data, restoreFrom: from });
  return new Promise((resolve, reject) => {
    worker.once('error', (cause) => reject(new StorageError('io', 'the datastore thread failed', { cause })));
    worker.once('message', (reply: Reply) => {
      if ('restored' in reply) resolve(reply.restored);
      else if ('failed' in reply) reject(new StorageError(reply.failed.reason, reply.failed.message));
    });
  });
}
