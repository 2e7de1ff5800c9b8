import { readFile, statfs } from 'node:fs/promises';
import { arch, cpus, release, totalmem } from 'node:os';
import { quantityOf } from '../../api/quantity.ts';
import type { NodeSystemInfo } from '../../api/types.gen.ts';

/** What a machine is and has; read once, apart from what is free. */
export interface MachineFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly ephemeralBytes: number;
  readonly hugepages: Readonly<Record<string, number>>;
  readonly architecture: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  /** False when the kernel was started without it: limits on memory cannot hold. */
  readonly memoryCgroup: boolean;
}

const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };

const read = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();

/** `dataDir` lies on the file system that pods' files and images fill. */
export async function machineFacts(dataDir: string): Promise<MachineFacts> {
  const [machineId, systemUuid, bootId, release_, cgroups, controllers] = await Promise.all([
    read('/etc/machine-id'),
    read('/sys/class/dmi/id/product_uuid'),
    read('/proc/sys/kernel/random/boot_id'),
    read('/etc/os-release'),
    read('/proc/cgroups'),
    read('/sys/fs/cgroup/cgroup.controllers'),
  ]);
  const disk = await statfs(dataDir);
  return {
    cpus: Math.max(1, cpus().length),
    memoryBytes: totalmem(),
    ephemeralBytes: disk.blocks * disk.bsize,
    hugepages: await hugepages(),
    architecture: GO_ARCH[arch()] ?? arch(),
    kernelVersion: release(),
    osImage: osImage(release_),
    machineId,
    systemUuid: systemUuid || machineId,
    bootId,
    memoryCgroup: hasMemoryCgroup(cgroups, controllers),
  };
}

/** Either hierarchy: v2 lists its controllers, v1 shows an enabled flag in the last column. */
export function hasMemoryCgroup(procCgroups: string, controllers: string): boolean {
  if (controllers.split(/\s+/).includes('memory')) return true;
  const line = procCgroups.split('\n').find((text) => text.startsWith('memory\t'));
  return line?.trim().endsWith('1') === true;
}

/** `PRETTY_NAME` of os-release(5). */
export function osImage(text: string): string {
  const match = /^PRETTY_NAME=(["']?)(.*)\1$/m.exec(text);
  return match?.[2] ?? 'Linux';
}

async function hugepages(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [sizeKB, name] of [
    [2048, 'hugepages-2Mi'],
    [1_048_576, 'hugepages-1Gi'],
  ] as const) {
    const text = await read(`/sys/kernel/mm/hugepages/hugepages-${sizeKB}kB/nr_hugepages`);
    if (text !== '') found[name] = Number(text) * sizeKB * 1024;
  }
  return found;
}

/** What a node of these facts offers in all. */
export function capacity(facts: MachineFacts, maxPods: number): Record<string, string> {
  return {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(facts.ephemeralBytes / 1024)}Ki`,
    ...hugepageQuantities(facts),
    pods: String(maxPods),
  };
}

/** What pods may ask for: memory and disk without the part that eviction keeps free. */
export function allocatable(
  facts: MachineFacts,
  maxPods: number,
  reservedBytes: number,
): Record<string, string> {
  return {
    cpu: String(facts.cpus),
    memory: `${Math.floor((facts.memoryBytes - reservedBytes) / 1024)}Ki`,
    'ephemeral-storage': quantityOf(Math.floor(facts.ephemeralBytes * 0.9)),
    ...hugepageQuantities(facts),
    pods: String(maxPods),
  };
}

function hugepageQuantities(facts: MachineFacts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts.hugepages).map(([name, bytes]) => [
      name,
      bytes === 0 ? '0' : `${bytes / 1024 ** 2}Mi`,
    ]),
  );
}

export function nodeInfo(
  facts: MachineFacts,
  version: string,
  runtime: { readonly name: string; readonly version: string },
): NodeSystemInfo {
  return {
    architecture: facts.architecture,
    bootID: facts.bootId,
    containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
    kernelVersion: facts.kernelVersion,
    kubeProxyVersion: version,
    kubeletVersion: version,
    machineID: facts.machineId,
    operatingSystem: 'linux',
    osImage: facts.osImage,
    systemUUID: facts.systemUuid,
  };
}
