import { matchesAnyTerm, matchesLabels } from '../../api/node-selector.ts';
import { isTolerated } from '../../api/tolerations.ts';
import type { Affinity, Node, PodSpec, Toleration } from '../../api/types.gen.ts';

/** Daemons run on boards in trouble; that is often what they are for (upstream's AddOrUpdateDaemonPodTolerations). */
const ADDED: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const NETWORK: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

export function withDaemonTolerations(spec: PodSpec): Toleration[] {
  const own = spec.tolerations ?? [];
  const added = spec.hostNetwork ? [...ADDED, NETWORK] : ADDED;
  return [
    ...own,
    ...added.filter(({ key, effect }) => !own.some((one) => one.key === key && one.effect === effect)),
  ];
}

/** The affinity that pins a pod to one node and leaves the binding to the scheduler. */
export function pinnedTo(nodeName: string, affinity: Affinity | undefined): Affinity {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] };
  const required = { nodeSelectorTerms: [term] };
  return {
    ...affinity,
    nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required },
  };
}

/** Whether a daemon should run on a node, and whether one that runs there may stay. Pure. */
export function nodeFit(node: Node, spec: PodSpec): { shouldRun: boolean; shouldContinue: boolean } {
  const never = { shouldRun: false, shouldContinue: false };
  if (spec.nodeName && spec.nodeName !== node.metadata.name) return never;
  const selectable = { name: node.metadata.name ?? '', labels: node.metadata.labels ?? {} };
  if (!matchesLabels(selectable, spec.nodeSelector ?? {})) return never;
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms && !matchesAnyTerm(selectable, terms)) return never;
  const tolerations = withDaemonTolerations(spec);
  const taints = node.spec?.taints ?? [];
  const bears = (effect: string): boolean =>
    taints.every((taint) => taint.effect !== effect || isTolerated(taint, tolerations));
  const shouldContinue = bears('NoExecute');
  return { shouldRun: shouldContinue && bears('NoSchedule'), shouldContinue };
}
