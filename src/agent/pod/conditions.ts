import type { ContainerStatus, Pod, PodCondition } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';

/** A condition as the agent decides it, before it is joined with what the API has. */
export interface Verdict {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

/** Conditions of a kubelet that are there only while there is something to say. */
export const PASSING_CONDITIONS: readonly string[] = ['PodResizePending', 'PodResizeInProgress'];

export interface ConditionInput {
  readonly pod: Pod;
  readonly phase: string;
  readonly statuses: readonly ContainerStatus[];
  readonly initStatuses: readonly ContainerStatus[];
  readonly sandboxReady: boolean;
}

/** The conditions a kubelet owns, in its order, with upstream's reasons and messages. */
export function decideConditions(input: ConditionInput): readonly Verdict[] {
  return [
    { type: 'PodReadyToStartContainers', status: input.sandboxReady ? 'True' : 'False' },
    initialized(input),
    ready(input),
    containersReady(input),
  ];
}

/** Go prints a list of names as `[a b]`. */
const list = (names: readonly string[]): string => `[${names.join(' ')}]`;

function initialized({ pod, phase, statuses, initStatuses }: ConditionInput): Verdict {
  const type = 'Initialized';
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const { name, restartPolicy } of pod.spec?.initContainers ?? []) {
    const status = initStatuses.find((entry) => entry.name === name);
    if (status === undefined) unknown.push(name);
    else if (restartPolicy === 'Always' ? status.started !== true : !status.ready) incomplete.push(name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { type, status: 'True', reason: 'PodCompleted' };
  const begun = statuses.some(
    ({ state, lastState }) => state?.running || state?.terminated || lastState?.terminated,
  );
  if (begun) return { type, status: 'True' };
  const parts = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : []),
    ...(incomplete.length > 0 ? [`containers with incomplete status: ${list(incomplete)}`] : []),
  ];
  if (parts.length === 0) return { type, status: 'True' };
  return { type, status: 'False', reason: 'ContainersNotInitialized', message: parts.join(', ') };
}

function containersReady({ pod, phase, statuses, initStatuses }: ConditionInput): Verdict {
  const type = 'ContainersReady';
  const unknown: string[] = [];
  const unready: string[] = [];
  const all = [...initStatuses, ...statuses];
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { name } of [...sidecars, ...(pod.spec?.containers ?? [])]) {
    const status = all.find((entry) => entry.name === name);
    if (status === undefined) unknown.push(name);
    else if (!status.ready) unready.push(name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { type, status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' };
  const parts = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : []),
    ...(unready.length > 0 ? [`containers with unready status: ${list(unready)}`] : []),
  ];
  if (parts.length === 0) return { type, status: 'True' };
  return { type, status: 'False', reason: 'ContainersNotReady', message: parts.join(', ') };
}

function ready(input: ConditionInput): Verdict {
  const containers = containersReady(input);
  if (containers.status === 'False') return { ...containers, type: 'Ready' };
  const parts: string[] = [];
  for (const { conditionType } of input.pod.spec?.readinessGates ?? []) {
    const gate = input.pod.status?.conditions?.find(({ type }) => type === conditionType);
    if (gate === undefined)
      parts.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (gate.status !== 'True')
      parts.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
  }
  if (parts.length === 0) return { type: 'Ready', status: 'True' };
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: parts.join(', ') };
}

/**
 * Conditions for the API: ours with the transition time kept where the status did not change, then those of others
 * (PodScheduled, readiness gates, DisruptionTarget) untouched.
 */
export function joinConditions(
  known: readonly PodCondition[],
  verdicts: readonly Verdict[],
  generation: number | undefined,
  nowMs: number,
): PodCondition[] {
  // Ours as well, and gone when there is nothing to say.
  const ours = new Set([...verdicts.map(({ type }) => type), ...PASSING_CONDITIONS]);
  const joined = verdicts.map((verdict): PodCondition => {
    const old = known.find(({ type }) => type === verdict.type);
    const kept = old !== undefined && old.status === verdict.status ? old.lastTransitionTime : undefined;
    return {
      ...verdict,
      lastTransitionTime: kept ?? rfc3339(nowMs),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
  return [...joined, ...known.filter(({ type }) => !ours.has(type))];
}
