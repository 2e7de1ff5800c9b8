/**
 * Pseudo terminals come from util-linux `script` (package bsdutils, essential on Debian). `script -c` takes a shell
 * string; ours is built from names of variables only, `exec "$KEDGE_ARG_0" …`, and the arguments travel in the
 * environment, so nothing is ever quoted or parsed.
 */
export function variables(argv: readonly string[]): {
  readonly env: Readonly<Record<string, string>>;
  /** `"$KEDGE_ARG_0" "$KEDGE_ARG_1" …` */
  readonly words: string;
} {
  const env: Record<string, string> = { SHELL: '/bin/sh' };
  argv.forEach((value, index) => {
    env[`KEDGE_ARG_${index}`] = value;
  });
  return { env, words: argv.map((_, index) => `"$KEDGE_ARG_${index}"`).join(' ') };
}

/** Bytes pass unchanged both ways from the very start; `ctr` itself turns output processing on again. */
const RAW = 'stty raw -echo -onlcr';

/**
 * Runs a program on a pseudo terminal of its own. `raw`: for a session that somebody else's terminal is connected to;
 * the program's own complaints go to file descriptor 3. `prompt`: for a program that asks a question; what it prints is dropped except errors.
 */
export function terminalArgv(
  argv: readonly string[],
  mode: 'raw' | 'prompt',
): { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const { env, words } = variables(argv);
  const command = mode === 'raw' ? `${RAW}; exec ${words} 2>&3` : `stty -echo; exec ${words} >/dev/null`;
  return { argv: ['script', '--quiet', '--return', '--flush', '--command', command, '/dev/null'], env };
}

/** The same as part of a shell line; the terminal's device is written to the file that `deviceFile` names. */
export function terminalCommand(words: string, deviceFile: string): string {
  return `script --quiet --return --flush --command '${RAW}; tty >${deviceFile}; exec ${words} 2>/dev/null' /dev/null`;
}
