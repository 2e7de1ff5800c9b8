import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types.gen.ts';
import { nodeConditions } from './conditions.ts';
import { evictionMessage, rankForMemory } from './eviction.ts';
import { hasMemoryCgroup, machineFacts, osImage } from './facts.ts';
import { type Headroom, meminfo, pressureOf } from './pressure.ts';

const MIB = 2 ** 20;
const room = (extra: Partial<Headroom>): Headroom => ({
  memoryAvailableBytes: 400 * MIB,
  memoryTotalBytes: 512 * MIB,
  diskAvailableBytes: 8 * 1024 * MIB,
  diskTotalBytes: 32 * 1024 * MIB,
  inodesFree: 900,
  inodesTotal: 1000,
  pidsUsed: 100,
  pidsMax: 1000,
  ...extra,
});
const calm = { memory: false, disk: false, pid: false };

describe('pressure', () => {
  it('begins at a tenth of a small memory and ends a tenth above that', () => {
    expect(pressureOf(room({ memoryAvailableBytes: 52 * MIB }), calm).memory).toBe(false);
    const under = pressureOf(room({ memoryAvailableBytes: 51 * MIB }), calm);
    expect(under).toEqual({ memory: true, disk: false, pid: false });
    expect(pressureOf(room({ memoryAvailableBytes: 55 * MIB }), under).memory).toBe(true);
    expect(pressureOf(room({ memoryAvailableBytes: 57 * MIB }), under).memory).toBe(false);
  });
  it('of the disk counts bytes below 1 GiB and inodes', () => {
    expect(pressureOf(room({ diskAvailableBytes: 1100 * MIB }), calm).disk).toBe(false);
    expect(pressureOf(room({ diskAvailableBytes: 1000 * MIB }), calm).disk).toBe(true);
    expect(pressureOf(room({ inodesFree: 49 }), calm).disk).toBe(true);
    expect(pressureOf(room({ pidsUsed: 951 }), calm).pid).toBe(true);
  });
  it('reads the kernel’s file', () => {
    expect(meminfo('MemTotal:   512 kB\nMemAvailable:     10 kB\n', 'MemAvailable')).toBe(10_240);
  });
});

describe('eviction', () => {
  const pod = (name: string, request: string | undefined, priority = 0): Pod => ({
    metadata: { name },
    spec: {
      priority,
      containers: [
        { name: 'm', ...(request === undefined ? {} : { resources: { requests: { memory: request } } }) },
      ],
    },
  });
  it('ranks by excess over the request, priority, and how much', () => {
    const ranked = rankForMemory([
      { pod: pod('within', '100Mi'), memoryBytes: 50 * MIB },
      { pod: pod('critical', undefined, 2_000_001_000), memoryBytes: 500 * MIB },
      { pod: pod('important', undefined, 10), memoryBytes: 300 * MIB },
      { pod: pod('little', undefined), memoryBytes: 10 * MIB },
      { pod: pod('much', undefined), memoryBytes: 90 * MIB },
    ]);
    expect(ranked.map(({ pod: { metadata } }) => metadata.name)).toEqual([
      'much',
      'little',
      'important',
      'within',
    ]);
    expect(evictionMessage('memory', 2048, 1024)).toBe(
      'The node was low on resource: memory. Threshold quantity: 2Ki, available: 1Ki. ',
    );
  });
});

describe('node status', () => {
  it('keeps the time of the last change', () => {
    const health = { notReady: [], memoryPressure: false, diskPressure: false, pidPressure: false };
    const first = nodeConditions(health, [], 0);
    const later = nodeConditions({ ...health, notReady: ['container runtime is down'] }, first, 5000);
    const ready = later.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({
      status: 'False',
      reason: 'KubeletNotReady',
      message: '[container runtime is down]',
      lastTransitionTime: '1970-01-01T00:00:05Z',
    });
    expect(later[0]?.lastTransitionTime).toBe('1970-01-01T00:00:00Z');
  });

  it('knows the machine, and whether memory can be limited', async () => {
    expect(hasMemoryCgroup('', 'cpu io memory pids\n')).toBe(true);
    expect(hasMemoryCgroup('#subsys_name\tx\nmemory\t0\t75\t0\n', '')).toBe(false);
    expect(hasMemoryCgroup('memory\t4\t75\t1\n', '')).toBe(true);
    expect(osImage('NAME="x"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')).toBe(
      'Debian GNU/Linux 13 (trixie)',
    );
    const facts = await machineFacts('/');
    expect(facts.cpus).toBeGreaterThan(0);
    expect(facts.kernelVersion).toMatch(/^\d+\.\d+/);
  });
});
