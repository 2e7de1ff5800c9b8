import type { ContainerState, ContainerStatus, PodStatus, VolumeMountStatus } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { decideConditions, joinConditions, type Verdict } from './conditions.ts';
import { qosClass } from './qos.ts';
import { isResizing } from './resize.ts';
import type { ContainerRecord, PodState, Termination } from './state.ts';

export interface StatusContext {
  readonly hostIPs: readonly string[];
  readonly nowMs: number;
}

/** The whole `status` as the API should have it now; pure, so that "changed?" is a comparison. */
export function podStatus(state: PodState, context: StatusContext): PodStatus {
  const { pod } = state;
  const over = state.stage.is === 'terminated' || state.stage.is === 'released' || state.stage.is === 'gone';
  const of = (record: ContainerRecord): ContainerStatus => containerStatus(state, record, over);
  const by = (...kinds: ContainerRecord['kind'][]): ContainerStatus[] =>
    state.containers.filter(({ kind }) => kinds.includes(kind)).map(of);
  const statuses = by('main');
  const initStatuses = by('init', 'sidecar');
  const ephemeral = by('ephemeral');
  const phase = podPhase(state, over);
  const outcome = 'outcome' in state.stage ? state.stage.outcome : undefined;
  const verdicts: Verdict[] = [
    ...decideConditions({
      pod,
      phase,
      statuses,
      initStatuses,
      sandboxReady: state.sandbox.is === 'done' && !over,
    }),
    ...(outcome?.reason === 'Evicted' ? [disruption(outcome.message)] : []),
    ...resizeConditions(state),
  ];
  const generation = pod.metadata.generation;
  const ips = podIPs(state, context);
  return {
    phase,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: joinConditions(pod.status?.conditions ?? [], verdicts, generation, context.nowMs),
    ...(outcome?.reason === undefined ? {} : { reason: outcome.reason }),
    ...(outcome?.message === undefined ? {} : { message: outcome.message }),
    ...(context.hostIPs.length === 0
      ? {}
      : { hostIP: context.hostIPs[0] ?? '', hostIPs: context.hostIPs.map((ip) => ({ ip })) }),
    ...(ips.length === 0 ? {} : { podIP: ips[0] ?? '', podIPs: ips.map((ip) => ({ ip })) }),
    startTime: pod.status?.startTime ?? rfc3339(state.startedAt.wallMs),
    ...(initStatuses.length === 0 ? {} : { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
    qosClass: pod.status?.qosClass ?? qosClass(pod),
  };
}

/** There only while running containers have other amounts than the pod asks for. */
function resizeConditions({ resize, containers }: PodState): Verdict[] {
  if (resize) return [{ type: 'PodResizePending', status: 'True', ...resize }];
  const resizing = containers.filter(isResizing);
  if (resizing.length === 0) return [];
  const failed = resizing.find((record) => record.resize?.is === 'failed')?.resize;
  const why = failed?.is === 'failed' ? { reason: 'Error', message: failed.message } : {};
  return [{ type: 'PodResizeInProgress', status: 'True', ...why }];
}

function disruption(message: string | undefined): Verdict {
  return {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'TerminationByKubelet',
    ...(message === undefined ? {} : { message }),
  };
}

/** Addresses stay visible until the pod has ended, as upstream. */
function podIPs(state: PodState, context: StatusContext): readonly string[] {
  if (state.pod.spec?.hostNetwork === true) {
    const begun = state.sandbox.is === 'done' || state.pod.status?.podIP !== undefined;
    return begun ? context.hostIPs : [];
  }
  if (state.ips.length > 0) return state.ips;
  return (state.pod.status?.podIPs ?? []).map(({ ip }) => ip);
}

function podPhase(state: PodState, over: boolean): string {
  const outcome = 'outcome' in state.stage ? state.stage.outcome : undefined;
  if (outcome?.failed === true) return 'Failed';
  const main = state.containers.filter(({ kind }) => kind === 'main');
  const ended = main.filter((record) => record.phase.is === 'exited');
  const begun = main.filter(({ phase, last }) =>
    phase.is !== 'waiting' && phase.is !== 'starting' ? true : last !== undefined,
  );
  const failed = (record: ContainerRecord): boolean =>
    record.phase.is === 'exited' && record.phase.termination.exitCode !== 0;
  if (over) {
    if (state.containers.some((record) => record.kind === 'init' && failed(record))) return 'Failed';
    if (main.length > 0 && ended.length === main.length) return ended.some(failed) ? 'Failed' : 'Succeeded';
    const before = state.pod.status?.phase;
    if (before === 'Succeeded' || before === 'Failed') return before;
    return begun.length > 0 ? 'Failed' : 'Pending';
  }
  return begun.length > 0 || state.initialized ? 'Running' : 'Pending';
}

function containerStatus(state: PodState, record: ContainerRecord, over: boolean): ContainerStatus {
  const { spec, phase } = record;
  const current = containerState(state, record, over);
  const shown = phase.is === 'exited' || (phase.is === 'starting' && record.last !== undefined);
  const last = shown ? earlier(record) : record.last;
  const ran = phase.is === 'running' || phase.is === 'stopping' || phase.is === 'exited';
  const id = ran ? record.id : (record.last?.id ?? '');
  const count = ran ? record.attempt : (record.last?.attempt ?? 0);
  const isRunning = phase.is === 'running' || phase.is === 'stopping';
  const resources = (isRunning ? record.resources : undefined) ?? spec.resources;
  const allocated = (state.resize ? record.resources : undefined) ?? spec.resources;
  const mounts = (spec.volumeMounts ?? []).map(mountStatus);
  return {
    name: record.name,
    state: current,
    lastState: last === undefined ? {} : { terminated: terminated(last) },
    ready: record.kind === 'init' ? phase.is === 'exited' && phase.termination.exitCode === 0 : record.ready,
    restartCount: count,
    image: record.image ?? spec.image ?? '',
    imageID: record.imageId ?? '',
    ...(id === '' ? {} : { containerID: `containerd://${id}` }),
    started: record.kind === 'ephemeral' || record.kind === 'init' ? false : record.started,
    ...(allocated?.requests === undefined || record.kind === 'ephemeral'
      ? {}
      : { allocatedResources: allocated.requests }),
    ...(resources === undefined || record.kind === 'ephemeral' ? {} : { resources }),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
  };
}

function earlier(record: ContainerRecord): Termination | undefined {
  if (record.phase.is === 'starting') return undefined;
  return record.last?.attempt === record.attempt ? undefined : record.last;
}

function mountStatus(mount: {
  name: string;
  mountPath: string;
  readOnly?: boolean;
  recursiveReadOnly?: string;
}): VolumeMountStatus {
  return {
    name: mount.name,
    mountPath: mount.mountPath,
    ...(mount.readOnly === true ? { readOnly: true, recursiveReadOnly: 'Disabled' } : {}),
  };
}

const UNKNOWN_MESSAGE = 'The container could not be located when the pod was terminated';

function containerState(state: PodState, record: ContainerRecord, over: boolean): ContainerState {
  const { phase } = record;
  switch (phase.is) {
    case 'running':
    case 'stopping':
      return { running: { startedAt: rfc3339(phase.startedAtMs) } };
    case 'exited':
      return { terminated: terminated(phase.termination) };
    case 'starting':
      if (record.last !== undefined) return { terminated: terminated(record.last) };
      return { waiting: waitingBefore(state, record) };
    case 'waiting':
      if (over && record.last !== undefined) return { terminated: terminated(record.last) };
      if (over && state.initialized && record.kind === 'main')
        return { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message: UNKNOWN_MESSAGE } };
      if (phase.message === undefined) return { waiting: waitingBefore(state, record) };
      return { waiting: { reason: phase.reason, message: phase.message } };
  }
}

/** Upstream's default for what has not begun, unless the image of a volume it mounts is missing. */
function waitingBefore(
  state: PodState,
  { spec, ...record }: ContainerRecord,
): { reason: string; message?: string } {
  const image = state.volumes.is === 'done' ? undefined : state.volumes.image;
  if (image && spec.volumeMounts?.some(({ name }) => name === image.volume))
    return { reason: image.reason, message: image.message };
  const inits = (state.pod.spec?.initContainers ?? []).length > 0;
  const pending = inits && (record.kind === 'main' ? !state.initialized : record.kind !== 'ephemeral');
  return { reason: pending ? 'PodInitializing' : 'ContainerCreating' };
}

function terminated(run: Termination): NonNullable<ContainerState['terminated']> {
  return {
    exitCode: run.exitCode,
    reason: run.reason,
    ...(run.message === undefined ? {} : { message: run.message }),
    startedAt: rfc3339(run.startedAtMs),
    finishedAt: rfc3339(run.finishedAtMs),
    containerID: `containerd://${run.id}`,
  };
}

/** Statuses that mean the same to a reader of the API: nothing is written then. */
export function sameStatus(a: PodStatus | undefined, b: PodStatus): boolean {
  return a !== undefined && canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (key, field) => {
    if (key === 'lastProbeTime' || field === null) return undefined;
    if (typeof field !== 'object' || Array.isArray(field)) return field;
    const entries = Object.entries(field).filter(([, inner]) => inner !== undefined && inner !== null);
    if (entries.length === 0) return undefined;
    return Object.fromEntries(entries.sort(([x], [y]) => (x < y ? -1 : 1)));
  });
}
