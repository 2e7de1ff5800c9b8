import type { Container, EphemeralContainer, Pod } from '../../api/types.gen.ts';
import type { ContainerKind, ContainerRecord } from './state.ts';

/** Every container of the pod in the order they are looked at, with what is already known of it. */
export function recordsOf(pod: Pod, known: readonly ContainerRecord[]): readonly ContainerRecord[] {
  const spec = pod.spec;
  if (spec === undefined) return known;
  const byName = new Map(known.map((record) => [record.name, record]));
  const record = (kind: ContainerKind, container: Container | EphemeralContainer): ContainerRecord => {
    const old = byName.get(container.name);
    return old === undefined ? newRecord(kind, container) : { ...old, spec: container };
  };
  return [
    ...(spec.initContainers ?? []).map((container) =>
      record(container.restartPolicy === 'Always' ? 'sidecar' : 'init', container),
    ),
    ...spec.containers.map((container) => record('main', container)),
    ...(spec.ephemeralContainers ?? []).map((container) => record('ephemeral', container)),
  ];
}

function newRecord(kind: ContainerKind, spec: Container | EphemeralContainer): ContainerRecord {
  return {
    name: spec.name,
    kind,
    spec,
    phase: { is: 'waiting', reason: 'ContainerCreating' },
    attempt: 0,
    id: '',
    hash: '',
    started: false,
    ready: false,
    postStart: 'done',
    failures: 0,
    leftover: false,
    probes: {},
  };
}

/** Whether a process of this container may exist. */
export function isAlive(record: ContainerRecord): boolean {
  return record.phase.is === 'starting' || record.phase.is === 'running' || record.phase.is === 'stopping';
}

/** The number of the next run: one more than the last run that really ran. */
export function nextAttempt(record: ContainerRecord): number {
  return record.last !== undefined && record.last.attempt >= record.attempt
    ? record.last.attempt + 1
    : record.attempt;
}

/** `ready` and `started` of a running container, from its probes and hooks. */
export function withReadiness(record: ContainerRecord): ContainerRecord {
  const { spec, probes } = record;
  const alive = record.phase.is === 'running' || record.phase.is === 'stopping';
  const started =
    alive && record.postStart === 'done' && (spec.startupProbe === undefined || probes.startup === true);
  const ready =
    record.kind !== 'init' &&
    record.kind !== 'ephemeral' &&
    started &&
    (spec.readinessProbe === undefined || probes.readiness === true);
  if (record.started === started && record.ready === ready) return record;
  return { ...record, started, ready };
}
