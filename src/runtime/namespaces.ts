import { statfs } from 'node:fs/promises';

/** `f_type` of a bind-mounted namespace file. */
const NSFS_MAGIC = 0x6e736673;

/**
 * Whether a namespace is pinned at this path. The file alone says nothing: it is there before the namespace is, and
 * after a reboot if its folder lies on a disk.
 */
export async function isNamespace(path: string): Promise<boolean> {
  return (await statfs(path).catch(() => undefined))?.type === NSFS_MAGIC;
}
