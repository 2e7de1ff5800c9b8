import { constants } from 'node:fs';
import { open, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { OciSeccomp } from '../oci/types.ts';

/** A small file of an image; empty when it is absent, leads out of the image, or is no ordinary file. */
export async function readInside(rootfs: string, path: string): Promise<string> {
  try {
    const real = await realpath(join(rootfs, path));
    if (!real.startsWith(`${rootfs}/`)) return '';
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      return stat.isFile() && stat.size < 1024 * 1024 ? await file.readFile('utf8') : '';
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}

/** A seccomp profile that a pod names, in the OCI form. */
export async function readSeccomp(path: string): Promise<OciSeccomp> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as OciSeccomp;
  } catch (cause) {
    throw new Error(`failed to load seccomp profile ${path}`, { cause });
  }
}
