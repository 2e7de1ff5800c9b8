import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContainerStats } from './port.ts';

/** Limits of a whole pod; what is absent is left as the kernel has it. */
export interface CgroupLimits {
  readonly cpuShares?: number;
  readonly cpuQuotaMicros?: number;
  readonly cpuPeriodMicros?: number;
  readonly memoryLimitBytes?: number;
  readonly pidsLimit?: number;
}

/**
 * The tree of control groups that Kedge owns, on version 1 (one hierarchy per controller) and on version 2.
 * Paths are relative to the root of every hierarchy, such as `kedge/pods/burstable/pod<uid>`.
 */
export interface Cgroups {
  readonly version: 1 | 2;
  /** Whether memory can be limited; a Raspberry Pi needs `cgroup_enable=memory` for it. */
  readonly hasMemory: boolean;
  /** Creates the group and its parents and applies the limits. Idempotent. */
  ensure(path: string, limits?: CgroupLimits): Promise<void>;
  /** Removes the group and those below it. Groups that still hold processes make it reject. Idempotent. */
  remove(path: string): Promise<void>;
  /** Usage of a group, or undefined when it does not exist. */
  stats(path: string, atMs: number): Promise<ContainerStats | undefined>;
  /** How many processes of the group the kernel killed for want of memory. */
  oomKills(path: string): Promise<number>;
}

const V1_CONTROLLERS = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'pids',
  'devices',
  'freezer',
  'blkio',
  'systemd',
];
/** Those a pod's limits need. */
const V2_CONTROLLERS = ['cpu', 'memory', 'pids', 'cpuset', 'io'];

/** `root` is where cgroups are mounted, normally `/sys/fs/cgroup`. */
export function createCgroups(root = '/sys/fs/cgroup'): Cgroups {
  return existsSync(join(root, 'cgroup.controllers')) ? createV2(root) : createV1(root);
}

function createV1(root: string): Cgroups {
  const hierarchies = V1_CONTROLLERS.filter((name) => existsSync(join(root, name)));
  const file = (controller: string, path: string, name: string): string => join(root, controller, path, name);
  return {
    version: 1,
    hasMemory: hierarchies.includes('memory'),
    async ensure(path, limits = {}) {
      for (const name of hierarchies) {
        if (name === 'cpuset') await ensureCpuset(join(root, name), path);
        else await mkdir(join(root, name, path), { recursive: true });
      }
      const set = async (controller: string, name: string, value: number | undefined): Promise<void> => {
        if (value !== undefined && hierarchies.includes(controller)) {
          await writeFile(file(controller, path, name), String(value));
        }
      };
      await set('cpu', 'cpu.shares', limits.cpuShares);
      await set('cpu', 'cpu.cfs_period_us', limits.cpuPeriodMicros);
      await set('cpu', 'cpu.cfs_quota_us', limits.cpuQuotaMicros);
      await set('memory', 'memory.limit_in_bytes', limits.memoryLimitBytes);
      await set('pids', 'pids.max', limits.pidsLimit);
    },
    async remove(path) {
      // runc makes groups in hierarchies we set nothing in, too: perf_event, net_cls, systemd's "unified", …
      for (const name of await readdir(root)) await removeTree(join(root, name, path));
    },
    async stats(path, atMs) {
      const [cpu, usage, stat] = await Promise.all([
        read(file('cpuacct', path, 'cpuacct.usage')),
        read(file('memory', path, 'memory.usage_in_bytes')),
        read(file('memory', path, 'memory.stat')),
      ]);
      if (cpu === undefined) return undefined;
      const memory = keyed(stat);
      const memoryUsageBytes = Number(usage ?? 0);
      return {
        atMs,
        cpuUsageNanos: Number(cpu),
        memoryUsageBytes,
        memoryWorkingSetBytes: Math.max(0, memoryUsageBytes - (memory.get('total_inactive_file') ?? 0)),
        memoryRssBytes: memory.get('total_rss') ?? 0,
      };
    },
    async oomKills(path) {
      return keyed(await read(file('memory', path, 'memory.oom_control'))).get('oom_kill') ?? 0;
    },
  };
}

