import type { NodeInfo } from '../node-info.ts';
import { MAX_SCORE, type Plugin } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

/** Prefers nodes where CPU and memory would be used to the same degree. */
export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  wakesOn: [],
  weight: 1,
  score: (pod) => {
    // Pods without requests would all go to the one most balanced node.
    if (pod.requests.cpuMilli === 0 && pod.requests.memoryBytes === 0) return undefined;
    return { of: (node) => balance(pod, node) };
  },
};

function balance({ requests }: PodInfo, { allocatable, requested }: NodeInfo): number {
  const { cpuMilli, memoryBytes } = allocatable;
  if (cpuMilli === 0 || memoryBytes === 0) return MAX_SCORE;
  const cpu = Math.min(1, (requested.cpuMilli + requests.cpuMilli) / cpuMilli);
  const memory = Math.min(1, (requested.memoryBytes + requests.memoryBytes) / memoryBytes);
  return Math.trunc((1 - Math.abs(cpu - memory) / 2) * MAX_SCORE);
}
