import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ensureClusterToken } from './cluster-token.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-token-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('makes a token once, keeps it, and takes another one when told to', async () => {
  const path = join(folder, 'token');
  const secret = await ensureClusterToken({ path, user: 'server', wanted: undefined, caPem: 'ca' });
  expect(secret).toMatch(/^[0-9a-f]{48}$/);
  expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^K10[0-9a-f]{64}::server:${secret}\n$`));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await ensureClusterToken({ path, user: 'server', wanted: undefined, caPem: 'ca' })).toBe(secret);
  expect(await ensureClusterToken({ path, user: 'server', wanted: 'mine', caPem: 'ca' })).toBe('mine');
  expect(await ensureClusterToken({ path, user: 'server', wanted: undefined, caPem: 'ca' })).toBe('mine');
});

it('takes the secret out of a whole token and follows a new authority', async () => {
  const path = join(folder, 'token');
  await ensureClusterToken({ path, user: 'server', wanted: 'mine', caPem: 'old' });
  const whole = readFileSync(path, 'utf8').trim();
  expect(await ensureClusterToken({ path, user: 'server', wanted: whole, caPem: 'new' })).toBe('mine');
  expect(readFileSync(path, 'utf8').trim()).not.toBe(whole);
});

it('writes tokens for agents apart, and a damaged file anew', async () => {
  const path = join(folder, 'node-token');
  const secret = await ensureClusterToken({ path, user: 'node', wanted: undefined, caPem: 'ca' });
  expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^K10[0-9a-f]{64}::node:${secret}\n$`));
  writeFileSync(path, 'K10abc');
  const other = await ensureClusterToken({ path, user: 'node', wanted: undefined, caPem: 'ca' });
  expect(other).toMatch(/^[0-9a-f]{48}$/);
  expect(other).not.toBe(secret);
});
