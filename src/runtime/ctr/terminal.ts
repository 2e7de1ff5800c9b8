/**
 * Runs a program on a pseudo terminal of its own, through util-linux `script` (package bsdutils, essential on
 * Debian). `script -c` takes a shell string; ours is built from variable names only, `exec "$KEDGE_ARG_0" …`, and
 * the arguments travel in the environment, so nothing is ever quoted or parsed.
 *
 * `raw`: bytes pass unchanged both ways from the very start. `prompt`: for a program that asks a question; what it
 * prints is dropped except errors.
 */
export function terminalArgv(
  argv: readonly string[],
  mode: 'raw' | 'prompt',
): { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const env: Record<string, string> = { SHELL: '/bin/sh' };
  argv.forEach((value, index) => {
    env[`KEDGE_ARG_${index}`] = value;
  });
  const words = argv.map((_, index) => `"$KEDGE_ARG_${index}"`).join(' ');
  const command =
    mode === 'raw' ? `stty raw -echo -onlcr; exec ${words}` : `stty -echo; exec ${words} >/dev/null`;
  return {
    argv: ['script', '--quiet', '--return', '--flush', '--command', command, '/dev/null'],
    env,
  };
}
