import type { ContainerStatus, Pod } from '../../api/types.gen.ts';
import { exited } from './record-machine.ts';
import { nextAttempt, withReadiness } from './records.ts';
import type { ContainerRecord, Instant, ObservedContainer, PodAction, PodEvent, PodState } from './state.ts';

type Observed = Extract<PodEvent, { type: 'observed' }>;

const GONE = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
} as const;

/** Folds what the runtime lists into the state: at the first sight everything, later only what was missed. */
export function observe(state: PodState, event: Observed, at: Instant, actions: PodAction[]): PodState {
  if (state.stage.is === 'released' || state.stage.is === 'gone') return state;
  const first = !state.observed;
  const byName = Map.groupBy(event.containers, (container) => container.name);
  const containers = state.containers.map((record) => {
    const seen = (byName.get(record.name) ?? []).toSorted((a, b) => b.attempt - a.attempt);
    const changed = first
      ? adopt(state.pod, record, seen, at, actions)
      : compare(record, seen, event.asOfMono, at, actions);
    return withReadiness(changed);
  });
  const initialized = containers.some((record) => record.kind === 'main' && hasRun(record));
  const current: PodState = {
    ...state,
    observed: true,
    containers,
    initialized: state.initialized || initialized,
  };
  return observeSandbox(current, event, first, at, actions);
}

function hasRun(record: ContainerRecord): boolean {
  return record.phase.is === 'running' || record.phase.is === 'exited' || record.last !== undefined;
}

function observeSandbox(
  state: PodState,
  event: Observed,
  first: boolean,
  at: Instant,
  actions: PodAction[],
): PodState {
  if (event.sandbox?.ready) {
    // A sandbox being made answers for itself.
    if (state.sandbox.is !== 'idle') return state;
    return { ...state, sandbox: { is: 'done' }, ips: event.sandbox.ips };
  }
  const had = first ? state.containers.some((record) => record.id !== '') : state.sandbox.is === 'done';
  return had && state.stage.is === 'active' ? lostSandbox(state, at, actions) : state;
}

/** After a reboot: every run is over and the pod begins anew, init containers included. */
function lostSandbox(state: PodState, at: Instant, actions: PodAction[]): PodState {
  actions.push({
    type: 'event',
    warning: false,
    reason: 'SandboxChanged',
    message: 'Pod sandbox changed, it will be killed and re-created.',
  });
  const containers = state.containers.map((record) => {
    const ended =
      record.phase.is === 'running' || record.phase.is === 'stopping' ? vanish(record, at, actions) : record;
    if (record.kind !== 'init' || ended.phase.is !== 'exited') return ended;
    const again: ContainerRecord = {
      ...ended,
      last: ended.phase.termination,
      phase: { is: 'waiting', reason: 'PodInitializing' },
    };
    return again;
  });
  return { ...state, containers, sandbox: { is: 'idle', failures: 0 }, ips: [], initialized: false };
}

function vanish(record: ContainerRecord, at: Instant, actions: PodAction[]): ContainerRecord {
  actions.push({ type: 'stopProbes', id: record.id });
  return exited(record, { type: 'exited', id: record.id, finishedAtMs: at.wallMs, ...GONE }, at);
}

/** Something may have been missed: exits while the event stream was down, a start whose answer got lost. */
function compare(
  record: ContainerRecord,
  seen: readonly ObservedContainer[],
  asOfMono: number,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  const { phase } = record;
  if (phase.is === 'starting') return record;
  const mine = seen.find((container) => container.id === record.id);
  if (phase.is === 'running' || phase.is === 'stopping') {
    if (mine?.state === 'running') return record;
    if (phase.is === 'running' && phase.sinceMono >= asOfMono) return record;
    if (mine === undefined || mine.state !== 'exited') return vanish(record, at, actions);
    actions.push({ type: 'stopProbes', id: record.id });
    const { id, exitCode, reason, finishedAtMs, message } = mine;
    const text = message === undefined ? {} : { message };
    return exited(record, { type: 'exited', id, exitCode, reason, finishedAtMs, ...text }, at);
  }
  const newest = seen[0];
  if (newest?.state === 'running' && newest.attempt >= nextAttempt(record))
    return running(record, newest, at, actions);
  return record;
}

