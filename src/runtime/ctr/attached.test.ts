import { appendFileSync, writeFileSync } from 'node:fs';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createExec } from '../../lib/exec.ts';
import { attachTo } from './attached.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kedge-attached-'));
});
afterEach(() => rm(dir, { recursive: true }));

it('shows every line at once, however close it comes upon the one before', async () => {
  const logPath = join(dir, 'log');
  writeFileSync(logPath, 'before\n');
  const session = await attachTo({
    ...{ exec: createExec(), dir, logPath },
    request: { stdin: false, stdout: true },
    exit: new Promise(() => {}),
  });
  let seen = '';
  let wanted = '';
  let arrived = (): void => {};
  session.stdout?.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
    if (seen === wanted) arrived();
  });
  for (let round = 0; round < 500; round++) {
    wanted += `${round}\n`;
    const { promise, resolve } = Promise.withResolvers<void>();
    arrived = resolve;
    // By another thread at any moment, or by this one between two of the reader's steps.
    if (round % 2 === 0) await appendFile(logPath, `${round}\n`);
    else appendFileSync(logPath, `${round}\n`);
    if (seen !== wanted) await promise;
  }
  expect(seen).toBe(wanted);
  session.close();
});
