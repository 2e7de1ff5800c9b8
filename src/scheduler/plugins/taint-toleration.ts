import { isTolerated } from '../../api/tolerations.ts';
import type { Taint } from '../../api/types.gen.ts';
import { normalizeToMax, type Plugin, Rejection } from '../plugin.ts';

const TAINTED = new Rejection('node(s) had untolerated taint(s)', { isResolvable: false });

/** Keeps pods off nodes whose taints they do not tolerate, and prefers nodes with fewer soft ones. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  wakesOn: ['NodeAdded', 'NodeTaints'],
  weight: 3,
  filter: ({ pod }) => {
    const { tolerations = [] } = pod.spec ?? {};
    return ({ taints }) =>
      taints.length > 0 && taints.some((taint) => isHard(taint) && !isTolerated(taint, tolerations))
        ? TAINTED
        : undefined;
  },
  score: ({ pod }, _cluster, nodes) => {
    if (!nodes.some(({ taints }) => taints.some(isSoft))) return undefined;
    const tolerations = (pod.spec?.tolerations ?? []).filter(
      ({ effect }) => !effect || effect === 'PreferNoSchedule',
    );
    return {
      of: ({ taints }) => taints.filter((taint) => isSoft(taint) && !isTolerated(taint, tolerations)).length,
      normalize: (scores) => normalizeToMax(scores, { reverse: true }),
    };
  },
};

const isSoft = ({ effect }: Taint): boolean => effect === 'PreferNoSchedule';
const isHard = ({ effect }: Taint): boolean => effect === 'NoSchedule' || effect === 'NoExecute';
