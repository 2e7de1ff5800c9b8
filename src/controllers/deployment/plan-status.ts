import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { timeMs } from '../framework/pods.ts';
import { bounds, replicasOf, sum } from './replica-counts.ts';

/** What upstream writes as a deadline of "none". */
const NO_DEADLINE = 2 ** 31 - 1;

export function deadlineSeconds(deployment: Deployment): number | undefined {
  const { progressDeadlineSeconds } = deployment.spec ?? {};
  return progressDeadlineSeconds === NO_DEADLINE ? undefined : progressDeadlineSeconds;
}

/** A condition as `SetDeploymentCondition` sets it: unchanged when status and reason are. */
export function setCondition(
  conditions: readonly DeploymentCondition[] | undefined,
  wanted: { type: string; status: string; reason: string; message: string },
  nowMs: number,
): DeploymentCondition[] {
  const now = rfc3339(nowMs);
  const old = conditions?.find(({ type }) => type === wanted.type);
  if (old && old.status === wanted.status && old.reason === wanted.reason) return [...(conditions ?? [])];
  const lastTransitionTime = old?.status === wanted.status ? (old.lastTransitionTime ?? now) : now;
  const others = (conditions ?? []).filter(({ type }) => type !== wanted.type);
  return [...others, { ...wanted, lastUpdateTime: now, lastTransitionTime }];
}

export interface StatusInput {
  readonly deployment: Deployment;
  readonly current: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  readonly conditions: readonly DeploymentCondition[] | undefined;
  readonly collisionCount: number | undefined;
  readonly nowMs: number;
}

/** Counts and availability. Pure. */
export function planStatus(input: StatusInput): DeploymentStatus {
  const { deployment, current, old, collisionCount, nowMs } = input;
  const all = current ? [current, ...old] : old;
  const available = sum(all, ({ status }) => status?.availableReplicas ?? 0);
  const least = replicasOf(deployment) - bounds(deployment).maxUnavailable;
  const conditions = setCondition(
    input.conditions,
    available >= least
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    nowMs,
  );
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(all, ({ status }) => status?.replicas ?? 0),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(all, ({ status }) => status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - available),
    terminatingReplicas: sum(all, ({ status }) => status?.terminatingReplicas ?? 0),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions,
  };
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return (
    status.updatedReplicas === wanted &&
    status.replicas === wanted &&
    status.availableReplicas === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const oldPods = (status: DeploymentStatus | undefined): number =>
    (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    oldPods(after) < oldPods(before) ||
    (after.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

function hasTimedOut(deployment: Deployment, status: DeploymentStatus, nowMs: number): boolean {
  const seconds = deadlineSeconds(deployment);
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  if (seconds === undefined || !progressing || progressing.reason === 'NewReplicaSetAvailable') return false;
  if (progressing.reason === 'ProgressDeadlineExceeded') return true;
  return timeMs(progressing.lastUpdateTime) + seconds * 1000 < nowMs;
}

/** Counts, availability and how the rollout goes, with when the deadline should be looked at again. Pure. */
export function planRolloutStatus(input: StatusInput): {
  status: DeploymentStatus;
  againMs: number | undefined;
} {
  const { deployment, current, old, nowMs } = input;
  const status = planStatus(input);
  const before = deployment.status;
  const wasDone =
    status.replicas === status.updatedReplicas &&
    before?.conditions?.find(({ type }) => type === 'Progressing')?.reason === 'NewReplicaSetAvailable';
  const subject = current
    ? `ReplicaSet "${current.metadata.name}"`
    : `Deployment "${deployment.metadata.name}"`;
  const progressing = (is: 'True' | 'False', reason: string, message: string): void => {
    status.conditions = setCondition(
      status.conditions,
      { type: 'Progressing', status: is, reason, message },
      nowMs,
    );
  };
  if (deadlineSeconds(deployment) !== undefined && !wasDone) {
    if (isComplete(deployment, status)) {
      progressing('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`);
    } else if (hasProgressed(before, status)) {
      // Each step counts anew against the deadline, so the update time moves although nothing else does.
      const known = status.conditions?.find(({ type }) => type === 'Progressing');
      status.conditions = status.conditions?.filter((one) => one !== known) ?? [];
      progressing('True', 'ReplicaSetUpdated', `${subject} is progressing.`);
      const set = status.conditions.at(-1);
      if (set && known?.status === 'True' && known.lastTransitionTime)
        set.lastTransitionTime = known.lastTransitionTime;
    } else if (hasTimedOut(deployment, status, nowMs)) {
      progressing('False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`);
    }
  }
  const failure = [...(current ? [current] : []), ...old]
    .flatMap((set) => set.status?.conditions ?? [])
    .find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True');
  status.conditions = (status.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure' || failure);
  if (failure) {
    const { reason = '', message = '' } = failure;
    status.conditions = setCondition(
      status.conditions,
      { type: 'ReplicaFailure', status: 'True', reason, message },
      nowMs,
    );
  }
  return { status, againMs: deadlineInMs(deployment, status, nowMs) };
}

/** Time to the progress deadline of a rollout that is under way. */
function deadlineInMs(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const seconds = deadlineSeconds(deployment);
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  if (seconds === undefined || !progressing || deployment.spec?.paused) return undefined;
  if (isComplete(deployment, status) || progressing.reason === 'NewReplicaSetAvailable') return undefined;
  if (progressing.reason === 'ProgressDeadlineExceeded') return undefined;
  // A second more, since times in conditions are whole seconds.
  return Math.max(0, timeMs(progressing.lastUpdateTime) + seconds * 1000 - nowMs) + 1000;
}
