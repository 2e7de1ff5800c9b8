import type { PodDisruptionBudget } from '../api/types.gen.ts';
import { unschedulableMessage } from './fit-error.ts';
import type { NodeInfo } from './node-info.ts';
import type { Cluster } from './plugin.ts';
import { PodGroups } from './pod-groups.ts';
import { type PodInfo, selectorOf } from './pod-info.ts';
import { compileFilters, type Failure, PodRejected, testNode } from './schedule-pod.ts';

export type Preemption =
  | { readonly node: string; readonly victims: readonly PodInfo[] }
  | { readonly message: string };

export interface PreemptionOptions {
  readonly pod: PodInfo;
  readonly cluster: Cluster;
  readonly failure: Failure;
  readonly budgets: readonly PodDisruptionBudget[];
}

const NOT_HELPFUL = 'Preemption is not helpful for scheduling';
const NO_VICTIMS = 'No preemption victims found for incoming pod';

interface Candidate {
  readonly node: string;
  /** Most important first. */
  readonly victims: readonly PodInfo[];
  readonly violations: number;
}

/**
 * Where the pod would fit if pods of lower priority made room, and which must go: as few and as unimportant ones as
 * possible, disruption budgets kept where that can be. Otherwise upstream's sentence about why not. Pure.
 */
export function planPreemption({ pod, cluster, failure, budgets }: PreemptionOptions): Preemption {
  if (pod.pod.spec?.preemptionPolicy === 'Never')
    return { message: 'not eligible due to preemptionPolicy=Never.' };
  const nominated = cluster.nodes.find((node) => node.name === pod.pod.status?.nominatedNodeName);
  const leaving = [...(nominated?.pods.values() ?? [])].some(
    (other) => other.priority < pod.priority && other.pod.metadata.deletionTimestamp,
  );
  // Room is being made already; asking for more would make more than is needed.
  if (leaving) return { message: 'not eligible due to a terminating pod on the nominated node.' };
  const candidates: Candidate[] = [];
  const reasons: (readonly string[])[] = [];
  for (const node of cluster.nodes) {
    const rejection = failure.podReason === undefined ? failure.rejections.get(node.name) : undefined;
    if (!rejection?.isResolvable) reasons.push([NOT_HELPFUL]);
    else {
      const found = selectVictims(pod, node, { cluster, budgets });
      if ('victims' in found) candidates.push(found);
      else reasons.push(found.reasons);
    }
  }
  const chosen = candidates.toSorted(compareCandidates)[0];
  if (chosen) return { node: chosen.node, victims: chosen.victims };
  return { message: unschedulableMessage({ nodes: cluster.nodes.length, reasons }) };
}

function selectVictims(
  pod: PodInfo,
  node: NodeInfo,
  { cluster, budgets }: { cluster: Cluster; budgets: readonly PodDisruptionBudget[] },
): Candidate | { reasons: readonly string[] } {
  const lower = [...node.pods.values()].filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return { reasons: [NO_VICTIMS] };
  const trial = node.clone();
  for (const other of lower) trial.removePod(other.uid);
  const nodes = cluster.nodes.map((other) => (other === node ? trial : other));
  // Topology rules look at the whole cluster, so they are read anew each time.
  const refusal = (): readonly string[] | undefined => {
    const tests = compileFilters(pod, withNodes(cluster, nodes));
    if (tests instanceof PodRejected) return tests.rejection.reasons;
    return testNode(trial, tests)?.rejection.reasons;
  };
  const withoutAll = refusal();
  if (withoutAll) return { reasons: withoutAll };
  const { violating, others } = splitByBudget(lower.toSorted(byImportance), budgets);
  const victims: PodInfo[] = [];
  let violations = 0;
  const reprieve = (other: PodInfo): boolean => {
    trial.addPod(other);
    if (refusal() === undefined) return true;
    trial.removePod(other.uid);
    victims.push(other);
    return false;
  };
  for (const other of violating) if (!reprieve(other)) violations++;
  for (const other of others) reprieve(other);
  return { node: node.name, victims: victims.toSorted(byImportance), violations };
}

/** The cluster as it would be with other nodes. Groups are counted only where a rule asks for them. */
function withNodes(cluster: Cluster, nodes: readonly NodeInfo[]): Cluster {
  return {
    nodes,
    get groups() {
      return PodGroups.of(nodes);
    },
    podsWithAffinity: cluster.podsWithAffinity,
    podsWithRequiredAntiAffinity: cluster.podsWithRequiredAntiAffinity,
    namespaceLabels: (namespace) => cluster.namespaceLabels(namespace),
    imageSpread: (image) => cluster.imageSpread(image),
    storage: cluster.storage,
  };
}

/** Pods whose eviction some budget does not allow any more, and the rest; each in the order given. */
function splitByBudget(
  pods: readonly PodInfo[],
  budgets: readonly PodDisruptionBudget[],
): { violating: PodInfo[]; others: PodInfo[] } {
  const allowed = budgets.map(({ metadata, spec, status }) => ({
    namespace: metadata.namespace,
    selector: selectorOf(spec?.selector),
    left: status?.disruptionsAllowed ?? 0,
    disrupted: status?.disruptedPods ?? {},
  }));
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const pod of pods) {
    let violates = false;
    for (const budget of allowed) {
      if (budget.namespace !== pod.namespace || Object.keys(pod.labels).length === 0) continue;
      if (budget.selector.isEverything || !budget.selector.matches(pod.labels)) continue;
      if (Object.hasOwn(budget.disrupted, pod.pod.metadata.name ?? '')) continue;
      if (--budget.left < 0) violates = true;
    }
    (violates ? violating : others).push(pod);
  }
  return { violating, others };
}

const startMs = ({ pod }: PodInfo): number =>
  Date.parse(pod.status?.startTime ?? '') || Number.MAX_SAFE_INTEGER;

/** More important first: higher priority, then longer running. */
function byImportance(a: PodInfo, b: PodInfo): number {
  return b.priority - a.priority || startMs(a) - startMs(b);
}

/** Better first, as upstream ranks them. */
function compareCandidates(a: Candidate, b: Candidate): number {
  const sum = ({ victims }: Candidate): number =>
    victims.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
  const top = ({ victims }: Candidate): number => victims[0]?.priority ?? Number.NEGATIVE_INFINITY;
  const youngest = ({ victims }: Candidate): number =>
    Math.min(...victims.filter(({ priority }) => priority === victims[0]?.priority).map(startMs));
  return (
    a.violations - b.violations ||
    compareNumbers(top(a), top(b)) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    compareNumbers(youngest(b), youngest(a))
  );
}

function compareNumbers(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
