import { statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import type { Clock } from '../../lib/clock.ts';
import { rfc3339 } from '../../lib/clock.ts';
import type { Runtime } from '../../runtime/port.ts';
import type { PodManager } from '../pod/pod-manager.ts';

export interface SummaryOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly pods: PodManager;
  readonly nodeName: string;
}

/** The kubelet's `stats/summary` document (k8s.io/kubelet/pkg/apis/stats/v1alpha1), without what nobody measures. */
export async function statsSummary(options: SummaryOptions): Promise<object> {
  const { runtime, clock, pods, nodeName } = options;
  const time = rfc3339(clock.now());
  const entries = [];
  let nodeCpuNanos = 0;
  for (const worker of pods.workers.values()) {
    const { name, namespace, uid } = worker.pod.metadata;
    const containers = [];
    let cpu = 0;
    let workingSet = 0;
    for (const record of worker.state.containers) {
      if (record.phase.is !== 'running') continue;
      const stats = await runtime.stats(record.id).catch(() => undefined);
      if (stats === undefined) continue;
      cpu += stats.cpuUsageNanos;
      workingSet += stats.memoryWorkingSetBytes;
      const at = rfc3339(stats.atMs);
      containers.push({
        name: record.name,
        startTime: rfc3339(record.phase.startedAtMs),
        cpu: { time: at, usageCoreNanoSeconds: stats.cpuUsageNanos },
        memory: {
          time: at,
          usageBytes: stats.memoryUsageBytes,
          workingSetBytes: stats.memoryWorkingSetBytes,
          rssBytes: stats.memoryRssBytes,
        },
      });
    }
    nodeCpuNanos += cpu;
    entries.push({
      podRef: { name, namespace, uid },
      startTime: rfc3339(worker.state.startedAt.wallMs),
      containers,
      cpu: { time, usageCoreNanoSeconds: cpu },
      memory: { time, workingSetBytes: workingSet },
    });
  }
  const disk = await statfs('/');
  return {
    node: {
      nodeName,
      cpu: { time, usageCoreNanoSeconds: nodeCpuNanos },
      memory: { time, availableBytes: freemem(), workingSetBytes: totalmem() - freemem() },
      fs: {
        time,
        availableBytes: disk.bavail * disk.bsize,
        capacityBytes: disk.blocks * disk.bsize,
        usedBytes: (disk.blocks - disk.bfree) * disk.bsize,
      },
    },
    pods: entries,
  };
}
