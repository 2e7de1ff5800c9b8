import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Exec } from '../../lib/exec.ts';
import { createExec } from '../../lib/exec.ts';
import type { CgroupFacts, KernelFacts, Program, StorageFacts } from './facts.ts';
import { PROGRAMS } from './programs.ts';

/** Where root's programs lie, also for a shell whose PATH lacks these. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
const CMDLINE_FILES = ['/boot/firmware/cmdline.txt', '/boot/cmdline.txt'];

export function gatherKernel(): KernelFacts {
  const namespaces = new Set(namesIn('/proc/self/ns'));
  return {
    options: kernelOptions(),
    modules: kernelModules(`/lib/modules/${release()}`),
    loaded: new Set(namesIn('/sys/module')),
    fileSystems: new Set(
      (text('/proc/filesystems') ?? '').split('\n').map((line) => line.split('\t').at(-1) ?? ''),
    ),
    namespaces,
    hasSeccomp: /^Seccomp_filters?:/m.test(text('/proc/self/status') ?? ''),
  };
}

function kernelOptions(): KernelFacts['options'] {
  const config = text(`/boot/config-${release()}`) ?? gunzipped('/proc/config.gz');
  if (config === undefined) return undefined;
  return new Map(
    [...config.matchAll(/^(CONFIG_\w+)=([ym])$/gm)].map(([, name = '', value]) => [name, value as 'y' | 'm']),
  );
}

function kernelModules(folder: string): KernelFacts['modules'] {
  const lists = ['modules.dep', 'modules.builtin'].map((name) => text(join(folder, name)));
  if (lists.every((list) => list === undefined)) return undefined;
  const names = lists
    .join('\n')
    .matchAll(/^(?:\S*\/)?([^/\s:]+?)\.ko[^\s:]*/gm)
    .map(([, name = '']) => name.replaceAll('-', '_'));
  return new Set(names);
}

export function gatherCgroups(root = '/sys/fs/cgroup'): CgroupFacts {
  const cmdline = text('/proc/cmdline') ?? '';
  const cmdlineFile = CMDLINE_FILES.find((path) => existsSync(path));
  const unified = text(join(root, 'cgroup.controllers'));
  if (unified !== undefined)
    return { version: 2, controllers: new Set(unified.trim().split(' ')), cmdline, cmdlineFile };
  const enabled = (text('/proc/cgroups') ?? '')
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([name = '', , , on]) => on === '1' && existsSync(join(root, name)))
    .map(([name = '']) => name);
  return {
    version: enabled.length > 0 ? 1 : undefined,
    controllers: new Set(enabled),
    cmdline,
    cmdlineFile,
  };
}

/** Where each needed program lies, and what those that can say about their version. */
export async function gatherPrograms(exec: Exec = createExec()): Promise<ReadonlyMap<string, Program>> {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...SYSTEM_FOLDERS];
  const found = await Promise.all(
    PROGRAMS.map(async ({ name, versionArgs }): Promise<[string, Program] | undefined> => {
      const path = folders.map((folder) => join(folder, name)).find(isExecutable);
      if (path === undefined) return undefined;
      return [name, { path, version: versionArgs && (await versionText(exec, [path, ...versionArgs])) }];
    }),
  );
  return new Map(found.filter((entry) => entry !== undefined));
}

async function versionText(exec: Exec, argv: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await exec.run(argv, { timeoutMs: 10_000 });
    return `${stdout}${stderr}`.split('\n')[0];
  } catch {
    // It is there, which is what counts; containerd says itself when it cannot run.
    return undefined;
  }
}

export function gatherCniPlugins(folders: readonly string[]): ReadonlySet<string> {
  return new Set(folders.flatMap((folder) => namesIn(folder)));
}

/** Of the folder itself, or of what it will be made in. */
export function gatherStorage(dataDir: string): StorageFacts {
  let folder = dataDir;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, blocks, bsize, type } = statfsSync(folder);
  return {
    dataDir,
    freeBytes: bavail * bsize,
    totalBytes: blocks * bsize,
    type,
    isWritable: isAllowed(folder, constants.W_OK),
  };
}

export const gatherMemory = (): number => totalmem();

export function osName(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text('/etc/os-release') ?? '')?.[1] ?? 'Linux';
}

const isExecutable = (path: string): boolean => isAllowed(path, constants.X_OK);

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function gunzipped(path: string): string | undefined {
  try {
    return gunzipSync(readFileSync(path)).toString('utf8');
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
