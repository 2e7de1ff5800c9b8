import { readFile, realpath } from 'node:fs/promises';

/** Mount points of this mount namespace, in the order of mounting. */
async function mountPoints(): Promise<readonly string[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The fifth field of each line, with the kernel's octal escapes undone (proc_pid_mountinfo(5)). */
export function parseMountInfo(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((field) => field !== undefined)
    .map((field) =>
      field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

/** Mount points at or below `dir`, deepest last mounted first: the order to unmount in. */
export async function mountsBelow(dir: string): Promise<readonly string[]> {
  const real = await realpath(dir).catch(() => dir);
  const all = await mountPoints();
  return all.filter((point) => point === real || point.startsWith(`${real}/`)).reverse();
}

export async function isMountPoint(dir: string): Promise<boolean> {
  const real = await realpath(dir).catch(() => dir);
  return (await mountPoints()).includes(real);
}
