import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../lib/clock.ts';
import { createExec, type Exec } from '../lib/exec.ts';
import { silentLogger as log } from '../lib/log.ts';
import { type Containerd, containerdConfig, startContainerd } from './containerd-daemon.ts';

describe('containerd daemon', () => {
  let dir = '';
  const running: Containerd[] = [];
  const start = async (exec: Exec = createExec()): Promise<Containerd> => {
    const paths = { root: join(dir, 'root'), state: join(dir, 'state'), address: join(dir, 'c.sock') };
    const daemon = await startContainerd({ exec, clock, log, ...paths });
    running.push(daemon);
    return daemon;
  };
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kedge-daemon-'));
  });
  afterEach(async () => {
    for (const daemon of running.splice(0)) await daemon.stop();
    await rm(dir, { recursive: true });
  });
  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  it('takes over one that runs already, and ends it when told to', async () => {
    const first = await start();
    first.release();
    const exec = createExec();
    const second = await start(exec);
    expect(second.pid).toBe(first.pid);
    // It asked once whether that one answers, and keeps no process that watches over it.
    expect(exec.spawned).toBe(1);
    await second.stop();
    for (let tries = 0; isAlive(first.pid) && tries < 400; tries++) await delay(50);
    expect(isAlive(first.pid)).toBe(false);
    await second.stop();
  });

  it('starts it again when it dies, its own child or not', async () => {
    const first = await start();
    const { pid } = first;
    process.kill(pid, 'SIGKILL');
    for (let tries = 0; first.pid === pid && tries < 400; tries++) await delay(50);
    expect(first.pid).not.toBe(pid);
    for (let tries = 0; !(await answers()) && tries < 400; tries++) await delay(50);
    first.release();
    const second = await start();
    const foreign = second.pid;
    process.kill(foreign, 'SIGKILL');
    for (let tries = 0; second.pid === foreign && tries < 400; tries++) await delay(50);
    expect(second.pid).not.toBe(foreign);
    for (let tries = 0; !(await answers()) && tries < 400; tries++) await delay(50);
    expect(await answers()).toBe(true);
  }, 30_000);

  const answers = (): Promise<boolean> =>
    createExec()
      .run(['ctr', '--address', join(dir, 'c.sock'), 'version'])
      .then(
        () => true,
        () => false,
      );

  it('says how to install it when it is not there', async () => {
    const real = createExec();
    const exec: Exec = {
      ...real,
      get spawned() {
        return real.spawned;
      },
      start: (argv, options) => real.start(['/nonexistent/containerd', ...argv.slice(1)], options),
    };
    await expect(start(exec)).rejects.toThrow(/containerd is not installed; .*apt install containerd/);
  });

  it('tells the last thing it said when it cannot start', async () => {
    const real = createExec();
    const exec: Exec = {
      ...real,
      get spawned() {
        return real.spawned;
      },
      start: (_, options) => real.start(['sh', '-c', 'echo disk on fire >&2; exit 3'], options),
    };
    await expect(start(exec)).rejects.toThrow(/containerd ended with code 3: disk on fire/);
    expect(await readFile(join(dir, 'root', 'containerd.log'), 'utf8')).toContain('disk on fire');
  });

  it('writes paths into its configuration as strings', () => {
    const text = containerdConfig({ root: '/a "b"', state: '/s', address: '/c.sock' });
    expect(text).toContain('root = "/a \\"b\\""');
    expect(text).toContain('io.containerd.grpc.v1.cri');
  });
});
