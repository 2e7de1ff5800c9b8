import { milliValue, wholeValue } from '../../api/quantity.ts';
import type { Container, Pod, ResourceRequirements } from '../../api/types.gen.ts';
import type { ContainerRecord, Instant, PodState, ResizeProblem } from './state.ts';

const COMPUTE = ['cpu', 'memory'] as const;
type Compute = (typeof COMPUTE)[number];
type Amounts = Readonly<Record<Compute, number>>;

/** CPU and memory that differ between two definitions, whatever way they are written. */
function changed(one: ResourceRequirements = {}, other: ResourceRequirements = {}): Compute[] {
  const of = (resources: ResourceRequirements, name: Compute): string =>
    JSON.stringify(
      [resources.requests, resources.limits].map((list) =>
        list?.[name] === undefined ? undefined : milliValue(list[name]),
      ),
    );
  return COMPUTE.filter((name) => of(one, name) !== of(other, name));
}

/** Whether a running container has other amounts than its definition says. */
export function isResizing({ kind, phase, spec, resources }: ContainerRecord): boolean {
  if (phase.is !== 'running' || resources === undefined || (kind !== 'main' && kind !== 'sidecar'))
    return false;
  return changed(resources, spec.resources).length > 0;
}

/** What has to be done now for a container to have what its definition says: nothing, an update, or a new start. */
export function resizeStep(
  state: PodState,
  record: ContainerRecord,
  at: Instant,
): 'update' | 'restart' | undefined {
  if (state.resize !== undefined || !isResizing(record)) return undefined;
  const { resize, resources, spec } = record;
  if (resize?.is === 'busy' || (resize?.is === 'failed' && resize.retryAt > at.monoMs)) return undefined;
  const restarting = new Set(
    ((spec as Container).resizePolicy ?? []).flatMap(({ resourceName, restartPolicy }) =>
      restartPolicy === 'RestartContainer' ? [resourceName] : [],
    ),
  );
  return changed(resources, spec.resources).some((name) => restarting.has(name)) ? 'restart' : 'update';
}

/** The containers of a pod as a completed resize is told. */
export function resizeSummary({ pod }: PodState): string {
  const containers = (pod.spec?.containers ?? []).map(({ name, resources }) => ({ name, resources }));
  const { generation } = pod.metadata;
  return `Pod resize completed: ${JSON.stringify({ containers, generation })}`;
}

/** What a pod takes from its node. */
function requestsOf({ spec }: Pod): Amounts {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const running = [...(spec?.containers ?? []), ...sidecars];
  const sum = (value: typeof milliValue, name: Compute): number =>
    running.reduce((total, { resources }) => total + value(resources?.requests?.[name]), 0) +
    value((spec?.overhead as Record<string, string> | undefined)?.[name]);
  return { cpu: sum(milliValue, 'cpu'), memory: sum(wholeValue, 'memory') };
}

/**
 * Whether a pod that runs here may have what it asks for now: not if the node never has so much, and not while others
 * have it. `others` are the pods that have not ended on this node.
 */
export function resizeProblem(
  pod: Pod,
  records: readonly ContainerRecord[],
  others: readonly Pod[],
  allocatable: Readonly<Record<string, string>>,
): ResizeProblem | undefined {
  const byName = new Map(records.map((record) => [record.name, record]));
  const before = (container: Container): Container => {
    const resources = byName.get(container.name)?.resources;
    return resources ? { ...container, resources } : container;
  };
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const had = requestsOf({
    ...pod,
    spec: { ...pod.spec, containers: containers.map(before), initContainers: initContainers.map(before) },
  });
  const wanted = requestsOf(pod);
  const growing = COMPUTE.filter((name) => wanted[name] > had[name]);
  const room: Amounts = { cpu: milliValue(allocatable['cpu']), memory: wholeValue(allocatable['memory']) };
  for (const name of growing)
    if (wanted[name] > room[name]) {
      const message = `Node didn't have enough capacity: ${name}, requested: ${wanted[name]}, capacity: ${room[name]}`;
      return { reason: 'Infeasible', message };
    }
  const used = others.map(requestsOf);
  for (const name of growing) {
    const taken = used.reduce((total, amounts) => total + amounts[name], 0);
    if (taken + wanted[name] <= room[name]) continue;
    const message = `Node didn't have enough resource: ${name}, requested: ${wanted[name]}, used: ${taken}, capacity: ${room[name]}`;
    return { reason: 'Deferred', message };
  }
  return undefined;
}
