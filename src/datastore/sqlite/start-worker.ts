import { Worker } from 'node:worker_threads';
import type { WorkerData } from './protocol.ts';

/** The thread that has SQLite, from its source file. */
export function startWorker(workerData: WorkerData): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), {
    workerData,
    name: 'datastore',
    // Rows pass through; nothing is kept. Small spaces keep the thread's heap small.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 },
  });
}
