import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Exec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { Failure } from '../failure.ts';

/** The snapshot's name in the archive; everything else has the name it has in the server's folder. */
export const SNAPSHOT = 'datastore.db';
/** What lies in the server's folder and is not part of a backup as it lies there. */
const DATABASE_FOLDER = 'db';

/** What a backup holds of a server's folder besides the snapshot: authorities, keys, tokens. */
export function namesToKeep(serverDir: string): readonly string[] {
  return readdirSync(serverDir)
    .filter((name) => name !== DATABASE_FOLDER && !name.startsWith('.') && !/\.replaced-/.test(name))
    .sort();
}

/**
 * Writes the archive so that under its name it is always whole, and nobody but the owner can read it: it holds every
 * secret of the cluster.
 */
export async function writeArchive(
  exec: Exec,
  {
    file,
    serverDir,
    snapshot,
  }: { readonly file: string; readonly serverDir: string; readonly snapshot: string },
): Promise<void> {
  const target = resolve(file);
  const partial = `${target}.partial`;
  // A new file: one that somebody else laid there would stay theirs.
  rmSync(partial, { force: true });
  const handle = await open(partial, 'wx', 0o600);
  await handle.chmod(0o600);
  await handle.close();
  try {
    await exec.run(
      [
        ...['tar', '--create', '--gzip', '--file', partial, '--owner=0', '--group=0', '--sort=name'],
        ...['--directory', dirname(snapshot), `--transform=s|^${basename(snapshot)}$|${SNAPSHOT}|`],
        ...[basename(snapshot), '--directory', serverDir, ...namesToKeep(serverDir)],
      ],
      { timeoutMs: LIMITS.backup.timeoutMs },
    );
    const written = await open(partial, 'r+');
    await written.sync();
    await written.close();
    await rename(partial, target);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** Unpacks a backup into a new folder; throws a `Failure` when it is none, or holds what a backup does not. */
export async function readArchive(exec: Exec, file: string, folder: string): Promise<void> {
  const timeoutMs = LIMITS.backup.timeoutMs;
  const { stdout } = await exec
    .run(['tar', '--list', '--gzip', '--file', resolve(file)], { timeoutMs })
    .catch((cause: unknown) => {
      throw new Failure(`${file} is no backup that can be read`, 1, { cause });
    });
  const names = stdout.trim().split('\n');
  const strange = names.find((name) => name.startsWith('/') || name.split('/').includes('..'));
  if (strange !== undefined || !names.includes(SNAPSHOT) || !names.includes('tls/server-ca.key'))
    throw new Failure(`${file} is no backup of a Kedge server`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await exec.run(
    ['tar', '--extract', '--gzip', '--file', resolve(file), '--directory', folder, '--no-same-owner'],
    { timeoutMs },
  );
  const wrong = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) => {
    const stats = lstatSync(join(folder, name));
    return !stats.isFile() && !stats.isDirectory();
  });
  if (wrong !== undefined) throw new Failure(`${file} is no backup of a Kedge server: ${wrong} is no file`);
}
