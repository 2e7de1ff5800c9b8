import { rm } from 'node:fs/promises';
import type { Exec } from '../../lib/exec.ts';
import { mountsBelow } from './mount-table.ts';

/**
 * Unmounts everything at or below a directory, then deletes it. When something stays mounted nothing is deleted:
 * data behind a mount is never a pod's to lose.
 */
export async function removeTree(dir: string, exec: Exec): Promise<void> {
  for (const point of await mountsBelow(dir)) await exec.run(['umount', point]).catch(() => undefined);
  const left = await mountsBelow(dir);
  if (left.length > 0) throw new Error(`cannot delete ${dir}: still mounted: ${left.slice(0, 3).join(', ')}`);
  await rm(dir, { recursive: true, force: true });
}
