import type { Pod } from '../../api/types.gen.ts';
import { observe } from './observe.ts';
import { plan } from './plan.ts';
import { type ContainerEvent, nextRecord } from './record-machine.ts';
import { recordsOf, withReadiness } from './records.ts';
import type { Instant, PodAction, PodEvent, PodState, Transition } from './state.ts';
import { graceMsOf } from './stop.ts';

/*
 * One pod:
 *
 *            ┌── containers kept as the spec wants ──┐
 *   observed │                                       │
 *   ───────► active ──deleted, evicted, deadline,──► terminating ──nothing alive──► terminated ──torn down──► released ──► gone
 *            ▲   │    init failed, all completed                                 (final status, then           (API delete
 *            │   │                                                                 sandbox, volumes)             if asked)
 *            └───┘ sandbox lost: all runs count as ended, a new sandbox, init containers again
 *
 * One container:
 *
 *   waiting ──► starting ──► running ──► stopping(preStop → term → kill) ──► exited
 *      ▲            │           └────────────── exit ──────────────────────────┘ │
 *      └── retry ◄──┘  (image, config)                                          │
 *      └────────────── CrashLoopBackOff, or at once ◄── restart policy ─────────┘
 *
 * A container that is `starting` is left alone until the executor answers, whatever else happens: this is what
 * keeps two instances of one container from ever running.
 */

/** A pod nobody has looked at yet. */
export function initialState(pod: Pod, at: Instant): PodState {
  return {
    pod,
    observed: false,
    stage: initialStage(pod),
    volumes: { is: 'idle', failures: 0 },
    sandbox: { is: 'idle', failures: 0 },
    ips: [],
    containers: recordsOf(pod, []),
    initialized: false,
    removed: false,
    startedAt: startOf(pod, at),
  };
}

/** A pod that was started before this agent was keeps its start, so that its deadline does not begin anew. */
function startOf(pod: Pod, at: Instant): Instant {
  const startedMs = Date.parse(pod.status?.startTime ?? '');
  // A clock that is behind says nothing about how long ago that was.
  if (!(startedMs <= at.wallMs)) return at;
  return { wallMs: startedMs, monoMs: at.monoMs - (at.wallMs - startedMs) };
}

/** A pod that has ended already only has to be cleaned up. */
function initialStage(pod: Pod): PodState['stage'] {
  const { phase, reason, message } = pod.status ?? {};
  if (phase !== 'Succeeded' && phase !== 'Failed') return { is: 'active' };
  if (phase === 'Succeeded' || reason === undefined) return { is: 'terminating', graceMs: graceMsOf(pod) };
  const outcome = { reason, ...(message === undefined ? {} : { message }), failed: true };
  return { is: 'terminating', graceMs: graceMsOf(pod), outcome };
}

/** What the event means, then what is to be done about the whole. Pure: same input, same answer. */
export function next(state: PodState, event: PodEvent, at: Instant): Transition {
  const actions: PodAction[] = [];
  const changed = reduce(state, event, at, actions);
  if (!changed.observed || changed.stage.is === 'gone') return { state: changed, actions };
  const planned = plan(changed, at);
  return { state: planned.state, actions: [...actions, ...planned.actions] };
}

function reduce(state: PodState, event: PodEvent, at: Instant, actions: PodAction[]): PodState {
  switch (event.type) {
    case 'desired':
      return withPod(resizable(state, event, actions), event.pod, at);
    case 'removed':
      return state.removed ? state : { ...state, removed: true };
    case 'observed':
      return observe(state, event, at, actions);
    case 'volumesReady':
      return { ...state, volumes: { is: 'done' } };
    case 'volumesFailed':
      return { ...state, volumes: volumesFailed(state, event, at, actions) };
    case 'sandboxReady':
      return { ...state, sandbox: { is: 'done' }, ips: event.ips };
    case 'sandboxFailed':
      actions.push({
        type: 'event',
        warning: true,
        reason: 'FailedCreatePodSandBox',
        message: `Failed to create pod sandbox: ${event.message}`,
      });
      return {
        ...state,
        sandbox: failedStep(state.sandbox.is === 'busy' ? state.sandbox.failures : 0, event.message, at),
      };
    case 'tick':
      return event.retry === true ? retryWaiting(state) : state;
    case 'evict':
      if (state.stage.is !== 'active') return state;
      return {
        ...state,
        stage: {
          is: 'terminating',
          graceMs: event.graceMs,
          outcome: { reason: event.reason, message: event.message, failed: true },
        },
      };
    case 'statusWritten':
      return state.stage.is === 'terminated' && state.stage.step === 'status'
        ? { ...state, stage: { ...state.stage, step: 'teardown' } }
        : state;
    case 'tornDown':
      return state.stage.is === 'terminated'
        ? { ...state, sandbox: { is: 'idle', failures: 0 }, stage: released(state) }
        : state;
    default:
      return onContainer(state, event, at, actions);
  }
}

