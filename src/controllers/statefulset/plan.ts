import { scaledValue } from '../../api/int-or-string.ts';
import type { Pod, StatefulSet } from '../../api/types.gen.ts';
import { isAvailable, isReady, isTerminal } from '../framework/pods.ts';

export const REVISION_LABEL = 'controller-revision-hash';

export interface StatefulPlan {
  /** Ordinals to create, each with the revision it gets. */
  readonly create: readonly { readonly ordinal: number; readonly revision: string }[];
  readonly delete: readonly Pod[];
}

export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const { name = '' } = pod.metadata;
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9]\d*)$/.test(rest) ? Number(rest) : undefined;
}

export interface StatefulState {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** Names of the revisions: the one pods had before the update, and the one they get. */
  readonly currentRevision: string;
  readonly updateRevision: string;
  readonly nowMs: number;
}

/**
 * The next step of a StatefulSet: in order and one at a time with `OrderedReady`, all at once with `Parallel`.
 * Never two pods of one ordinal; a pod that is leaving is waited for. Pure.
 */
export function planStatefulSet(state: StatefulState): StatefulPlan {
  const { set, pods, nowMs } = state;
  const { replicas = 1, minReadySeconds = 0, podManagementPolicy } = set.spec ?? {};
  const start = set.spec?.ordinals?.start ?? 0;
  const ordered = podManagementPolicy !== 'Parallel';
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const create: { ordinal: number; revision: string }[] = [];
  const remove: Pod[] = [];
  if (set.metadata.deletionTimestamp) return { create, delete: remove };
  for (let ordinal = start; ordinal < start + replicas; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) {
      create.push({ ordinal, revision: revisionFor(state, ordinal, start) });
      if (ordered) return { create, delete: remove };
    } else if (isTerminal(pod) && !pod.metadata.deletionTimestamp) {
      remove.push(pod);
      if (ordered) return { create, delete: remove };
    } else if (ordered && (pod.metadata.deletionTimestamp || !isAvailable(pod, minReadySeconds, nowMs))) {
      // Nothing further until this one runs; but a broken update may still be undone.
      return { create, delete: planUpdate(state, start, replicas) };
    }
  }
  const condemned = pods
    .filter((pod) => {
      const ordinal = ordinalOf(set, pod);
      return ordinal !== undefined && (ordinal < start || ordinal >= start + replicas);
    })
    .sort((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
  // In order, one that is not well holds up those before it; only the lowest of those may go, for nothing waits for it.
  const isWell = (pod: Pod): boolean => !pod.metadata.deletionTimestamp && isReady(pod);
  const lowestUnwell = condemned.findLast((pod) => !isWell(pod));
  for (const pod of condemned) {
    const isHeld = ordered && !isWell(pod) && pod !== lowestUnwell;
    if (!pod.metadata.deletionTimestamp && !isHeld) remove.push(pod);
    if (ordered) return { create, delete: remove };
  }
  return { create, delete: [...remove, ...planUpdate(state, start, replicas)] };
}

/** Below the partition pods keep the revision they had. */
function revisionFor(state: StatefulState, ordinal: number, start: number): string {
  const { set, currentRevision, updateRevision } = state;
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return updateRevision;
  return ordinal - start < (rollingUpdate?.partition ?? 0) ? currentRevision : updateRevision;
}

/** From the highest ordinal down to the partition, at most `maxUnavailable` away at once. */
function planUpdate(state: StatefulState, start: number, replicas: number): Pod[] {
  const { set, pods, updateRevision, nowMs } = state;
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  const most = Math.max(1, scaledValue(rollingUpdate?.maxUnavailable ?? 1, replicas, 'down'));
  const wanted = pods
    .filter((pod) => {
      const ordinal = ordinalOf(set, pod) ?? -1;
      return ordinal >= start && ordinal < start + replicas;
    })
    .sort((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
  const isAway = (pod: Pod): boolean =>
    pod.metadata.deletionTimestamp !== undefined || !isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
  let away = wanted.filter(isAway).length + (replicas - wanted.length);
  const remove: Pod[] = [];
  for (const pod of wanted) {
    if ((ordinalOf(set, pod) ?? 0) - start < (rollingUpdate?.partition ?? 0)) break;
    const isUpdated = pod.metadata.labels?.[REVISION_LABEL] === updateRevision;
    if (isUpdated || pod.metadata.deletionTimestamp) continue;
    // One that is away already costs nothing to replace, or a broken revision could never be left.
    if (!isAway(pod)) {
      if (away >= most) break;
      away++;
    } else if (remove.length >= most) break;
    remove.push(pod);
  }
  return remove;
}

/** Counts for the status. Pure. */
export function planStatefulStatus(state: StatefulState): NonNullable<StatefulSet['status']> {
  const { set, pods, currentRevision, updateRevision, nowMs } = state;
  const replicas = set.spec?.replicas ?? 1;
  const present = pods.filter((pod) => !isTerminal(pod));
  const alive = present.filter(({ metadata }) => !metadata.deletionTimestamp);
  const at = (revision: string): number =>
    alive.filter(({ metadata }) => metadata.labels?.[REVISION_LABEL] === revision).length;
  const ready = present.filter(isReady).length;
  const updated = at(updateRevision);
  const isDone = updated === replicas && present.length === replicas && ready === replicas;
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: present.length,
    readyReplicas: ready,
    availableReplicas: present.filter((pod) => isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs))
      .length,
    currentReplicas: isDone ? updated : at(currentRevision),
    updatedReplicas: updated,
    currentRevision: isDone ? updateRevision : currentRevision,
    updateRevision,
    collisionCount: set.status?.collisionCount ?? 0,
  };
}
