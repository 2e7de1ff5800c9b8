import type { LabelSelector, Pod, PodAffinityTerm } from '../../../api/types.gen.ts';

/**
 * Turns `matchLabelKeys` and `mismatchLabelKeys` of pod affinity and topology spread into expressions over the
 * pod's own labels, once, on create (KEP-3633, KEP-3243).
 */
export function mergeMatchLabelKeys(pod: Pod): void {
  const labels = pod.metadata.labels ?? {};
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  for (const one of [podAffinity, podAntiAffinity]) {
    for (const term of one?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeTerm(term, labels);
    for (const { podAffinityTerm } of one?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      mergeTerm(podAffinityTerm, labels);
    }
  }
  for (const constraint of pod.spec?.topologySpreadConstraints ?? []) {
    addExpressions(constraint, constraint.matchLabelKeys, 'In', labels);
  }
}

function mergeTerm(term: PodAffinityTerm, labels: Readonly<Record<string, string>>): void {
  addExpressions(term, term.matchLabelKeys, 'In', labels);
  addExpressions(term, term.mismatchLabelKeys, 'NotIn', labels);
}

function addExpressions(
  holder: { labelSelector?: LabelSelector },
  keys: readonly string[] | undefined,
  operator: 'In' | 'NotIn',
  labels: Readonly<Record<string, string>>,
): void {
  const { labelSelector } = holder;
  if (labelSelector === undefined) return;
  const added = (keys ?? []).flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
  if (added.length === 0) return;
  holder.labelSelector = {
    ...labelSelector,
    matchExpressions: [...(labelSelector.matchExpressions ?? []), ...added],
  };
}
