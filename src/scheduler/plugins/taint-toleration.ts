import type { Taint, Toleration } from '../../api/types.gen.ts';
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

export function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** Whether one toleration covers one taint (core/v1 Toleration). */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key, effect, value = '', operator = 'Equal' } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  if (operator === 'Equal' || operator === '') return value === (taint.value ?? '');
  return false;
}
