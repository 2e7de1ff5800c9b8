import { tolerates } from '../../api/tolerations.ts';
import type { Node, NodeCondition, Pod, Taint } from '../../api/types.gen.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';

/** Conditions an agent keeps; they are nobody's word once it is silent. */
const AGENT_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

const PRESSURES: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
const OURS = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...Object.values(PRESSURES)]);

export function readyOf(node: Node): NodeCondition | undefined {
  return node.status?.conditions?.find(({ type }) => type === 'Ready');
}

/** Conditions of a node that has been silent too long, or undefined when they say so already. Pure. */
export function planSilence(node: Node, now: string): NodeCondition[] | undefined {
  const conditions = node.status?.conditions ?? [];
  const isKnown = AGENT_CONDITIONS.every(
    (type) => conditions.find((one) => one.type === type)?.status === 'Unknown',
  );
  if (isKnown) return undefined;
  const others = conditions.filter(({ type }) => !(AGENT_CONDITIONS as readonly string[]).includes(type));
  const unknown = AGENT_CONDITIONS.map((type): NodeCondition => {
    const old = conditions.find((one) => one.type === type);
    if (old?.status === 'Unknown') return old;
    return {
      type,
      status: 'Unknown',
      reason: old ? 'NodeStatusUnknown' : 'NodeStatusNeverUpdated',
      message: old ? 'Kubelet stopped posting node status.' : 'Kubelet never posted node status.',
      lastTransitionTime: now,
      lastHeartbeatTime: old?.lastHeartbeatTime ?? node.metadata.creationTimestamp ?? now,
    };
  });
  return [...others, ...unknown];
}

/** The taints a node's conditions ask for, or undefined when it has just those. Other people's stay. Pure. */
export function planTaints(node: Node, now: string): Taint[] | undefined {
  const wanted: Omit<Taint, 'timeAdded'>[] = [];
  const ready = readyOf(node)?.status;
  const unreachable = ready === undefined || ready === 'Unknown';
  if (ready !== 'True') {
    const key = unreachable ? UNREACHABLE : NOT_READY;
    wanted.push({ key, effect: 'NoSchedule' }, { key, effect: 'NoExecute' });
  }
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = PRESSURES[type];
    if (key && status === 'True') wanted.push({ key, effect: 'NoSchedule' });
  }
  if (node.spec?.unschedulable) wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
  const present = node.spec?.taints ?? [];
  const same = (a: Omit<Taint, 'timeAdded'>, b: Omit<Taint, 'timeAdded'>): boolean =>
    a.key === b.key && a.effect === b.effect;
  const kept = present.filter((taint) => !OURS.has(taint.key) || wanted.some((one) => same(one, taint)));
  const added = wanted
    .filter((one) => !present.some((taint) => same(one, taint)))
    .map((one) => ({ ...one, timeAdded: now }));
  return added.length === 0 && kept.length === present.length ? undefined : [...kept, ...added];
}

/**
 * How long after a NoExecute taint appeared this pod has to go: undefined never, 0 at once. A pod must tolerate all of
 * them; the least patient toleration decides. Pure.
 */
export function evictionDelayMs(pod: Pod, taints: readonly Taint[]): number | undefined {
  const executing = taints.filter(({ effect }) => effect === 'NoExecute');
  let delayMs: number | undefined;
  for (const taint of executing) {
    const tolerations = (pod.spec?.tolerations ?? []).filter((one) => tolerates(one, taint));
    if (tolerations.length === 0) return 0;
    for (const { tolerationSeconds } of tolerations) {
      if (tolerationSeconds === undefined) continue;
      const ms = Math.max(0, tolerationSeconds * 1000);
      delayMs = delayMs === undefined ? ms : Math.min(delayMs, ms);
    }
  }
  return delayMs;
}

/** Conditions of a pod whose node is no longer ready, or undefined when it is not ready already. Pure. */
export function planPodNotReady(pod: Pod, now: string): NonNullable<Pod['status']> | undefined {
  const conditions = pod.status?.conditions ?? [];
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') return undefined;
  return {
    ...pod.status,
    conditions: conditions.map((one) =>
      one === ready ? { ...one, status: 'False', lastTransitionTime: now } : one,
    ),
  };
}
