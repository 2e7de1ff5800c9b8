import { formatGoDuration } from '../../api/durations.ts';
import { containerHash, containerId } from './container-id.ts';
import { isAlive, nextAttempt, withReadiness } from './records.ts';
import { isResizing, resizeStep } from './resize.ts';
import { nextBackoff, podLabel, restartDue, shouldRestart } from './restart.ts';
import type { ContainerRecord, Instant, PodAction, PodState, Stage, Transition } from './state.ts';
import { graceMsOf, overdue, stopContainer } from './stop.ts';

/** What is to be done now about a pod whose state is known. Level-triggered: asking again changes nothing. */
export function plan(state: PodState, at: Instant): Transition {
  const actions: PodAction[] = [];
  let current = expire(state, at, actions);
  for (let step = 0; step < 4; step++) {
    const before: Stage['is'] = current.stage.is;
    current = planStage(current, at, actions);
    if (current.stage.is === before) break;
  }
  return { state: current, actions };
}

function planStage(state: PodState, at: Instant, actions: PodAction[]): PodState {
  switch (state.stage.is) {
    case 'active':
      return planActive(state, at, actions);
    case 'terminating':
      return planTerminating(state, at, actions);
    case 'terminated':
      return planTerminated(state, actions);
    case 'released':
      return planReleased(state, actions);
    case 'gone':
      return state;
  }
}

/** Deadlines that have passed. */
function expire(state: PodState, at: Instant, actions: PodAction[]): PodState {
  const containers = state.containers.map((record) => overdue(record, at, actions));
  return containers.every((record, index) => record === state.containers[index])
    ? state
    : { ...state, containers };
}

function planActive(state: PodState, at: Instant, actions: PodAction[]): PodState {
  const { pod } = state;
  if (state.removed || pod.metadata.deletionTimestamp !== undefined)
    return { ...state, stage: { is: 'terminating', graceMs: graceMsOf(pod) } };
  if (deadlineAt(state) <= at.monoMs) {
    const outcome = {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
      failed: true,
    };
    actions.push({ type: 'event', warning: false, reason: outcome.reason, message: outcome.message });
    return { ...state, stage: { is: 'terminating', graceMs: graceMsOf(pod), outcome } };
  }
  if (state.sandbox.is === 'idle' && state.volumes.is !== 'busy' && mainDone(state))
    return { ...state, stage: { is: 'terminating', graceMs: graceMsOf(pod) } };
  let current = prepare(state, at, actions);
  if (current.volumes.is !== 'done' || current.sandbox.is !== 'done') return current;
  const verdict = lifecycle(current, at, actions);
  current = verdict.state;
  return verdict.finished ? { ...current, stage: { is: 'terminating', graceMs: graceMsOf(pod) } } : current;
}

/** Monotonic instant at which `activeDeadlineSeconds` is over. */
function deadlineAt(state: PodState): number {
  const seconds = state.pod.spec?.activeDeadlineSeconds;
  return seconds === undefined ? Number.POSITIVE_INFINITY : state.startedAt.monoMs + seconds * 1000;
}

/** Volumes and sandbox at the same time; neither waits for the other. */
function prepare(state: PodState, at: Instant, actions: PodAction[]): PodState {
  let { volumes, sandbox } = state;
  if (volumes.is === 'idle' && (volumes.retryAt ?? 0) <= at.monoMs) {
    actions.push({ type: 'mountVolumes' });
    const { failures, image } = volumes;
    volumes = { is: 'busy', failures, ...(image ? { image } : {}) };
  }
  if (sandbox.is === 'idle' && (sandbox.retryAt ?? 0) <= at.monoMs) {
    const fresh = sandbox.failures > 0 || state.containers.some((record) => record.id !== '');
    actions.push({ type: 'createSandbox', fresh });
    sandbox = { is: 'busy', failures: sandbox.failures };
  }
  return volumes === state.volumes && sandbox === state.sandbox ? state : { ...state, volumes, sandbox };
}

function mainDone(state: PodState): boolean {
  const main = state.containers.filter((record) => record.kind === 'main');
  return main.every((record) => isOver(state, record));
}

/** Ended and not to run again. */
function isOver(state: PodState, record: ContainerRecord): boolean {
  const { phase } = record;
  return (
    phase.is === 'exited' && !phase.restart && !shouldRestart(state.pod, record, phase.termination.exitCode)
  );
}

interface Verdict {
  readonly state: PodState;
  /** Nothing is left to run: a failed init container, or every main container is over. */
  readonly finished: boolean;
}

function lifecycle(state: PodState, at: Instant, actions: PodAction[]): Verdict {
  const containers = [...state.containers];
  let finished = false;
  let blocked = false;
  for (const [index, record] of containers.entries()) {
    if (record.kind === 'ephemeral') {
      if (record.phase.is === 'waiting') containers[index] = advance(state, record, at, actions);
      continue;
    }
    if (blocked) continue;
    if (record.kind === 'init' && state.initialized) continue;
    if (
      record.kind !== 'init' &&
      record.phase.is === 'running' &&
      record.hash !== containerHash(record.spec)
    ) {
      containers[index] = stopContainer(record, at, actions, {
        graceMs: graceMsOf(state.pod),
        message: `Container ${record.name} definition changed, will be restarted`,
        restart: true,
      });
      continue;
    }
    const resize = resizeStep(state, record, at);
    if (resize === 'restart') {
      containers[index] = stopContainer(record, at, actions, {
        graceMs: graceMsOf(state.pod),
        message: `Container ${record.name} resize requires restart`,
        restart: true,
      });
      continue;
    }
    if (resize === 'update') {
      actions.push({ type: 'resize', name: record.name, id: record.id });
      containers[index] = { ...record, resize: { is: 'busy' } };
    }
    if (record.phase.is === 'waiting' || record.phase.is === 'exited') {
      if (record.kind === 'init' && isOver(state, record)) {
        if (record.phase.is === 'exited' && record.phase.termination.exitCode !== 0) finished = true;
        blocked = finished;
        continue;
      }
      if (!isOver(state, record)) containers[index] = advance(state, record, at, actions);
    }
    if (record.kind === 'init') blocked = true;
    if (record.kind === 'sidecar' && !state.initialized && !containers[index]?.started) blocked = true;
  }
  const changed = containers.some((record, index) => record !== state.containers[index]);
  const result = changed ? { ...state, containers } : state;
  return { state: result, finished: finished || (!blocked && mainDone(result)) };
}

