import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { Worker } from 'node:worker_threads';
import { readAsset } from '../../lib/assets.ts';

/** What the datastore needs to run from the packaged executable, where neither addon nor worker are files. */
export interface NativeParts {
  readonly nativeBinding?: string;
  readonly createWorker?: (workerData: unknown) => Worker;
}

/** Unpacks the SQLite addon once into `<dataDir>/bin`, named by its content so that an upgrade brings its own. */
export function nativeParts(dataDir: string): NativeParts {
  if (!isSea()) return {};
  const addon = readAsset('better_sqlite3.node');
  const digest = createHash('sha256').update(addon).digest('hex').slice(0, 16);
  const folder = join(dataDir, 'bin');
  const nativeBinding = join(folder, `better_sqlite3-${digest}.node`);
  if (!existsSync(nativeBinding)) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const temporary = `${nativeBinding}.${process.pid}`;
    writeFileSync(temporary, addon, { mode: 0o755, flush: true });
    renameSync(temporary, nativeBinding);
  }
  const source = getAsset('sqlite-worker.cjs', 'utf8');
  return {
    nativeBinding,
    createWorker: (workerData) => new Worker(source, { eval: true, workerData, execArgv: [] }),
  };
}
