import { humanDuration } from '../../../api/durations.ts';
import type { ContainerStatus, Pod } from '../../../api/types.gen.ts';
import type { Column } from '../../registry/definition.ts';
import { ageColumn, nameColumn, orNone, textColumn, wide } from '../columns.ts';

/** What `kubectl get pods` says about one pod (upstream's printPod). */
export interface PodSummary {
  readonly ready: number;
  readonly total: number;
  readonly status: string;
  readonly restarts: number;
  /** When the container that restarted last ended before, epoch milliseconds; 0: never. */
  readonly lastRestartMs: number;
}

interface Count {
  ready: number;
  restarts: number;
  lastRestartMs: number;
}

const exitText = (status: { signal?: number; exitCode?: number }): string =>
  status.signal ? `Signal:${status.signal}` : `ExitCode:${status.exitCode ?? 0}`;

function count(into: Count, status: ContainerStatus): void {
  into.restarts += status.restartCount ?? 0;
  const finished = status.lastState?.terminated?.finishedAt;
  if (finished) into.lastRestartMs = Math.max(into.lastRestartMs, Date.parse(finished));
}

/** The pod's state as long as an init container holds it up; `undefined` once all have passed. */
function initReason(
  status: ContainerStatus,
  index: number,
  total: number,
  isSidecar: boolean,
): string | undefined {
  const { terminated, waiting } = status.state ?? {};
  if (terminated?.exitCode === 0) return undefined;
  if (isSidecar && status.started) return undefined;
  if (terminated !== undefined) return `Init:${terminated.reason || exitText(terminated)}`;
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
  return `Init:${index}/${total}`;
}

function summarizePod(pod: Pod): PodSummary {
  const { spec, status = {} } = pod;
  const inits = spec?.initContainers ?? [];
  const sidecars = new Set(inits.filter((one) => one.restartPolicy === 'Always').map((one) => one.name));
  let reason = status.reason || status.phase || '';
  if (status.conditions?.some((one) => one.type === 'PodScheduled' && one.reason === 'SchedulingGated')) {
    reason = 'SchedulingGated';
  }
  let counted: Count = { ready: 0, restarts: 0, lastRestartMs: 0 };
  const ofSidecars: Count = { ready: 0, restarts: 0, lastRestartMs: 0 };
  let initializing = false;
  for (const [index, one] of (status.initContainerStatuses ?? []).entries()) {
    const isSidecar = sidecars.has(one.name);
    count(counted, one);
    if (isSidecar) count(ofSidecars, one);
    const held = initReason(one, index, inits.length, isSidecar);
    if (held !== undefined) {
      reason = held;
      initializing = true;
      break;
    }
    if (isSidecar && one.started && one.ready) counted.ready++;
  }
  if (!initializing || isInitialized(pod)) {
    // Finished init containers no longer matter; sidecars do.
    counted = { ...ofSidecars, ready: counted.ready };
    reason = appReason(pod, reason, counted);
  }
  if (pod.metadata.deletionTimestamp) {
    if (status.reason === 'NodeLost') reason = 'Unknown';
    else if (status.phase !== 'Failed' && status.phase !== 'Succeeded') reason = 'Terminating';
  }
  return { ...counted, total: (spec?.containers?.length ?? 0) + sidecars.size, status: reason };
}

const isInitialized = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Initialized' && status === 'True') ?? false;

/** Looks at the app containers, counting into `running`; the first one's trouble wins. */
function appReason(pod: Pod, before: string, running: Count): string {
  let reason = before;
  let hasRunning = false;
  for (const one of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    count(running, one);
    const { waiting, terminated, running: isRunning } = one.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated !== undefined) reason = terminated.reason || exitText(terminated);
    else if (one.ready && isRunning !== undefined) {
      hasRunning = true;
      running.ready++;
    }
  }
  if (reason !== 'Completed' || !hasRunning) return reason;
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  return isReady ? 'Running' : 'NotReady';
}

function restartsText({ restarts, lastRestartMs }: PodSummary, nowMs: number): string {
  return restarts > 0 && lastRestartMs > 0
    ? `${restarts} (${humanDuration(nowMs - lastRestartMs)} ago)`
    : String(restarts);
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const open = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status: value }) => type === conditionType && value === 'True'),
  );
  return `${open.length}/${gates.length}`;
}

export const podColumns: readonly Column<Pod>[] = [
  nameColumn,
  textColumn('Ready', 'The aggregate readiness state of this pod for accepting traffic.', (pod) => {
    const { ready, total } = summarizePod(pod);
    return `${ready}/${total}`;
  }),
  textColumn(
    'Status',
    'The aggregate status of the containers in this pod.',
    (pod) => summarizePod(pod).status,
  ),
  textColumn(
    'Restarts',
    'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    (pod, nowMs) => restartsText(summarizePod(pod), nowMs),
  ),
  ageColumn,
  wide(
    textColumn('IP', 'Address of the pod.', (pod) =>
      orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP),
    ),
  ),
  wide(textColumn('Node', 'Node that the pod runs on.', (pod) => orNone(pod.spec?.nodeName))),
  wide(
    textColumn('Nominated Node', 'Node that makes room for the pod.', (pod) =>
      orNone(pod.status?.nominatedNodeName),
    ),
  ),
  wide(textColumn('Readiness Gates', 'Readiness gates that have passed.', readinessGates)),
];