/** Starts a container that waits or has exited, now or when its back-off ends. */
function advance(
  state: PodState,
  record: ContainerRecord,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  const { phase } = record;
  if (phase.is === 'exited') {
    const ended = phase.termination;
    const due = phase.restart ? undefined : restartDue(record, ended);
    const waiting: ContainerRecord = { ...record, last: ended };
    if (due === undefined || due <= at.monoMs) return start(state, waiting, at, actions);
    const label = podLabel(state.pod);
    actions.push({
      type: 'event',
      warning: true,
      reason: 'BackOff',
      message: `Back-off restarting failed container ${record.name} in pod ${label}`,
      container: record.name,
    });
    const delay = formatGoDuration(record.backoff?.delayMs ?? 0);
    const message = `back-off ${delay} restarting failed container=${record.name} pod=${label}`;
    return withReadiness({
      ...waiting,
      phase: { is: 'waiting', reason: 'CrashLoopBackOff', message, retryAt: due },
    });
  }
  if (phase.is !== 'waiting' || (phase.retryAt ?? 0) > at.monoMs) return record;
  return start(state, record, at, actions);
}

function start(state: PodState, record: ContainerRecord, at: Instant, actions: PodAction[]): ContainerRecord {
  const attempt = nextAttempt(record);
  const uid = state.pod.metadata.uid ?? '';
  const id = containerId(uid, record.name, attempt);
  const again = record.last !== undefined && record.failures === 0;
  if (again && record.last.attempt > 0)
    actions.push({ type: 'forget', id: containerId(uid, record.name, record.last.attempt - 1) });
  actions.push({ type: 'start', name: record.name, id, attempt, clean: record.leftover });
  return withReadiness({
    ...record,
    id,
    attempt,
    hash: containerHash(record.spec),
    phase: { is: 'starting' },
    ...(again ? { backoff: nextBackoff(record, at.monoMs) } : {}),
  });
}

/** Main, init and ephemeral containers first and together; then sidecars, last one first (KEP-753). */
function planTerminating(state: PodState, at: Instant, actions: PodAction[]): PodState {
  if (state.stage.is !== 'terminating') return state;
  const { graceMs, outcome } = state.stage;
  const others = state.containers.some((record) => record.kind !== 'sidecar' && isAlive(record));
  let sidecarTurn = !others;
  const containers = [...state.containers];
  for (let index = containers.length - 1; index >= 0; index--) {
    const record = containers[index];
    if (record === undefined || !isAlive(record)) continue;
    if (record.kind === 'sidecar') {
      if (sidecarTurn) containers[index] = stopContainer(record, at, actions, { graceMs });
      sidecarTurn = false;
    } else containers[index] = stopContainer(record, at, actions, { graceMs });
  }
  const busy = state.sandbox.is === 'busy' || state.volumes.is === 'busy';
  const current: PodState = { ...state, containers: containers.map(withReadiness) };
  if (busy || containers.some(isAlive)) return current;
  actions.push({ type: 'writeFinalStatus' });
  return {
    ...current,
    stage: { is: 'terminated', step: 'status', ...(outcome === undefined ? {} : { outcome }) },
  };
}

function planTerminated(state: PodState, actions: PodAction[]): PodState {
  if (state.stage.is !== 'terminated' || state.stage.step !== 'teardown') return state;
  if (state.sandbox.is === 'busy') return state;
  actions.push({ type: 'tearDown' });
  return { ...state, sandbox: { is: 'busy', failures: 0 } };
}

function planReleased(state: PodState, actions: PodAction[]): PodState {
  if (state.stage.is !== 'released') return state;
  if (state.removed) {
    actions.push({ type: 'purge' });
    return { ...state, stage: { is: 'gone' } };
  }
  if (state.stage.deleting || state.pod.metadata.deletionTimestamp === undefined) return state;
  actions.push({ type: 'deleteFromApi' });
  return { ...state, stage: { ...state.stage, deleting: true } };
}

/** Monotonic instant at which `tick` is due, or undefined when only events can change anything. */
export function wakeAt(state: PodState): number | undefined {
  if (!state.observed) return undefined;
  const due: number[] = [];
  if (state.stage.is === 'active') {
    due.push(deadlineAt(state));
    for (const step of [state.volumes, state.sandbox])
      if (step.is === 'idle' && step.retryAt !== undefined) due.push(step.retryAt);
    for (const { phase } of state.containers)
      if (phase.is === 'waiting' && phase.retryAt !== undefined) due.push(phase.retryAt);
    for (const record of state.containers)
      if (record.resize?.is === 'failed' && isResizing(record)) due.push(record.resize.retryAt);
  }
  for (const { phase } of state.containers) if (phase.is === 'stopping') due.push(phase.deadline);
  const soonest = Math.min(...due);
  return Number.isFinite(soonest) ? soonest : undefined;
}
