import { performance } from 'node:perf_hooks';
import { systemClock } from '../../src/lib/clock.ts';
import type { ClusterCache } from '../../src/scheduler/cluster-cache.ts';
import { toPodInfo } from '../../src/scheduler/pod-info.ts';
import { SchedulingQueue } from '../../src/scheduler/queue.ts';
import { schedulePod } from '../../src/scheduler/schedule-pod.ts';
import { aCluster, aNode, aPod, type PodFields } from '../../src/scheduler/test-objects.fake.ts';

/** Scheduling decisions per second. `node test/bench/scheduler.ts [nodes] [pods]`. */
const nodeCount = Number(process.argv[2] ?? 100);
const podCount = Number(process.argv[3] ?? 5000);
const ZONES = 4;

function cluster(): ClusterCache {
  const nodes = Array.from({ length: nodeCount }, (_, index) =>
    aNode(`node-${index}`, { labels: { 'topology.kubernetes.io/zone': `zone-${index % ZONES}` } }),
  );
  return aCluster(nodes);
}

function run(name: string, fields: (index: number) => PodFields): void {
  const target = cluster();
  const pods = Array.from({ length: podCount }, (_, index) =>
    aPod(`pod-${index}`, { requests: { cpu: '10m', memory: '16Mi' }, ...fields(index) }),
  );
  const queue = new SchedulingQueue(systemClock, () => {});
  const startMs = performance.now();
  for (const pod of pods) queue.set(toPodInfo(pod), { gated: false, relevant: true });
  let startAt = 0;
  let placed = 0;
  for (let next = queue.take(); next; next = queue.take()) {
    const placement = schedulePod({
      pod: next.info,
      cluster: target,
      startAt,
      random: Math.random,
      nominated: () => [],
    });
    startAt = (startAt + placement.looked) % nodeCount;
    if ('failure' in placement) continue;
    target.assume(next.info, placement.node.name);
    queue.delete(next.info.uid);
    placed++;
  }
  const elapsedMs = performance.now() - startMs;
  console.log(
    `${name}: ${Math.round((podCount * 1000) / elapsedMs)} pods/s (${placed} of ${podCount} placed)`,
  );
  queue.stop();
}

const labels = (index: number): Record<string, string> => ({ app: `app-${index % 50}` });
run('plain', () => ({}));
run('of a ReplicaSet', (index) => ({ labels: labels(index), owner: `rs-${index % 50}` }));
run('with node affinity', (index) => ({
  spec: {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: 'topology.kubernetes.io/zone', operator: 'In', values: [`zone-${index % ZONES}`] },
              ],
            },
          ],
        },
      },
    },
  },
}));
run('spread over zones', (index) => ({
  labels: labels(index),
  spec: {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: labels(index) },
      },
    ],
  },
}));
run('away from each other', (index) => ({
  labels: labels(index),
  spec: {
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: {
              topologyKey: 'kubernetes.io/hostname',
              labelSelector: { matchLabels: labels(index) },
            },
          },
        ],
      },
    },
  },
}));
