import { matchesTerm, requiredNodes } from '../../api/node-selector.ts';
import type { NodeAffinity } from '../../api/types.gen.ts';
import { normalizeToMax, type Plugin, Rejection } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

const NO_MATCH = new Rejection("node(s) didn't match Pod's node affinity/selector", { isResolvable: false });

/** `spec.nodeSelector` and `spec.affinity.nodeAffinity`. */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  wakesOn: ['NodeAdded', 'NodeLabels'],
  weight: 2,
  filter: (pod) => {
    const matches = requiredNodes(pod.pod);
    return matches && ((node) => (matches(node) ? undefined : NO_MATCH));
  },
  score: ({ pod }) => {
    const preferred = affinityOf(pod)?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    return {
      of: (node) =>
        preferred.reduce(
          (sum, { weight, preference }) => sum + (matchesTerm(node, preference) ? weight : 0),
          0,
        ),
      normalize: (scores) => normalizeToMax(scores, { reverse: false }),
    };
  },
};

function affinityOf(pod: PodInfo['pod']): NodeAffinity | undefined {
  return pod.spec?.affinity?.nodeAffinity;
}
