import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readlink, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Exec } from '../../lib/exec.ts';
import { isMountPoint } from './mount-table.ts';

/** Linux: a handle that names a place without opening it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * Binds `<volume>/<subPath>` at `target` and answers `target`. What is bound is the very file that was checked: it is
 * reached step by step without following a link, held open, and bound through that handle, so a pod that swaps a link
 * in between gets nothing outside its volume (upstream's subpath.SafeMakeDir and doBindSubPath).
 */
export async function bindSubPath(options: {
  readonly volume: string;
  readonly subPath: string;
  readonly target: string;
  readonly exec: Exec;
}): Promise<string> {
  const { volume, subPath, target, exec } = options;
  if (subPath.startsWith('/') || subPath.split('/').includes('..'))
    throw new Error(`subPath ${JSON.stringify(subPath)} must be relative and must not contain '..'`);
  if (await isMountPoint(target)) return target;
  const base = await realpath(volume);
  const wanted = await resolveInside(base, subPath);
  const handle = await walk(base, wanted);
  try {
    const source = `/proc/${process.pid}/fd/${handle.fd}`;
    const real = await readlink(source);
    if (real !== base && !real.startsWith(`${base}/`))
      throw new Error(`subPath ${JSON.stringify(subPath)} leads outside its volume`);
    if ((await stat(source)).isDirectory()) await mkdir(target, { recursive: true });
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, '', { flag: 'a' });
    }
    await exec.run(['mount', '--no-canonicalize', '--bind', source, target]);
    return target;
  } finally {
    await handle.close();
  }
}

/** Follows links that exist now, then insists that the result lies inside; the part that is missing is kept. */
async function resolveInside(base: string, subPath: string): Promise<readonly string[]> {
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  const missing: string[] = [];
  for (let at = parts; ; at = at.slice(0, -1)) {
    const real = await realpath(join(base, ...at)).catch(() => undefined);
    if (real !== undefined) {
      if (real !== base && !real.startsWith(`${base}/`))
        throw new Error(`subPath ${JSON.stringify(subPath)} leads outside its volume`);
      const inside = relative(base, real);
      return [...(inside === '' ? [] : inside.split('/')), ...missing];
    }
    const name = at.at(-1);
    if (name === undefined) throw new Error(`volume directory ${base} does not exist`);
    missing.unshift(name);
  }
}

/** Opens each step below the one before; makes directories that are missing; refuses every link. */
async function walk(base: string, parts: readonly string[]): Promise<FileHandle> {
  let handle = await open(base, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    for (const part of parts) {
      const path = `/proc/self/fd/${handle.fd}/${part}`;
      await mkdir(path, { mode: 0o750 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      const next = await open(path, O_PATH | O_NOFOLLOW);
      await handle.close();
      handle = next;
      if (
        (await readlink(`/proc/self/fd/${handle.fd}`)).length === 0 ||
        (await handle.stat()).isSymbolicLink()
      )
        throw new Error(`subPath step ${JSON.stringify(part)} is a symbolic link`);
    }
    return handle;
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}
