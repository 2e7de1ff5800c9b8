import type { NodeInfo } from '../node-info.ts';
import { MAX_SCORE, type Plugin, Rejection } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

/** Room for the pod's requests; prefers nodes with more room left (LeastAllocated). */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  wakesOn: ['NodeAdded', 'NodeAllocatable', 'PodRemoved'],
  weight: 1,
  filter: (pod) => (node) => {
    const lacking = insufficient(pod, node);
    if (!lacking) return undefined;
    return new Rejection(lacking, { isResolvable: fitsEmpty(pod, node) });
  },
  score: (pod) => ({
    of: ({ allocatable, nonZero }) => {
      const shares: number[] = [];
      if (allocatable.cpuMilli > 0)
        shares.push(leftShare(nonZero.cpuMilli + pod.nonZero.cpuMilli, allocatable.cpuMilli));
      if (allocatable.memoryBytes > 0)
        shares.push(leftShare(nonZero.memoryBytes + pod.nonZero.memoryBytes, allocatable.memoryBytes));
      return shares.length === 0
        ? 0
        : Math.trunc(shares.reduce((sum, share) => sum + share, 0) / shares.length);
    },
  }),
};

/** What the node lacks for the pod, in upstream's words; `undefined` when it fits. */
function insufficient(pod: PodInfo, node: NodeInfo): string[] | undefined {
  const { requests } = pod;
  const { allocatable, requested } = node;
  let lacking: string[] | undefined;
  const lacks = (reason: string): void => {
    lacking ??= [];
    lacking.push(reason);
  };
  if (node.pods.size + 1 > node.allowedPods) lacks('Too many pods');
  if (requests.cpuMilli > 0 && requests.cpuMilli > allocatable.cpuMilli - requested.cpuMilli)
    lacks('Insufficient cpu');
  if (requests.memoryBytes > 0 && requests.memoryBytes > allocatable.memoryBytes - requested.memoryBytes)
    lacks('Insufficient memory');
  if (
    requests.ephemeralBytes > 0 &&
    requests.ephemeralBytes > allocatable.ephemeralBytes - requested.ephemeralBytes
  )
    lacks('Insufficient ephemeral-storage');
  if (!requests.others) return lacking;
  for (const [name, amount] of requests.others) {
    const free = (allocatable.others?.get(name) ?? 0) - (requested.others?.get(name) ?? 0);
    if (amount > 0 && amount > free) lacks(`Insufficient ${name}`);
  }
  return lacking;
}

/** Whether the pod would fit if nothing else ran there. */
function fitsEmpty({ requests }: PodInfo, { allocatable }: NodeInfo): boolean {
  if (requests.cpuMilli > allocatable.cpuMilli || requests.memoryBytes > allocatable.memoryBytes)
    return false;
  if (requests.ephemeralBytes > allocatable.ephemeralBytes) return false;
  for (const [name, amount] of requests.others ?? []) {
    if (amount > (allocatable.others?.get(name) ?? 0)) return false;
  }
  return true;
}

function leftShare(requested: number, capacity: number): number {
  return requested > capacity ? 0 : Math.trunc(((capacity - requested) * MAX_SCORE) / capacity);
}
