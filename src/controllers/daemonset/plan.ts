import { scaledValue } from '../../api/int-or-string.ts';
import type { DaemonSet, Node, Pod } from '../../api/types.gen.ts';
import { isAvailable, isReady, timeMs } from '../framework/pods.ts';
import { nodeFit } from './node-fit.ts';

export const HASH = 'controller-revision-hash';

export interface DaemonState {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  /** Hash of the template as it is now. */
  readonly hash: string;
  readonly nowMs: number;
}

export interface DaemonPlan {
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
  /** Among `delete`, those that ended by themselves and are replaced: each gets a warning. */
  readonly failed: readonly Pod[];
  readonly status: NonNullable<DaemonSet['status']>;
}

/** The node a daemon pod runs on, or is pinned to while it waits for the scheduler. */
export function nodeNameOf({ spec }: Pod): string {
  if (spec?.nodeName) return spec.nodeName;
  const terms =
    spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms)
    for (const { key, values } of matchFields) if (key === 'metadata.name') return values?.[0] ?? '';
  return '';
}

/** Which pods of a DaemonSet come and go, and its status. Pure. */
export function planDaemonSet(state: DaemonState): DaemonPlan {
  const { set, nodes, pods } = state;
  const create: string[] = [];
  const remove = new Set<Pod>();
  const failed: Pod[] = [];
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const name = nodeNameOf(pod);
    byNode.set(name, [...(byNode.get(name) ?? []), pod]);
  }
  const spec = set.spec?.template.spec ?? { containers: [] };
  const wanted: Node[] = [];
  for (const node of nodes) {
    const name = node.metadata.name ?? '';
    const here = byNode.get(name) ?? [];
    const { shouldRun, shouldContinue } = nodeFit(node, spec);
    if (shouldRun) wanted.push(node);
    if (shouldRun && here.length === 0) create.push(name);
    else if (!shouldContinue) for (const pod of here) remove.add(pod);
    else {
      const alive = here.filter(({ status, metadata }) => {
        return !metadata.deletionTimestamp && status?.phase !== 'Failed' && status?.phase !== 'Succeeded';
      });
      for (const pod of here) {
        const ended = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
        if (ended && !pod.metadata.deletionTimestamp) {
          remove.add(pod);
          failed.push(pod);
        }
      }
      for (const pod of surplus(state, alive)) remove.add(pod);
    }
    byNode.delete(name);
  }
  // Waiting for nodes that are gone.
  for (const [, orphans] of byNode) for (const pod of orphans) if (!pod.spec?.nodeName) remove.add(pod);
  const isStopping = set.metadata.deletionTimestamp !== undefined;
  const update = isStopping ? { create: [], delete: [] } : planUpdate(state, wanted, remove);
  for (const pod of update.delete) remove.add(pod);
  return {
    create: isStopping ? [] : [...create, ...update.create],
    delete: isStopping ? [] : [...remove].filter(({ metadata }) => !metadata.deletionTimestamp),
    failed,
    status: statusOf(state, wanted),
  };
}

/** More than one on a node: the oldest stays, except for a pair of old and new while surging. */
function surplus({ set, hash, nowMs }: DaemonState, alive: readonly Pod[]): Pod[] {
  const byAge = alive.toSorted(
    (a, b) => timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp),
  );
  if (maxSurge(set, 1) === 0) return byAge.slice(1);
  const isNew = (pod: Pod): boolean => pod.metadata.labels?.[HASH] === hash;
  const [newest, ...moreNew] = byAge.filter(isNew);
  const [oldest, ...moreOld] = byAge.filter((pod) => !isNew(pod));
  const isDone = newest && isAvailable(newest, set.spec?.minReadySeconds ?? 0, nowMs);
  return [...moreNew, ...moreOld, ...(oldest && isDone ? [oldest] : [])];
}

function maxSurge({ spec }: DaemonSet, total: number): number {
  if (spec?.updateStrategy?.type === 'OnDelete') return 0;
  return scaledValue(spec?.updateStrategy?.rollingUpdate?.maxSurge ?? 0, total, 'up');
}

/** Replaces pods of older templates: at most `maxUnavailable` away, or `maxSurge` doubled, at once. */
function planUpdate(
  { set, pods, hash, nowMs }: DaemonState,
  wanted: readonly Node[],
  removed: ReadonlySet<Pod>,
): { create: string[]; delete: Pod[] } {
  const { updateStrategy, minReadySeconds = 0 } = set.spec ?? {};
  const plan: { create: string[]; delete: Pod[] } = { create: [], delete: [] };
  if (updateStrategy?.type === 'OnDelete') return plan;
  const surge = maxSurge(set, wanted.length);
  const unavailable = scaledValue(updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted.length, 'up');
  const most = surge === 0 ? Math.max(1, unavailable) : unavailable;
  let away = 0;
  let doubled = 0;
  const candidates: { node: string; pod: Pod; available: boolean }[] = [];
  for (const { metadata } of wanted) {
    const name = metadata.name ?? '';
    const here = pods.filter((pod) => nodeNameOf(pod) === name && !removed.has(pod));
    const fresh = here.find((pod) => pod.metadata.labels?.[HASH] === hash);
    const stale = here.find((pod) => pod.metadata.labels?.[HASH] !== hash && !pod.metadata.deletionTimestamp);
    const available = here.some(
      (pod) => !pod.metadata.deletionTimestamp && isAvailable(pod, minReadySeconds, nowMs),
    );
    if (!available) away++;
    if (fresh && stale) doubled++;
    else if (stale) candidates.push({ node: name, pod: stale, available });
  }
  for (const { node, pod, available } of candidates) {
    if (!available) plan.delete.push(pod);
    else if (surge > 0) {
      if (doubled++ < surge) plan.create.push(node);
    } else if (away++ < most) plan.delete.push(pod);
  }
  return plan;
}

function statusOf(state: DaemonState, wanted: readonly Node[]): NonNullable<DaemonSet['status']> {
  const { set, pods, hash, nowMs } = state;
  const names = new Set(wanted.map(({ metadata }) => metadata.name));
  const oldestOn = new Map<string, Pod>();
  for (const pod of pods) {
    const name = nodeNameOf(pod);
    const known = oldestOn.get(name);
    // A ready pod speaks for its node while a pair of them exists.
    if (!known || (isReady(pod) && !isReady(known))) oldestOn.set(name, pod);
  }
  const placed = [...oldestOn].filter(([name]) => names.has(name)).map(([, pod]) => pod);
  const available = placed.filter((pod) => isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs)).length;
  return {
    observedGeneration: set.metadata.generation ?? 0,
    desiredNumberScheduled: wanted.length,
    currentNumberScheduled: placed.length,
    numberMisscheduled: [...oldestOn].filter(([name]) => name !== '' && !names.has(name)).length,
    numberReady: placed.filter(isReady).length,
    updatedNumberScheduled: placed.filter(({ metadata }) => metadata.labels?.[HASH] === hash).length,
    numberAvailable: available,
    numberUnavailable: wanted.length - available,
  };
}
