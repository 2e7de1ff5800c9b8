import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Payload } from './payload.ts';

/**
 * Makes a directory show exactly the payload, all of it changing at one instant, as upstream's AtomicWriter: files
 * live in a timestamped directory, `..data` points to it, and user-visible names are links through `..data`.
 * Answers whether anything changed. Safe to run again after dying between any two steps.
 */
export async function writeAtomically(dir: string, payload: Payload, stamp: string): Promise<boolean> {
  await mkdir(dir, { recursive: true });
  const current = await readlink(join(dir, '..data')).catch(() => undefined);
  if (current !== undefined && (await sameFiles(join(dir, current), payload))) return false;
  const fresh = `..${stamp}`;
  await rm(join(dir, fresh), { recursive: true, force: true });
  await mkdir(join(dir, fresh), { mode: 0o755 });
  for (const [path, { data, mode, uid }] of payload) {
    const file = join(dir, fresh, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, data, { mode });
    // The umask of this process must not narrow what the pod asked for.
    await chmod(file, mode);
    if (uid !== undefined) await chown(file, uid, -1);
  }
  await rm(join(dir, '..data_tmp'), { force: true });
  await symlink(fresh, join(dir, '..data_tmp'));
  await rename(join(dir, '..data_tmp'), join(dir, '..data'));
  await linkNames(dir, payload);
  for (const name of await readdir(dir))
    if (name.startsWith('..') && name !== '..data' && name !== fresh)
      await rm(join(dir, name), { recursive: true, force: true });
  return true;
}

/** Names at the top of the volume: missing ones are added, those no longer in the payload go. */
async function linkNames(dir: string, payload: Payload): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of wanted) {
    const link = join(dir, name);
    const known = await lstat(link).catch(() => undefined);
    if (known === undefined) await symlink(join('..data', name), link);
  }
  for (const name of await readdir(dir))
    if (!name.startsWith('..') && !wanted.has(name)) await rm(join(dir, name), { force: true });
}

async function sameFiles(dir: string, payload: Payload): Promise<boolean> {
  const names = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (names === undefined) return false;
  if (names.filter((entry) => entry.isFile()).length !== payload.size) return false;
  for (const [path, { data, mode }] of payload) {
    const file = join(dir, path);
    const stat = await lstat(file).catch(() => undefined);
    if (stat === undefined || !stat.isFile() || stat.size !== data.length) return false;
    // fsGroup may have added group bits.
    if ((stat.mode & 0o777 & ~0o060) !== (mode & 0o777 & ~0o060)) return false;
    if (!(await readFile(file)).equals(data)) return false;
  }
  return true;
}
