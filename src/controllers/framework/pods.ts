import type { Container, ContainerStatus, Pod, PodTemplateSpec } from '../../api/types.gen.ts';

/** Neither finished nor on its way out. */
export function isActive(pod: Pod): boolean {
  return !isTerminal(pod) && !pod.metadata.deletionTimestamp;
}

export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

export function condition(pod: Pod, type: string) {
  return pod.status?.conditions?.find((one) => one.type === type);
}

export function isReady(pod: Pod): boolean {
  return condition(pod, 'Ready')?.status === 'True';
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  return isReady(pod) && availableInMs(pod, minReadySeconds, nowMs) <= 0;
}

/** Time until a ready pod counts as available; 0 when it does, infinite when it is not ready. */
function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number {
  const ready = condition(pod, 'Ready');
  if (ready?.status !== 'True') return Number.POSITIVE_INFINITY;
  if (minReadySeconds <= 0) return 0;
  const sinceMs = timeMs(ready.lastTransitionTime);
  return Math.max(0, sinceMs + minReadySeconds * 1000 - nowMs);
}

/** The soonest that any of the ready pods will become available, as a delay; undefined when none is waiting. */
export function nextAvailableMs(
  pods: Iterable<Pod>,
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  let soonest: number | undefined;
  for (const pod of pods) {
    const inMs = availableInMs(pod, minReadySeconds, nowMs);
    if (inMs > 0 && Number.isFinite(inMs) && (soonest === undefined || inMs < soonest)) soonest = inMs;
  }
  return soonest;
}

/** 0 for an absent time. */
export function timeMs(time: string | undefined): number {
  return time ? Date.parse(time) : 0;
}

export function containerStatuses(pod: Pod): readonly ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

/** The pod a template describes; `metadata` is the caller's to complete. */
export function podFromTemplate(template: PodTemplateSpec, namespace: string | undefined): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...labels },
      annotations: { ...annotations },
      ...(finalizers === undefined ? {} : { finalizers: [...finalizers] }),
    },
    ...(template.spec === undefined ? {} : { spec: structuredClone(template.spec) }),
  };
}

/** Restarts of the ordinary containers, and of the sidecars, each the highest of any. */
export function maxRestarts(pod: Pod): { regular: number; sidecar: number } {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  let regular = 0;
  let sidecar = 0;
  for (const { restartCount } of pod.status?.containerStatuses ?? [])
    regular = Math.max(regular, restartCount);
  for (const { name, restartCount } of pod.status?.initContainerStatuses ?? [])
    if (sidecars.has(name)) sidecar = Math.max(sidecar, restartCount);
  return { regular, sidecar };
}

function isSidecar({ restartPolicy }: Container): boolean {
  return restartPolicy === 'Always';
}
