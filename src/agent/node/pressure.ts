import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

/** What is left of what pods share. */
export interface Headroom {
  readonly memoryAvailableBytes: number;
  readonly memoryTotalBytes: number;
  readonly diskAvailableBytes: number;
  readonly diskTotalBytes: number;
  readonly inodesFree: number;
  readonly inodesTotal: number;
  readonly pidsUsed: number;
  readonly pidsMax: number;
}

export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pid: boolean;
}

const MEBIBYTE = 1024 * 1024;

/**
 * Below these eviction begins: upstream's hard thresholds (100 Mi of memory, 10 % of the disk), but no more than a
 * tenth of the memory and 1 GiB of the disk, so that a small board with a large card is not always in need.
 */
export function thresholds(room: Headroom): { readonly memoryBytes: number; readonly diskBytes: number } {
  return {
    memoryBytes: Math.min(100 * MEBIBYTE, room.memoryTotalBytes / 10),
    diskBytes: Math.min(room.diskTotalBytes / 10, 1024 * MEBIBYTE),
  };
}

/** Pressure begins below a threshold and ends a tenth above it, so that it does not flicker. */
export function pressureOf(room: Headroom, before: Pressure): Pressure {
  const { memoryBytes, diskBytes } = thresholds(room);
  const low = (left: number, limit: number, was: boolean): boolean => left < (was ? limit * 1.1 : limit);
  return {
    memory: low(room.memoryAvailableBytes, memoryBytes, before.memory),
    disk:
      low(room.diskAvailableBytes, diskBytes, before.disk) ||
      (room.inodesTotal > 0 && low(room.inodesFree, room.inodesTotal * 0.05, before.disk)),
    pid: low(room.pidsMax - room.pidsUsed, room.pidsMax * 0.05, before.pid),
  };
}

/**
 * Reads the kernel's own figures. Those in memory are read at once: handing each step to another thread would wake an
 * idle board twenty times a look. The disk may make one wait.
 */
export async function measureHeadroom(dataDir: string): Promise<Headroom> {
  const disk = await statfs(dataDir);
  const memory = readFileSync('/proc/meminfo', 'utf8');
  const load = readFileSync('/proc/loadavg', 'utf8');
  const pidMax = readFileSync('/proc/sys/kernel/pid_max', 'utf8');
  return {
    memoryAvailableBytes: meminfo(memory, 'MemAvailable'),
    memoryTotalBytes: meminfo(memory, 'MemTotal'),
    diskAvailableBytes: disk.bavail * disk.bsize,
    diskTotalBytes: disk.blocks * disk.bsize,
    inodesFree: disk.ffree,
    inodesTotal: disk.files,
    pidsUsed: Number(load.split(' ')[3]?.split('/')[1] ?? 0),
    pidsMax: Number(pidMax.trim()),
  };
}

/** proc_meminfo(5), in bytes. */
export function meminfo(text: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text);
  return Number(match?.[1] ?? 0) * 1024;
}
