import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger } from '../../lib/log.ts';
import { AuditLog } from './log-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
const log = (options: Partial<ConstructorParameters<typeof AuditLog>[0]> = {}): AuditLog =>
  new AuditLog({
    path: join(folder, 'deep/audit.log'),
    maxAgeDays: 0,
    maxBackups: 0,
    maxSizeBytes: 1000,
    clock,
    log: silentLogger,
    ...options,
  });
const names = () => readdirSync(join(folder, 'deep')).sort();

it('appends lines in order and makes its folder', async () => {
  const file = log();
  for (let at = 0; at < 5; at++) file.write(`line ${at}`);
  await file.close();
  file.write('line 5');
  await file.close();
  expect(readFileSync(join(folder, 'deep/audit.log'), 'utf8')).toBe(
    'line 0\nline 1\nline 2\nline 3\nline 4\nline 5\n',
  );
});

it('rotates before it grows too large, and keeps what it is told to keep', async () => {
  const file = log({ maxBackups: 2, maxAgeDays: 1 });
  file.write('x'.repeat(900));
  await file.close();
  writeFileSync(join(folder, 'deep/audit-2020-01-01T00-00-00.000.log'), 'old');
  writeFileSync(join(folder, 'deep/unrelated.log'), '');
  file.write('y'.repeat(900));
  await file.close();
  expect(names()).toEqual(['audit-2026-01-02T03-04-05.678.log', 'audit.log', 'unrelated.log']);
  for (let at = 0; at < 3; at++) {
    await clock.advance(1000);
    file.write(`${at}`.repeat(900));
    await file.close();
  }
  expect(names()).toEqual([
    'audit-2026-01-02T03-04-07.678.log',
    'audit-2026-01-02T03-04-08.678.log',
    'audit.log',
    'unrelated.log',
  ]);
});

it('drops rather than grows, and goes on after an error', async () => {
  writeFileSync(join(folder, 'file'), '');
  const file = log({ path: join(folder, 'file/audit.log') });
  const line = 'z'.repeat(LIMITS.audit.queueBytes / 2);
  for (let at = 0; at < 4; at++) file.write(line);
  expect(file.dropped).toBe(3);
  await file.close();
  expect(file.errors).toBe(1);
});

it('says once a minute that it cannot write, and how much was lost', async () => {
  writeFileSync(join(folder, 'file'), '');
  const said: unknown[] = [];
  const file = log({
    path: join(folder, 'file/audit.log'),
    log: { ...silentLogger, error: (_, fields) => void said.push(fields?.['events']) },
  });
  const write = async (): Promise<void> => {
    file.write('line');
    await file.close();
  };
  for (let at = 0; at < 5; at++) await write();
  expect(said).toEqual([1]);
  await clock.advance(LIMITS.audit.sayErrorMs);
  for (let at = 0; at < 5; at++) await write();
  expect([said, file.errors]).toEqual([[1, 5], 10]);
});
