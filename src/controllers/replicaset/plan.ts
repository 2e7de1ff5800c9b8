import type {
  Pod,
  PodTemplateSpec,
  ReplicaSetCondition,
  ReplicaSetStatus,
  ReplicationControllerStatus,
} from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import { isActive, isAvailable, isReady, isTerminal, nextAvailableMs } from '../framework/pods.ts';
import { withCondition, withoutCondition } from '../framework/status-writer.ts';
import { rankForDeletion } from './rank-pods.ts';

/** What ReplicaSets and ReplicationControllers have in common. */
export interface ReplicaSpec {
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly template: PodTemplateSpec;
}

export interface ReplicaPlan {
  readonly create: number;
  readonly delete: readonly Pod[];
}

/** How to get from the claimed pods to the wanted number, at most a burst at once. Pure. */
export function planReplicas(
  spec: ReplicaSpec,
  claimed: readonly Pod[],
  peers: readonly Pod[],
  nowMs: number,
): ReplicaPlan {
  const active = claimed.filter(isActive);
  const surplus = active.length - spec.replicas;
  const burst = Math.min(Math.abs(surplus), LIMITS.controllers.burstPods);
  if (surplus <= 0) return { create: burst, delete: [] };
  // With none to keep there is nothing to choose.
  const ranked = burst < active.length ? rankForDeletion(active, peers, nowMs) : active;
  return { create: 0, delete: ranked.slice(0, burst) };
}

export type ReplicaStatus = ReplicaSetStatus & ReplicationControllerStatus;

export interface StatusInput {
  readonly spec: ReplicaSpec;
  readonly generation: number;
  readonly old: ReplicaStatus | undefined;
  readonly claimed: readonly Pod[];
  readonly failure:
    | { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string }
    | undefined;
  /** ReplicaSets count them, ReplicationControllers do not. */
  readonly withTerminating: boolean;
  readonly now: string;
  readonly nowMs: number;
}

/** The status to write, and when to look again because a ready pod becomes available. Pure. */
export function planReplicaStatus(input: StatusInput): {
  status: ReplicaStatus;
  againMs: number | undefined;
} {
  const { spec, generation, old, claimed, failure, withTerminating, now, nowMs } = input;
  const active = claimed.filter(isActive);
  const wanted = Object.entries(spec.template.metadata?.labels ?? {});
  const terminating = claimed.filter((pod) => pod.metadata.deletionTimestamp && !isTerminal(pod));
  let conditions: ReplicaSetCondition[] = withoutCondition(old?.conditions, failure ? '' : 'ReplicaFailure');
  if (failure) {
    const { reason, message } = failure;
    const known = conditions.some(({ type }) => type === 'ReplicaFailure');
    // Upstream keeps the first failure until it is over.
    if (!known)
      conditions = withCondition(conditions, {
        ...{ type: 'ReplicaFailure', status: 'True', reason, message, lastTransitionTime: now },
      });
  }
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter(({ metadata }) =>
        wanted.every(([key, value]) => metadata.labels?.[key] === value),
      ).length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: active.filter((pod) => isAvailable(pod, spec.minReadySeconds, nowMs)).length,
      ...(withTerminating ? { terminatingReplicas: terminating.length } : {}),
      observedGeneration: generation,
      ...(conditions.length === 0 ? {} : { conditions }),
    },
    againMs: nextAvailableMs(active, spec.minReadySeconds, nowMs),
  };
}
