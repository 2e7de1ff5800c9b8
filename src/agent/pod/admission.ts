import { hostPortsOf, overlap } from '../../api/host-ports.ts';
import { requiredNodes } from '../../api/node-selector.ts';
import { type Amounts, add, noAmounts, parseAmounts, podRequests } from '../../api/pod-requests.ts';
import { isTolerated } from '../../api/tolerations.ts';
import type { Node, Pod } from '../../api/types.gen.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
  /** It rests on what the node's object says, which may be older than the pod. */
  readonly isOfNode?: true;
}

/** What a pod is held against. */
export interface Host {
  readonly allocatable: Readonly<Record<string, string>>;
  /** As the API last showed it; `undefined` where that is not known yet. */
  readonly node: Node | undefined;
  /** Pods that have not ended here: they hold their ports, */
  readonly running: readonly Pod[];
  /** and those of them that the API still has count with what they ask for. */
  readonly counted: readonly Pod[];
}

/** Upstream makes room for these by killing others; here they are let in, and only real pressure evicts. */
const CRITICAL_PRIORITY = 2_000_000_000;

/**
 * Why this node does not take a pod that was bound past the scheduler, in upstream's words; undefined: it does. One
 * that has begun is never refused: the agent or the board may just have been restarted.
 */
export function refusal(pod: Pod, host: Host): Refusal | undefined {
  if (pod.status?.startTime !== undefined) return undefined;
  return lackOf(pod, host) ?? misplaced(pod, host.node) ?? portsTaken(pod, host.running);
}

const failed = (predicate: string, why: string): Refusal => ({
  reason: predicate,
  message: `Predicate ${predicate} failed: ${why}`,
});

/** Resources that the node does not count are not looked at, as upstream. */
function lackOf(pod: Pod, { allocatable, counted }: Host): Refusal | undefined {
  if ((pod.spec?.priority ?? 0) >= CRITICAL_PRIORITY) return undefined;
  const capacity = parseAmounts(allocatable);
  const used = noAmounts();
  for (const other of counted) add(used, podRequests(other).requests);
  const wanted = podRequests(pod).requests;
  const pods = Number(allocatable['pods'] ?? Number.POSITIVE_INFINITY);
  const checks: [name: string, requested: number, used: number, capacity: number][] = [
    ['pods', 1, counted.length, pods],
    ['cpu', wanted.cpuMilli, used.cpuMilli, capacity.cpuMilli],
    ['memory', wanted.memoryBytes, used.memoryBytes, capacity.memoryBytes],
    ['ephemeral-storage', wanted.ephemeralBytes, used.ephemeralBytes, capacity.ephemeralBytes],
    ...countedOthers(wanted, used, capacity),
  ];
  const lacking = checks.find(([, requested, taken, all]) => requested > 0 && requested > all - taken);
  if (!lacking) return undefined;
  const [name, requested, taken, all] = lacking;
  return {
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${taken}, capacity: ${all}`,
  };
}

function countedOthers(
  wanted: Amounts,
  used: Amounts,
  capacity: Amounts,
): [name: string, requested: number, used: number, capacity: number][] {
  return [...(wanted.others ?? [])].flatMap(([name, requested]) => {
    const all = capacity.others?.get(name);
    return all === undefined ? [] : [[name, requested, used.others?.get(name) ?? 0, all] as const];
  }) as [string, number, number, number][];
}

function misplaced(pod: Pod, node: Node | undefined): Refusal | undefined {
  if (!node) return undefined;
  const { name = '', labels = {} } = node.metadata;
  const ofNode = (predicate: string, why: string): Refusal => ({ ...failed(predicate, why), isOfNode: true });
  if (requiredNodes(pod)?.({ name, labels }) === false)
    return ofNode('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  const { tolerations = [] } = pod.spec ?? {};
  const isRepelled = (node.spec?.taints ?? []).some(
    (taint) => taint.effect === 'NoExecute' && !isTolerated(taint, tolerations),
  );
  return isRepelled
    ? ofNode('TaintToleration', "node(s) had taints that the pod didn't tolerate")
    : undefined;
}

function portsTaken(pod: Pod, others: readonly Pod[]): Refusal | undefined {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return undefined;
  const taken = others.flatMap(hostPortsOf);
  if (!wanted.some((port) => taken.some((other) => overlap(port, other)))) return undefined;
  return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports");
}
