import type { Stats } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HostPathVolumeSource } from '../../api/types.gen.ts';
import type { VolumeKind } from './volume.ts';

const CHECKS: Readonly<Record<string, { readonly is: (stats: Stats) => boolean; readonly what: string }>> = {
  Directory: { is: (stats) => stats.isDirectory(), what: 'directory' },
  DirectoryOrCreate: { is: (stats) => stats.isDirectory(), what: 'directory' },
  File: { is: (stats) => stats.isFile(), what: 'file' },
  FileOrCreate: { is: (stats) => stats.isFile(), what: 'file' },
  Socket: { is: (stats) => stats.isSocket(), what: 'socket file' },
  CharDevice: { is: (stats) => stats.isCharacterDevice(), what: 'character device' },
  BlockDevice: { is: (stats) => stats.isBlockDevice(), what: 'block device' },
};

/** A path of the node. */
export const hostPath: VolumeKind = {
  live: false,
  async mount({ volume }) {
    const path = await checkHostPath(volume.hostPath ?? { path: '' });
    return { hostPath: path, ownable: false };
  },
};

/** The path, created where the type says so; rejects with upstream's message when it is of another type. */
export async function checkHostPath(source: HostPathVolumeSource): Promise<string> {
  const { path, type = '' } = source;
  if (!path.startsWith('/') || path.split('/').includes('..'))
    throw new Error(`hostPath ${JSON.stringify(path)} must be an absolute path without '..'`);
  if (type === '') return createIfMissing(path);
  const check = CHECKS[type];
  if (check === undefined) throw new Error(`hostPath type check failed: ${type} is an invalid volume type`);
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === 'FileOrCreate') await createFile(path);
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined || !check.is(stats))
    throw new Error(`hostPath type check failed: ${path} is not a ${check.what}`);
  return path;
}

/** Without a type a missing path becomes a directory, as container runtimes do. */
async function createIfMissing(path: string): Promise<string> {
  if ((await stat(path).catch(() => undefined)) === undefined)
    await mkdir(path, { recursive: true, mode: 0o755 });
  return path;
}

async function createFile(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) !== undefined) return;
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a', 0o644);
  await file.close();
}
