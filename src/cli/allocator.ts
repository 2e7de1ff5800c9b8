import { isSea } from 'node:sea';

/**
 * glibc gives each of our dozen threads an arena of its own and keeps what they free: 9 MB of an idle server, 20 to 40
 * after a busy hour. One arena, and pieces of 64 KiB and more straight from the kernel and back to it.
 */
const SETTINGS = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
} as const;

const LONG_RUNNING = new Set(['server', 'agent']);

/**
 * The environment in which a long-running command should start anew, since glibc reads these settings only when a
 * process begins; `undefined` where it has them (from a service unit) or does not need them.
 */
export function allocatorEnvironment(
  argv: readonly string[],
  env: Readonly<NodeJS.ProcessEnv>,
): NodeJS.ProcessEnv | undefined {
  if (!LONG_RUNNING.has(argv[0] ?? '') || env['MALLOC_ARENA_MAX'] !== undefined) return undefined;
  return { ...env, ...SETTINGS };
}

/** Replaces this process by one with those settings, under the same pid, where it is the packaged executable. */
export function tuneAllocator(argv: readonly string[]): void {
  const env = isSea() ? allocatorEnvironment(argv, process.env) : undefined;
  if (env) process.execve?.(process.execPath, [process.argv0, ...argv], env);
}
