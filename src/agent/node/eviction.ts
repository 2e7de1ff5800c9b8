import { wholeValue } from '../../api/quantity.ts';
import type { Pod } from '../../api/types.gen.ts';

export interface Candidate {
  readonly pod: Pod;
  readonly memoryBytes: number;
}

/** Never evicted: `system-node-critical` and above, and what is on its way out. */
const CRITICAL_PRIORITY = 2_000_000_000;

/**
 * Whom to evict for memory, the first first (upstream's rankMemoryPressure): who uses more than it asked for, then
 * lower priority, then who exceeds its request by most.
 */
export function rankForMemory(candidates: readonly Candidate[]): readonly Candidate[] {
  const excess = (candidate: Candidate): number => candidate.memoryBytes - requested(candidate.pod);
  const priority = ({ pod }: Candidate): number => pod.spec?.priority ?? 0;
  return candidates
    .filter(({ pod }) => priority({ pod, memoryBytes: 0 }) < CRITICAL_PRIORITY)
    .filter(({ pod }) => pod.metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => {
      const over = Number(excess(b) > 0) - Number(excess(a) > 0);
      if (over !== 0) return over;
      return priority(a) - priority(b) || excess(b) - excess(a);
    });
}

function requested(pod: Pod): number {
  return (pod.spec?.containers ?? []).reduce(
    (sum, { resources }) =>
      sum + wholeValue(resources?.requests?.['memory'] ?? resources?.limits?.['memory']),
    0,
  );
}

/** Upstream's words in the pod's status. */
export function evictionMessage(resource: string, thresholdBytes: number, availableBytes: number): string {
  const kibi = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;
  return `The node was low on resource: ${resource}. Threshold quantity: ${kibi(thresholdBytes)}, available: ${kibi(availableBytes)}. `;
}
