import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExec } from '../lib/exec.ts';
import { createLogger, silentLogger } from '../lib/log.ts';
import { takeServiceManager } from './service-manager.ts';

let folder = '';
const path = process.env['PATH'];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-notify-'));
});
afterAll(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true });
});

describe('the service manager', () => {
  it('is told once, and no child has its address', async () => {
    const program = join(folder, 'systemd-notify');
    writeFileSync(program, `#!/bin/sh\necho "$1 $NOTIFY_SOCKET" >>'${folder}/said'\n`);
    chmodSync(program, 0o755);
    process.env['PATH'] = `${folder}:${path}`;
    const env = { NOTIFY_SOCKET: '/run/systemd/notify', HOME: '/root' };
    const exec = createExec();
    const manager = takeServiceManager(env, { exec, log: silentLogger });
    expect(env).toEqual({ HOME: '/root' });
    expect(exec.spawned).toBe(0);
    await manager.ready();
    expect(readFileSync(join(folder, 'said'), 'utf8')).toBe('--ready /run/systemd/notify\n');
  });

  it('is nobody where nobody waits, and its absence is no failure', async () => {
    const exec = createExec();
    await takeServiceManager({}, { exec, log: silentLogger }).ready();
    expect(exec.spawned).toBe(0);
    process.env['PATH'] = folder;
    rmSync(join(folder, 'systemd-notify'));
    const lines: string[] = [];
    const log = createLogger({ level: 'info', write: (line) => lines.push(line) });
    await takeServiceManager({ NOTIFY_SOCKET: '@x' }, { exec, log }).ready();
    expect(lines.join('')).toMatch(/level=error .*systemd does not learn.*ENOENT/);
  });
});