function adopt(
  pod: Pod,
  record: ContainerRecord,
  seen: readonly ObservedContainer[],
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  for (const old of seen.slice(2)) actions.push({ type: 'forget', id: old.id });
  const [newest, before] = seen;
  if (newest === undefined) return fromStatus(record, statusOf(pod, record.name), at);
  const known: ContainerRecord = {
    ...record,
    ...(before?.state === 'exited' ? { last: terminationOf(before, at) } : {}),
    id: newest.id,
    attempt: newest.attempt,
    hash: newest.hash,
    image: newest.image,
    ...(newest.imageId === undefined ? {} : { imageId: newest.imageId }),
  };
  if (newest.state === 'running') {
    const status = statusOf(pod, record.name);
    const same = status?.containerID?.endsWith(newest.id) ?? false;
    // Neither readiness nor start-up flaps because the agent was restarted.
    const probes = same ? { startup: status?.started === true, readiness: status?.ready === true } : {};
    // A change of amounts that was under way, or is to restart the container, is not made twice.
    const resources = (same ? status?.resources : undefined) ?? record.spec.resources ?? {};
    return { ...running(known, newest, at, actions), probes, resources };
  }
  if (newest.state === 'exited')
    return { ...known, phase: { is: 'exited', termination: terminationOf(newest, at), restart: false } };
  return { ...known, leftover: true };
}

function running(
  record: ContainerRecord,
  seen: ObservedContainer,
  at: Instant,
  actions: PodAction[],
): ContainerRecord {
  actions.push({ type: 'probe', name: record.name, id: seen.id });
  return {
    ...record,
    id: seen.id,
    attempt: seen.attempt,
    hash: seen.hash,
    image: seen.image,
    ...(seen.imageId === undefined ? {} : { imageId: seen.imageId }),
    resources: record.resources ?? record.spec.resources ?? {},
    phase: { is: 'running', startedAtMs: seen.startedAtMs, sinceMono: at.monoMs },
    postStart: 'done',
    leftover: false,
  };
}

function terminationOf(seen: ObservedContainer, at: Instant) {
  const agoMs = Math.max(0, at.wallMs - seen.finishedAtMs);
  return {
    id: seen.id,
    attempt: seen.attempt,
    exitCode: seen.exitCode,
    reason: seen.reason,
    ...(seen.message === undefined ? {} : { message: seen.message }),
    startedAtMs: seen.startedAtMs,
    finishedAtMs: seen.finishedAtMs,
    finishedMono: at.monoMs - agoMs,
  };
}

function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const { status } = pod;
  return [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ].find((entry) => entry.name === name);
}

/** The runtime has nothing of this container, but the API remembers a run: it is over. */
function fromStatus(
  record: ContainerRecord,
  status: ContainerStatus | undefined,
  at: Instant,
): ContainerRecord {
  const ended = status?.state?.terminated ?? status?.lastState?.terminated;
  const ran = status?.state?.running;
  if (status === undefined || (ended === undefined && ran === undefined)) return record;
  const time = (text: string | undefined): number => (text === undefined ? at.wallMs : Date.parse(text));
  const termination = {
    id: (status.containerID ?? '').replace(/^.*:\/\//, ''),
    attempt: status.restartCount,
    exitCode: ran ? GONE.exitCode : (ended?.exitCode ?? 0),
    reason: ran ? GONE.reason : (ended?.reason ?? ''),
    ...(ran ? { message: GONE.message } : ended?.message === undefined ? {} : { message: ended.message }),
    startedAtMs: time(ran?.startedAt ?? ended?.startedAt),
    finishedAtMs: ran ? at.wallMs : time(ended?.finishedAt),
    finishedMono: at.monoMs,
  };
  const known = {
    ...record,
    id: termination.id,
    attempt: status.restartCount,
    image: status.image,
    imageId: status.imageID,
  };
  if (status.state?.waiting !== undefined) return { ...known, last: termination };
  return { ...known, phase: { is: 'exited', termination, restart: false } };
}
