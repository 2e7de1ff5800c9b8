import type { Pod } from '../../api/types.gen.ts';
import { condition, isReady, maxRestarts, timeMs } from '../framework/pods.ts';

const COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** Ages compare by order of magnitude only, so that the youngest of many alike is not always the one to go. */
function magnitude(ageMs: number): number {
  return ageMs <= 0 ? 0 : Math.floor(Math.log2(ageMs * 1e6));
}

function costOf(pod: Pod): number {
  const text = pod.metadata.annotations?.[COST];
  return text !== undefined && /^(0|[-+]?[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

/**
 * Which pods go first when there are too many (upstream's ActivePodsWithRanks): those that lose the least. `peers` are
 * all active pods of the same family; a node with more of them loses one earlier. Pure; sorts a copy.
 */
export function rankForDeletion(pods: readonly Pod[], peers: readonly Pod[], nowMs: number): Pod[] {
  const onNode = new Map<string, number>();
  for (const { spec } of peers) {
    if (spec?.nodeName) onNode.set(spec.nodeName, (onNode.get(spec.nodeName) ?? 0) + 1);
  }
  const rank = (pod: Pod): number => onNode.get(pod.spec?.nodeName ?? '') ?? 0;
  const keys = new Map(
    pods.map((pod) => {
      const restarts = maxRestarts(pod);
      const readyMs = timeMs(condition(pod, 'Ready')?.lastTransitionTime);
      return [
        pod,
        [
          pod.spec?.nodeName ? 1 : 0,
          PHASES[pod.status?.phase ?? 'Pending'] ?? 0,
          isReady(pod) ? 1 : 0,
          costOf(pod),
          -rank(pod),
          isReady(pod) ? magnitude(nowMs - readyMs) : 0,
          -restarts.regular,
          -restarts.sidecar,
          magnitude(nowMs - timeMs(pod.metadata.creationTimestamp)),
        ],
      ] as const;
    }),
  );
  return pods.toSorted((a, b) => {
    const left = keys.get(a) ?? [];
    const right = keys.get(b) ?? [];
    for (let i = 0; i < left.length; i++) {
      const difference = (left[i] ?? 0) - (right[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return (a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1;
  });
}
