import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCgroups, sharesToWeight } from './cgroups.ts';

/** The kernel's files, laid out by hand: this machine has only one of the two versions. */
describe('control groups', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'kedge-cgroup-'));
  });
  afterEach(() => rm(root, { recursive: true }));
  const put = (path: string, text: string) => writeFile(join(root, path), text);
  const get = (path: string) => readFile(join(root, path), 'utf8');

  describe('version 2', () => {
    const path = 'kedge/pods/pod1';
    beforeEach(async () => {
      await mkdir(join(root, path), { recursive: true });
      for (const dir of ['', 'kedge/', 'kedge/pods/']) {
        await put(`${dir}cgroup.controllers`, 'cpu memory pids hugetlb\n');
        await put(`${dir}cgroup.subtree_control`, dir === '' ? 'memory\n' : '\n');
      }
      for (const name of ['cpu.weight', 'cpu.max', 'memory.max', 'pids.max'])
        await put(`${path}/${name}`, '');
    });

    it('hands controllers down and applies limits', async () => {
      const cgroups = createCgroups(root);
      expect(cgroups.version).toBe(2);
      await cgroups.ensure(path, {
        cpuShares: 1024,
        cpuQuotaMicros: 50_000,
        memoryLimitBytes: 4096,
        pidsLimit: 5,
      });
      expect(await get('cgroup.subtree_control')).toBe('+cpu +pids');
      expect(await get('kedge/cgroup.subtree_control')).toBe('+cpu +memory +pids');
      expect(await get(`${path}/cpu.weight`)).toBe('39');
      expect(await get(`${path}/cpu.max`)).toBe('50000 100000');
      expect(await get(`${path}/memory.max`)).toBe('4096');
      expect(await get(`${path}/pids.max`)).toBe('5');
    });

    it('measures', async () => {
      await put(`${path}/cpu.stat`, 'usage_usec 1500\nuser_usec 1\n');
      await put(`${path}/memory.current`, '1000\n');
      await put(`${path}/memory.stat`, 'anon 300\ninactive_file 400\n');
      await put(`${path}/memory.events`, 'low 0\noom 2\noom_kill 1\n');
      const cgroups = createCgroups(root);
      expect(await cgroups.stats(path, 7)).toEqual({
        ...{ atMs: 7, cpuUsageNanos: 1_500_000 },
        ...{ memoryUsageBytes: 1000, memoryWorkingSetBytes: 600, memoryRssBytes: 300 },
      });
      expect(await cgroups.oomKills(path)).toBe(1);
      expect(await cgroups.stats('kedge/none', 0)).toBeUndefined();
      expect(await cgroups.oomKills('kedge/none')).toBe(0);
    });
  });

  describe('version 1', () => {
    it('measures and applies limits in each hierarchy', async () => {
      for (const dir of ['cpu/kedge', 'cpuacct/kedge', 'memory/kedge'])
        await mkdir(join(root, dir), { recursive: true });
      await put('cpuacct/kedge/cpuacct.usage', '99\n');
      await put('memory/kedge/memory.usage_in_bytes', '1000\n');
      await put('memory/kedge/memory.stat', 'total_inactive_file 100\ntotal_rss 50\n');
      await put('memory/kedge/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n');
      const cgroups = createCgroups(root);
      expect(cgroups).toMatchObject({ version: 1, hasMemory: true });
      await cgroups.ensure('kedge', { cpuShares: 512, memoryLimitBytes: 8192 });
      expect(await get('cpu/kedge/cpu.shares')).toBe('512');
      expect(await get('memory/kedge/memory.limit_in_bytes')).toBe('8192');
      expect(await cgroups.stats('kedge', 0)).toMatchObject({
        cpuUsageNanos: 99,
        memoryWorkingSetBytes: 900,
        memoryRssBytes: 50,
      });
      expect(await cgroups.oomKills('kedge')).toBe(2);
    });

    it('removes a group from every hierarchy, those runc alone uses too', async () => {
      for (const name of ['cpu', 'perf_event', 'unified'])
        await mkdir(join(root, name, 'kedge/pods/pod1/c1'), { recursive: true });
      await createCgroups(root).remove('kedge/pods/pod1');
      for (const name of ['cpu', 'perf_event', 'unified'])
        expect(await readdir(join(root, name, 'kedge/pods'))).toEqual([]);
    });
  });

  it('removes a real group with those below it', async () => {
    const cgroups = createCgroups();
    const path = `kedge-test-${process.pid}/a`;
    await cgroups.ensure(`${path}/b`, { cpuShares: 256 });
    expect(await cgroups.stats(`${path}/b`, 0)).toBeDefined();
    await cgroups.remove(`kedge-test-${process.pid}`);
    expect(await cgroups.stats(path, 0)).toBeUndefined();
    await cgroups.remove(`kedge-test-${process.pid}`);
  });

  it('turns shares into weights as runc does', () => {
    expect([2, 1024, 262_144, 0].map(sharesToWeight)).toEqual([1, 39, 10_000, 1]);
  });
});
