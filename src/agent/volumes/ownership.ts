import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Gives a volume to the pod's fsGroup as upstream's SetVolumeOwnership: group on everything, read (and write unless
 * read-only) for it, set-group-id on directories. Links are re-owned, never followed. With `OnRootMismatch` nothing
 * is touched when the root fits already.
 */
export async function applyFsGroup(
  root: string,
  gid: number,
  options: { readonly readOnly: boolean; readonly onRootMismatch: boolean },
): Promise<void> {
  const mask = options.readOnly ? 0o440 : 0o660;
  if (options.onRootMismatch) {
    const stat = await lstat(root);
    const wanted = mask | 0o110 | 0o2000;
    if (stat.gid === gid && (stat.mode & wanted) === wanted) return;
  }
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries) await own(join(entry.parentPath, entry.name), gid, mask);
  await own(root, gid, mask);
}

async function own(path: string, gid: number, mask: number): Promise<void> {
  const stat = await lstat(path);
  await lchown(path, -1, gid);
  if (stat.isSymbolicLink()) return;
  const extra = stat.isDirectory() ? mask | 0o110 | 0o2000 : mask;
  await chmod(path, (stat.mode & 0o7777) | extra);
}