function released(state: PodState): PodState['stage'] {
  const outcome = state.stage.is === 'terminated' ? state.stage.outcome : undefined;
  return { is: 'released', deleting: false, ...(outcome === undefined ? {} : { outcome }) };
}

/** Tells once why containers keep what they have. */
function resizable(
  { resize: before, ...state }: PodState,
  { resize }: Extract<PodEvent, { type: 'desired' }>,
  actions: PodAction[],
): PodState {
  if (resize === undefined) return state;
  if (resize.message !== before?.message)
    actions.push({ type: 'event', warning: true, reason: `Resize${resize.reason}`, message: resize.message });
  return { ...state, resize };
}

function withPod(state: PodState, pod: Pod, at: Instant): PodState {
  const changed: PodState = { ...state, pod, removed: false, containers: recordsOf(pod, state.containers) };
  if (changed.stage.is !== 'terminating' || pod.metadata.deletionTimestamp === undefined) return changed;
  const graceMs = graceMsOf(pod);
  if (graceMs >= changed.stage.graceMs) return changed;
  const latest = at.monoMs + graceMs;
  return {
    ...changed,
    stage: { ...changed.stage, graceMs },
    containers: changed.containers.map((record) =>
      record.phase.is === 'stopping' && record.phase.deadline > latest
        ? { ...record, phase: { ...record.phase, deadline: latest } }
        : record,
    ),
  };
}

/** A missing image has been told already, as that of a container, and has a back-off of its own. */
function volumesFailed(
  { volumes }: PodState,
  { message, image }: Extract<PodEvent, { type: 'volumesFailed' }>,
  at: Instant,
  actions: PodAction[],
): PodState['volumes'] {
  const failures = volumes.is === 'busy' ? volumes.failures : 0;
  if (image) return { is: 'idle', failures, retryAt: at.monoMs + image.retryMs, message, image };
  actions.push({ type: 'event', warning: true, reason: 'FailedMount', message });
  return failedStep(failures, message, at);
}

/** Two seconds, doubled to about two minutes: what upstream's workers do between syncs that fail. */
function failedStep(failures: number, message: string, at: Instant): PodState['volumes'] {
  const delayMs = Math.min(2000 * 2 ** failures, 122_000);
  return { is: 'idle', failures: failures + 1, retryAt: at.monoMs + delayMs, message };
}

/** A thing the pod waits for has changed: whatever waits may try again now, crash back-off excepted. */
function retryWaiting(state: PodState): PodState {
  const now = (step: PodState['volumes']): PodState['volumes'] =>
    step.is === 'idle' && step.image === undefined ? { is: 'idle', failures: step.failures } : step;
  return {
    ...state,
    volumes: now(state.volumes),
    sandbox: state.sandbox,
    containers: state.containers.map((record) =>
      record.phase.is === 'waiting' && record.phase.reason === 'CreateContainerConfigError'
        ? { ...record, phase: { ...record.phase, retryAt: 0 } }
        : record,
    ),
  };
}

function onContainer(state: PodState, event: ContainerEvent, at: Instant, actions: PodAction[]): PodState {
  const index = state.containers.findIndex((record) => record.id === event.id && record.id !== '');
  const record = state.containers[index];
  if (record === undefined) return state;
  const changed = withReadiness(nextRecord(state, record, event, at, actions));
  if (changed === record) return state;
  const containers = state.containers.with(index, changed);
  const initialized = state.initialized || (changed.kind === 'main' && changed.phase.is === 'running');
  return { ...state, containers, initialized };
}
