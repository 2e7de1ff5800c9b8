import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { type Exec, ExecError, type RunOptions, type RunResult } from '../../lib/exec.ts';

/** containerd's command line client, with the address and namespace filled in. */
export interface Ctr {
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  start(args: readonly string[], options?: SpawnOptions): ChildProcess;
  argv(args: readonly string[]): readonly string[];
}

export interface CtrOptions {
  readonly exec: Exec;
  /** Path of containerd's socket. */
  readonly address: string;
  readonly namespace: string;
}

export function createCtr({ exec, address, namespace }: CtrOptions): Ctr {
  const argv = (args: readonly string[]): readonly string[] => [
    'ctr',
    '--address',
    address,
    '--namespace',
    namespace,
    ...args,
  ];
  return {
    argv,
    run: (args, options) => exec.run(argv(args), options),
    start: (args, options) => exec.start(argv(args), options),
  };
}

/** What `ctr` itself said on its last line, without its name in front; other errors as they are. */
export function ctrMessage(error: unknown): string {
  if (!(error instanceof ExecError)) return error instanceof Error ? error.message : String(error);
  if ((error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return 'ctr is not installed; it comes with containerd (apt install containerd)';
  }
  const last = `${error.stdout}\n${error.stderr}`
    .trim()
    .split('\n')
    .findLast((line) => line !== '');
  return last === undefined ? error.message : last.replace(/^ctr: /, '');
}

export const isNotFound = (error: unknown): boolean => /not found/.test(ctrMessage(error));
export const isAlreadyExists = (error: unknown): boolean => /already exists/.test(ctrMessage(error));

/** Runs and swallows "not found": for removals that may have happened before. */
export async function ignoringNotFound(run: Promise<RunResult>): Promise<RunResult | undefined> {
  try {
    return await run;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
