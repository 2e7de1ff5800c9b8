import { LIMITS } from '../../lib/limits.ts';
import { isAlive } from './records.ts';
import { isResizing, resizeSummary } from './resize.ts';
import type { ContainerRecord, Instant, PodAction, PodEvent, PodState, Termination } from './state.ts';
import { afterPreStop, graceMsOf, stopContainer } from './stop.ts';

export type ContainerEvent = Extract<
  PodEvent,
  { type: 'started' | 'startFailed' | 'postStart' | 'preStop' | 'resized' | 'exited' | 'probe' }
>;

/** What an event about one run means for its container; see the diagram in `machine.ts`. */
export function nextRecord(
  state: PodState,
  record: ContainerRecord,
  event: ContainerEvent,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  const { phase } = record;
  switch (event.type) {
    case 'started':
      if (phase.is === 'starting') return started(record, event, at, actions);
      // It had ended before its start was told: what was started is still worth knowing.
      return phase.is === 'exited' ? { ...record, image: event.image, imageId: event.imageId } : record;
    case 'startFailed':
      return phase.is === 'starting' ? startFailed(record, event, at) : record;
    case 'postStart':
      return phase.is === 'running' && record.postStart === 'pending'
        ? hooked(state, record, event, at, actions)
        : record;
    case 'preStop':
      return afterPreStop(record, at, actions);
    case 'resized':
      return isAlive(record) ? resized(state, record, event, at, actions) : record;
    case 'exited':
      if (!isAlive(record)) return record;
      actions.push({ type: 'stopProbes', id: record.id });
      return exited(record, event, at);
    case 'probe':
      return phase.is === 'running' ? probed(state, record, event, at, actions) : record;
  }
}

type Of<T extends ContainerEvent['type']> = Extract<ContainerEvent, { type: T }>;

function started(
  record: ContainerRecord,
  event: Of<'started'>,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  const hook = record.spec.lifecycle?.postStart !== undefined;
  actions.push({ type: hook ? 'postStart' : 'probe', name: record.name, id: record.id });
  const { resize: _, ...rest } = record;
  return {
    ...rest,
    resources: event.resources,
    image: event.image,
    imageId: event.imageId,
    phase: { is: 'running', startedAtMs: event.startedAtMs, sinceMono: at.monoMs },
    postStart: hook ? 'pending' : 'done',
    probes: {},
    failures: 0,
    leftover: false,
  };
}

function resized(
  state: PodState,
  record: ContainerRecord,
  { resources, message }: Of<'resized'>,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  const { resize: _, ...rest } = record;
  if (message !== undefined) {
    actions.push({ type: 'event', warning: true, reason: 'ResizeError', message, container: record.name });
    return { ...rest, resize: { is: 'failed', message, retryAt: at.monoMs + LIMITS.agent.resizeRetryMs } };
  }
  const done: ContainerRecord = { ...rest, resources };
  if (!state.containers.some((other) => isResizing(other.id === record.id ? done : other)))
    actions.push({ type: 'event', warning: false, reason: 'ResizeCompleted', message: resizeSummary(state) });
  return done;
}

function startFailed(record: ContainerRecord, event: Of<'startFailed'>, at: Instant): ContainerRecord {
  if (event.stage === 'run') {
    const ended = {
      exitCode: 128,
      reason: 'StartError',
      message: event.message,
      finishedAtMs: at.wallMs,
    };
    return exited({ ...record, leftover: true }, { type: 'exited', id: record.id, ...ended }, at);
  }
  return {
    ...record,
    failures: record.failures + 1,
    leftover: event.stage === 'config' ? record.leftover : true,
    phase: {
      is: 'waiting',
      reason: event.reason,
      message: event.message,
      retryAt: at.monoMs + (event.retryMs ?? configRetryMs(record.failures)),
    },
  };
}

function configRetryMs(failures: number): number {
  return Math.min(2000 * 2 ** failures, 60_000);
}

function hooked(
  state: PodState,
  record: ContainerRecord,
  event: Of<'postStart'>,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  if (event.ok) {
    actions.push({ type: 'probe', name: record.name, id: record.id });
    return { ...record, postStart: 'done' };
  }
  actions.push({
    type: 'event',
    warning: true,
    reason: 'FailedPostStartHook',
    message: event.message ?? 'PostStartHook failed',
    container: record.name,
  });
  return stopContainer(record, at, actions, {
    graceMs: graceMsOf(state.pod),
    message: 'FailedPostStartHook',
  });
}

/** The end of a run, whoever wanted it. */
export function exited(record: ContainerRecord, event: Of<'exited'>, at: Instant): ContainerRecord {
  const { phase } = record;
  const startedAtMs = phase.is === 'running' || phase.is === 'stopping' ? phase.startedAtMs : at.wallMs;
  const termination: Termination = {
    id: record.id,
    attempt: record.attempt,
    exitCode: event.exitCode,
    reason: event.reason,
    ...(event.message === undefined || event.message === '' ? {} : { message: event.message }),
    startedAtMs,
    finishedAtMs: event.finishedAtMs,
    finishedMono: at.monoMs,
  };
  return {
    ...record,
    phase: { is: 'exited', termination, restart: phase.is === 'stopping' && phase.restart },
    postStart: 'done',
    probes: {},
  };
}

function probed(
  state: PodState,
  record: ContainerRecord,
  event: Of<'probe'>,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  if (event.kind === 'readiness') {
    return record.probes.readiness === event.ok
      ? record
      : { ...record, probes: { ...record.probes, readiness: event.ok } };
  }
  if (event.ok) {
    return event.kind === 'liveness' || record.probes.startup === true
      ? record
      : { ...record, probes: { ...record.probes, startup: true } };
  }
  const probe = event.kind === 'liveness' ? record.spec.livenessProbe : record.spec.startupProbe;
  const ownGrace = probe?.terminationGracePeriodSeconds;
  return stopContainer(record, at, actions, {
    graceMs: ownGrace === undefined ? graceMsOf(state.pod) : ownGrace * 1000,
    message: `Container ${record.name} failed ${event.kind} probe, will be restarted`,
  });
}
