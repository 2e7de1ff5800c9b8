import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StorageError } from '../../datastore/port.ts';
import { restoreSqliteDatastore } from '../../datastore/sqlite/restore.ts';
import { createExec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { Failure } from '../failure.ts';
import type { FlagValues } from '../flag.ts';
import { textFlag } from '../node/config.ts';
import { nativeParts } from '../server/native.ts';
import { readArchive, SNAPSHOT } from './archive.ts';

/** Puts a backup in the place of a stopped server's state. What it replaces stays beside it. Safe to run again. */
export async function restore(values: FlagValues, file: string): Promise<number> {
  const dataDir = textFlag(values, 'data-dir');
  const serverDir = join(dataDir, 'server');
  const unpacked = join(serverDir, '.restoring');
  if (!existsSync(file)) throw new Failure(`there is no ${file}`);
  const nowMs = Date.now();
  try {
    await readArchive(createExec(), file, unpacked);
    const kept = [
      await restoreDatabase(join(serverDir, 'db/kedge.db'), { unpacked, dataDir, nowMs }),
      ...restoreFiles(serverDir, unpacked, nowMs),
    ].filter((path) => path !== undefined);
    // Keys that were only in memory when the power went would be empty files.
    await createExec().run(['sync', '--file-system', serverDir], { timeoutMs: LIMITS.backup.timeoutMs });
    say(`The cluster of ${file} is in ${serverDir}; what came after that backup is lost.`);
    for (const path of kept) say(`Replaced, and kept as ${path}`);
    say('Start the server now: systemctl start kedge');
    return 0;
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

/** First, since it finds out whether a server runs and whether the snapshot is good; until then nothing changes. */
async function restoreDatabase(
  path: string,
  {
    unpacked,
    dataDir,
    nowMs,
  }: { readonly unpacked: string; readonly dataDir: string; readonly nowMs: number },
): Promise<string | undefined> {
  try {
    return await restoreSqliteDatastore({
      path,
      from: join(unpacked, SNAPSHOT),
      nowMs,
      ...nativeParts(dataDir),
    });
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause;
    const hint = cause.reason === 'locked' ? ': stop it first, systemctl stop kedge' : '';
    throw new Failure(`${cause.message}${hint}`, 1, { cause });
  }
}

/** Each name at once, by two renames. */
function restoreFiles(serverDir: string, unpacked: string, nowMs: number): string[] {
  const suffix = `.replaced-${new Date(nowMs).toISOString().replaceAll(':', '')}`;
  const kept: string[] = [];
  for (const name of readdirSync(unpacked).filter((one) => one !== SNAPSHOT)) {
    const place = join(serverDir, name);
    if (existsSync(place)) {
      renameSync(place, `${place}${suffix}`);
      kept.push(`${place}${suffix}`);
    }
    renameSync(join(unpacked, name), place);
  }
  return kept;
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
