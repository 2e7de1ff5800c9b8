import type { Pod } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { ContainerRecord, Instant, PodAction } from './state.ts';

/** How long containers get to end by themselves. */
export function graceMsOf(pod: Pod): number {
  const seconds = pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
  return Math.max(0, seconds * 1000);
}

export interface StopOptions {
  readonly graceMs: number;
  /** Text of the Killing event; upstream's default names the container. */
  readonly message?: string;
  readonly restart?: boolean;
}

/** Begins to stop a running container: its preStop hook, then the signal. Others are returned as they are. */
export function stopContainer(
  record: ContainerRecord,
  at: Instant,
  actions: PodAction[],
  options: StopOptions,
): ContainerRecord {
  const { phase } = record;
  if (phase.is !== 'running') return record;
  actions.push({
    type: 'event',
    warning: false,
    reason: 'Killing',
    message: options.message ?? `Stopping container ${record.name}`,
    container: record.name,
  });
  const hook = record.spec.lifecycle?.preStop !== undefined && options.graceMs > 0;
  const stopping: ContainerRecord = {
    ...record,
    phase: {
      is: 'stopping',
      startedAtMs: phase.startedAtMs,
      step: 'preStop',
      deadline: at.monoMs + options.graceMs,
      restart: options.restart ?? false,
    },
  };
  if (hook) {
    actions.push({ type: 'preStop', name: record.name, id: record.id, timeoutMs: options.graceMs });
    return stopping;
  }
  return options.graceMs === 0 ? kill(stopping, at, actions) : afterPreStop(stopping, at, actions);
}

/** The hook has ended or its time is up: now the signal, with at least two seconds before SIGKILL, as upstream. */
export function afterPreStop(record: ContainerRecord, at: Instant, actions: PodAction[]): ContainerRecord {
  const { phase } = record;
  if (phase.is !== 'stopping' || phase.step !== 'preStop') return record;
  actions.push({ type: 'signal', id: record.id, signal: stopSignalOf(record) });
  const deadline = Math.max(phase.deadline, at.monoMs + LIMITS.agent.minimumGraceMs);
  return { ...record, phase: { ...phase, step: 'term', deadline } };
}

/** Moves a stopping container on when its time is up. */
export function overdue(record: ContainerRecord, at: Instant, actions: PodAction[]): ContainerRecord {
  const { phase } = record;
  if (phase.is !== 'stopping' || phase.deadline > at.monoMs) return record;
  return phase.step === 'preStop' ? afterPreStop(record, at, actions) : kill(record, at, actions);
}

function kill(record: ContainerRecord, at: Instant, actions: PodAction[]): ContainerRecord {
  if (record.phase.is !== 'stopping') return record;
  actions.push({ type: 'signal', id: record.id, signal: 'SIGKILL' });
  if (record.phase.step === 'kill') actions.push({ type: 'inspect' });
  // A kill that got lost (the runtime was away) is sent again.
  const deadline = at.monoMs + LIMITS.agent.killRetryMs;
  return { ...record, phase: { ...record.phase, step: 'kill', deadline } };
}

/** Empty: the image's own stop signal, else SIGTERM; the executor knows the image. */
function stopSignalOf(record: ContainerRecord): string {
  return record.spec.lifecycle?.stopSignal ?? '';
}
