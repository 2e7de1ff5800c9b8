import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../scripts/install.sh');
/** Its functions, without running it. */
const functions = readFileSync(SCRIPT, 'utf8').replace(/^main .*$/m, '');

it.each([
  [
    'agent --server https://a:6443 --token K10x --node-name pi',
    ' --server https://a:6443 --node-name pi',
    'K10x',
  ],
  ['server --token=abc --tls-san b', ' --tls-san b', 'abc'],
  ['server -t abc', '', 'abc'],
  ['agent --server https://a:6443 --token-file /f', ' --server https://a:6443 --token-file /f', 'none'],
])('%s: the unit, which everybody may read, holds no token', (flags, inUnit, token) => {
  const ask = `SYSTEMD_DIR=/none; choose_command ${flags}; printf '%s|%s' "$ARGS" "\${KEDGE_TOKEN:-none}"`;
  const { KEDGE_TOKEN: _, ...env } = process.env;
  expect(execFileSync('sh', ['-c', `${functions}\n${ask}`], { encoding: 'utf8', env })).toBe(
    `${inUnit}|${token}`,
  );
});
