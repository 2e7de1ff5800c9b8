import type { Exec } from '../../lib/exec.ts';
import { terminalArgv } from './terminal.ts';

/**
 * Pulls with a password that appears in no argument list and no file: `ctr images pull --user <name>` asks for it on
 * a terminal, so it gets a pseudo terminal, and the password comes through that.
 */
export async function pullWithPassword(options: {
  readonly exec: Exec;
  /** `ctr … images pull --user <name> <reference>` */
  readonly argv: readonly string[];
  readonly password: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}): Promise<void> {
  const { exec, argv, password, timeoutMs, signal } = options;
  if (/[\r\n]/.test(password)) throw new Error('the registry password contains a line break');
  const terminal = terminalArgv(argv, 'prompt');
  await exec.run(terminal.argv, {
    env: terminal.env,
    stdin: `${password}\n`,
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
}
