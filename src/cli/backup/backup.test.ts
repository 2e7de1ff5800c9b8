import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteDatastore } from '../../datastore/sqlite/datastore.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { parseCommand } from '../parse.ts';
import { backup } from './backup.ts';
import { backupCommand, restoreCommand } from './command.ts';
import { restore } from './restore.ts';

let folder: string;
let dataDir: string;
let file: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-backup-'));
  dataDir = join(folder, 'data');
  file = join(folder, 'kedge.tar.gz');
  mkdirSync(join(dataDir, 'server/tls'), { recursive: true });
  writeFileSync(join(dataDir, 'server/tls/server-ca.key'), 'first key');
  writeFileSync(join(dataDir, 'server/token'), 'first token', { mode: 0o600 });
  await write('first');
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () =>
  openSqliteDatastore({ path: join(dataDir, 'server/db/kedge.db'), clock: systemClock, log: silentLogger });

async function write(text: string): Promise<number> {
  const store = await open();
  await store.commit([{ key: '/a', value: Buffer.from(text) }]);
  await store.close();
  return store.revision;
}
async function read(): Promise<{ text: string; revision: number }> {
  const store = await open();
  const entry = await store.get('/a');
  await store.close();
  return { text: Buffer.from(entry?.value ?? []).toString(), revision: store.revision };
}

async function run(command: 'backup' | 'restore', ...flags: string[]): Promise<number> {
  const [definition, work] =
    command === 'backup' ? ([backupCommand, backup] as const) : ([restoreCommand, restore] as const);
  const parsed = await parseCommand(definition, ['--data-dir', dataDir, ...flags, file], {});
  return await work(parsed?.values ?? {}, parsed?.operands[0] ?? '');
}

describe('kedge backup and restore', () => {
  it('bring back what was, keep what was replaced, and use no revision twice', async () => {
    expect(await run('backup')).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n')).toEqual([
      'datastore.db',
      'tls/',
      'tls/server-ca.key',
      'token',
    ]);

    const revision = await write('second');
    writeFileSync(join(dataDir, 'server/token'), 'second token');
    expect(await run('restore')).toBe(0);
    const restored = await read();
    expect(restored.text).toBe('first');
    expect(restored.revision).toBeGreaterThan(revision);
    expect(readFileSync(join(dataDir, 'server/token'), 'utf8')).toBe('first token');
    const names = readdirSync(join(dataDir, 'server'));
    const replaced = names.filter((name) => name.startsWith('token.replaced-'));
    expect(readFileSync(join(dataDir, 'server', replaced[0] ?? ''), 'utf8')).toBe('second token');
    expect(names.filter((name) => name.startsWith('.'))).toEqual([]);

    // What was set aside is part of no later backup, and onto an empty board it goes, too.
    expect(await run('backup', '--force')).toBe(0);
    rmSync(dataDir, { recursive: true });
    expect(await run('restore')).toBe(0);
    expect((await read()).text).toBe('first');
    expect(readdirSync(join(dataDir, 'server')).sort()).toEqual(['db', 'tls', 'token']);
  });

  it('writes into no file that somebody else has laid where it writes', async () => {
    const theirs = join(folder, 'theirs');
    writeFileSync(theirs, '');
    linkSync(theirs, `${file}.partial`);
    expect(await run('backup')).toBe(0);
    expect(statSync(theirs).size).toBe(0);
    expect(statSync(file).nlink).toBe(1);
  });

  it('refuse to write over a file, to replace what is in use, and what is no backup', async () => {
    expect(await run('backup')).toBe(0);
    await expect(run('backup')).rejects.toThrow(/kedge\.tar\.gz exists; --force writes over it/);

    const store = await open();
    await expect(run('restore')).rejects.toThrow(
      /is in use by another kedge process \(pid \d+\): stop it first/,
    );
    await store.close();
    expect(readFileSync(join(dataDir, 'server/token'), 'utf8')).toBe('first token');

    writeFileSync(file, 'nonsense');
    await expect(run('restore')).rejects.toThrow(/is no backup that can be read/);
    execFileSync('tar', ['-czf', file, '-C', dataDir, 'server/token']);
    await expect(run('restore')).rejects.toThrow(/is no backup of a Kedge server/);
    const made = join(folder, 'made');
    mkdirSync(join(made, 'tls'), { recursive: true });
    writeFileSync(join(made, 'datastore.db'), 'no database');
    writeFileSync(join(made, 'tls/server-ca.key'), '');
    execFileSync('tar', ['-czf', file, '-C', made, 'datastore.db', 'tls']);
    await expect(run('restore')).rejects.toThrow(/the snapshot \S+ is damaged/);
    execFileSync('ln', ['-s', '/etc/passwd', join(made, 'token')]);
    execFileSync('tar', ['-czf', file, '-C', made, 'datastore.db', 'tls', 'token']);
    await expect(run('restore')).rejects.toThrow(/token is no file/);
    expect((await read()).text).toBe('first');
    expect(existsSync(join(dataDir, 'server/.restoring'))).toBe(false);

    rmSync(dataDir, { recursive: true });
    await expect(run('backup', '--force')).rejects.toThrow(/there is no server's data in /);
  });
});
