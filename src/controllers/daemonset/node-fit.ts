import type { Affinity, Node, NodeSelectorTerm, PodSpec, Taint, Toleration } from '../../api/types.gen.ts';

type Requirement = NonNullable<NodeSelectorTerm['matchExpressions']>[number];

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
  const labels = node.metadata.labels ?? {};
  if (Object.entries(spec.nodeSelector ?? {}).some(([key, value]) => labels[key] !== value)) return never;
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms && !terms.some((term) => termMatches(term, node))) return never;
  const tolerations = withDaemonTolerations(spec);
  const taints = node.spec?.taints ?? [];
  const bears = (effect: string): boolean =>
    taints.every((taint) => taint.effect !== effect || tolerations.some((one) => tolerates(one, taint)));
  const shouldContinue = bears('NoExecute');
  return { shouldRun: shouldContinue && bears('NoSchedule'), shouldContinue };
}

function tolerates({ key, operator = 'Equal', value = '', effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  return operator === 'Exists' || (Boolean(key) && value === (taint.value ?? ''));
}

function termMatches({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    matchExpressions.every((one) => requirementHolds(one, labels[one.key])) &&
    matchFields.every((one) => one.key === 'metadata.name' && requirementHolds(one, node.metadata.name))
  );
}

function requirementHolds({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