/** A new v1 cpuset has no CPUs and no memory nodes, and nothing can join it before it is given its parent's. */
async function ensureCpuset(root: string, path: string): Promise<void> {
  const dir = join(root, path);
  if (dirname(path) !== '.') await ensureCpuset(root, dirname(path));
  await mkdir(dir, { recursive: true });
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    if ((await read(join(dir, name)))?.trim() !== '') continue;
    await writeFile(join(dir, name), (await read(join(dirname(dir), name))) ?? '');
  }
}

function createV2(root: string): Cgroups {
  return {
    version: 2,
    get hasMemory() {
      return existsSync(join(root, 'memory.max')) || existsSync(join(root, 'kedge', 'memory.max'));
    },
    async ensure(path, limits = {}) {
      let at = root;
      for (const part of path.split('/')) {
        await delegate(at);
        at = join(at, part);
        await mkdir(at, { recursive: true });
      }
      const set = async (name: string, value: string | undefined): Promise<void> => {
        if (value !== undefined && existsSync(join(at, name))) await writeFile(join(at, name), value);
      };
      const { cpuShares, cpuQuotaMicros, cpuPeriodMicros = 100_000, memoryLimitBytes, pidsLimit } = limits;
      await set('cpu.weight', cpuShares === undefined ? undefined : String(sharesToWeight(cpuShares)));
      await set('cpu.max', cpuQuotaMicros === undefined ? undefined : `${cpuQuotaMicros} ${cpuPeriodMicros}`);
      await set('memory.max', memoryLimitBytes === undefined ? undefined : String(memoryLimitBytes));
      await set('pids.max', pidsLimit === undefined ? undefined : String(pidsLimit));
    },
    remove: (path) => removeTree(join(root, path)),
    async stats(path, atMs) {
      const [cpu, usage, stat] = await Promise.all(
        ['cpu.stat', 'memory.current', 'memory.stat'].map((name) => read(join(root, path, name))),
      );
      if (cpu === undefined) return undefined;
      const memory = keyed(stat);
      const memoryUsageBytes = Number(usage ?? 0);
      return {
        atMs,
        cpuUsageNanos: (keyed(cpu).get('usage_usec') ?? 0) * 1000,
        memoryUsageBytes,
        memoryWorkingSetBytes: Math.max(0, memoryUsageBytes - (memory.get('inactive_file') ?? 0)),
        memoryRssBytes: memory.get('anon') ?? 0,
      };
    },
    async oomKills(path) {
      return keyed(await read(join(root, path, 'memory.events'))).get('oom_kill') ?? 0;
    },
  };
}

/** Lets the children of a v2 group use the controllers that it has itself. */
async function delegate(dir: string): Promise<void> {
  const available = (await read(join(dir, 'cgroup.controllers')))?.trim().split(' ') ?? [];
  const enabled = (await read(join(dir, 'cgroup.subtree_control')))?.trim().split(' ') ?? [];
  const wanted = V2_CONTROLLERS.filter((name) => available.includes(name) && !enabled.includes(name));
  if (wanted.length === 0) return;
  await writeFile(join(dir, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '));
}

/** v1's 2…262144 spread over v2's 1…10000, as runc does it. */
export function sharesToWeight(shares: number): number {
  return 1 + Math.floor(((Math.max(2, shares) - 2) * 9999) / 262_142);
}

/** Deepest first; only directories can be removed, the files in them belong to the kernel. */
async function removeTree(dir: string): Promise<void> {
  let entries: { name: string; isDirectory(): boolean }[];
  try {
    entries = await readdir(dir, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(dir, entry.name));
  await rmdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

/** `name value` lines. */
function keyed(text: string | undefined): Map<string, number> {
  return new Map(
    (text ?? '').split('\n').map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)] as const;
    }),
  );
}
