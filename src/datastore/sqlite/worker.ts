import { parentPort, workerData } from 'node:worker_threads';
import { collectGarbage } from '../../lib/collect-garbage.ts';
import { StorageError } from '../port.ts';
import { LogTable } from './log-table.ts';
import { type OpenedDatabase, openDatabase } from './open-database.ts';
import { isDamage } from './pragmas.ts';
import type {
  Envelope,
  OperationName,
  Operations,
  Packed,
  Reply,
  Request,
  WireError,
  WorkerData,
} from './protocol.ts';
import { replaceDatabase } from './replace-database.ts';
import { takeSnapshot } from './snapshots.ts';

/** For a command: replaces the database and ends. */
function restore(port: NonNullable<typeof parentPort>, data: WorkerData & { restoreFrom: string }): void {
  try {
    port.postMessage({ restored: replaceDatabase({ ...data, from: data.restoreFrom }) } satisfies Reply);
  } catch (error) {
    port.postMessage({ failed: toWire(error) } satisfies Reply);
  }
}

/** The thread that owns SQLite: one request after the other, in the order they came. */
function main(port: NonNullable<typeof parentPort>, data: WorkerData): void {
  let database: OpenedDatabase;
  let table: LogTable;
  try {
    database = openDatabase(data);
    table = new LogTable(database.db);
  } catch (error) {
    port.postMessage({ failed: toWire(error) } satisfies Reply);
    return;
  }
  port.postMessage({ opened: database.opened } satisfies Reply);
  port.on('message', ({ id, request }: Envelope) => {
    if (request.op === 'snapshot') {
      takeSnapshot(database.db, data, request).then(
        (response) => port.postMessage({ id, response } satisfies Reply),
        (error: unknown) => port.postMessage({ id, error: toWire(error) } satisfies Reply),
      );
      return;
    }
    try {
      const response = answer(table, request);
      if (request.op === 'close') database.release();
      port.postMessage({ id, response } satisfies Reply, transferables(response));
      if (request.op === 'close') port.close();
    } catch (error) {
      port.postMessage({ id, error: toWire(error) } satisfies Reply);
    }
  });
}

function answer(table: LogTable, request: Request): Operations[OperationName]['response'] {
  switch (request.op) {
    case 'commit':
      return table.commit(request);
    case 'get':
      return table.get(request.key, request.revision);
    case 'list':
      return table.list(request);
    case 'count':
      return table.count(request.prefix, request.revision);
    case 'changes':
      return table.changes(request);
    case 'compact':
      table.compact(request.revision);
      return null;
    case 'sweep':
      return table.sweep();
    case 'tidy':
      table.shrink();
      // Of this thread alone; the other collects its own.
      collectGarbage();
      return null;
    case 'close':
      table.close(request.revision);
      return null;
    case 'snapshot':
      throw new TypeError('snapshots are taken asynchronously');
  }
}

/** Buffers made for this answer alone. */
function transferables(response: unknown): ArrayBuffer[] {
  if (typeof response !== 'object' || response === null) return [];
  const found: ArrayBuffer[] = [];
  for (const part of [(response as { values?: Packed }).values, (response as { deleted?: Packed }).deleted]) {
    if (part) found.push(part.bytes);
  }
  return found;
}

function toWire(error: unknown): WireError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof StorageError && error.reason !== 'closed') return { reason: error.reason, message };
  const code = (error as { code?: unknown }).code;
  if (code === 'SQLITE_FULL' || code === 'ENOSPC')
    return { reason: 'full', message: `the disk is full (${message})` };
  if (isDamage(error)) return { reason: 'damaged', message };
  if (typeof code === 'string' && code.startsWith('SQLITE_BUSY')) return { reason: 'locked', message };
  return { reason: 'io', message: typeof code === 'string' ? `${message} (${code})` : message };
}

if (parentPort) {
  const data = workerData as WorkerData;
  if (data.restoreFrom === undefined) main(parentPort, data);
  else restore(parentPort, { ...data, restoreFrom: data.restoreFrom });
}
