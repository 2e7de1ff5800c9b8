import { readFile } from 'node:fs/promises';
import type { Exec } from '../../lib/exec.ts';

/** Mount points at or below a directory, the deepest first, from `/proc/self/mounts`. */
export async function mountsBelow(dir: string): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  return table
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[1] ?? ''))
    .filter((path) => path === dir || path.startsWith(`${dir}/`))
    .toReversed();
}

/** Unmounts everything at or below a directory with one process, or none when nothing is mounted. */
export async function unmountAll(exec: Exec, dir: string): Promise<void> {
  const mounts = await mountsBelow(dir);
  if (mounts.length === 0) return;
  await exec.run(['umount', '--lazy', ...mounts]);
}

function unescapeOctal(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
