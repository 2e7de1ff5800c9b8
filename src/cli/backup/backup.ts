import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SNAPSHOT_PATH } from '../../client/server-paths.ts';
import { openSqliteDatastore } from '../../datastore/sqlite/datastore.ts';
import { systemClock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { createLogger, errorText } from '../../lib/log.ts';
import { Failure } from '../failure.ts';
import type { FlagValues } from '../flag.ts';
import { connect } from '../kubectl/connection.ts';
import { optionalFlag, textFlag } from '../node/config.ts';
import { nativeParts } from '../server/native.ts';
import { writeArchive } from './archive.ts';

interface Snapshot {
  readonly serverDir: string;
  readonly path: string;
}

/** Asks the running server for a snapshot, or takes one of a stopped server's data, and packs it with its secrets. */
export async function backup(values: FlagValues, file: string): Promise<number> {
  if (existsSync(file) && values['force'] !== true)
    throw new Failure(`${file} exists; --force writes over it`);
  const dataDir = textFlag(values, 'data-dir');
  const database = join(dataDir, 'server/db/kedge.db');
  if (!existsSync(database)) throw new Failure(`there is no server's data in ${dataDir}; see --data-dir`);
  const snapshot = isInUse(database)
    ? await askServer(values, dataDir)
    : await snapshotOfStopped(database, dataDir);
  await writeArchive(createExec(), { file, serverDir: snapshot.serverDir, snapshot: snapshot.path });
  process.stdout.write(`${file}: the cluster with all its secrets; keep it where nobody else reads it\n`);
  return 0;
}

/** A server notes its pid beside its database; a note without a process is of one that was killed. */
function isInUse(database: string): boolean {
  try {
    return existsSync(`/proc/${readFileSync(`${database}.pid`, 'utf8').trim()}`);
  } catch {
    return false;
  }
}

async function askServer(values: FlagValues, dataDir: string): Promise<Snapshot> {
  const connection = await connect(optionalFlag(values, 'kubeconfig'));
  try {
    const { path } = await connection.json<{ path: string }>('POST', SNAPSHOT_PATH);
    const serverDir = join(dataDir, 'server');
    if (dirname(dirname(path)) !== join(serverDir, 'db') || !existsSync(path))
      throw new Failure(
        `the server that answered keeps its data in ${dirname(path)}, not in ${dataDir}; see --kubeconfig`,
      );
    return { serverDir, path };
  } finally {
    connection.close();
  }
}

async function snapshotOfStopped(path: string, dataDir: string): Promise<Snapshot> {
  const log = createLogger({ level: 'warn' });
  try {
    const store = await openSqliteDatastore({ path, clock: systemClock, log, ...nativeParts(dataDir) });
    try {
      return { serverDir: join(dataDir, 'server'), path: await store.snapshot() };
    } finally {
      await store.close();
    }
  } catch (cause) {
    throw new Failure(`cannot read the datastore: ${errorText(cause)}`, 1, { cause });
  }
}
