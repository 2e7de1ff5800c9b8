import { NO_NODES, unschedulableMessage } from './fit-error.ts';
import type { NodeInfo } from './node-info.ts';
import { type Cluster, type NodeTest, type Plugin, Rejection } from './plugin.ts';
import { PLUGINS } from './plugins/table.ts';
import type { PodInfo } from './pod-info.ts';

export interface ScheduleOptions {
  readonly pod: PodInfo;
  readonly cluster: Cluster;
  /** Where looking begins, so that not always the same nodes are looked at. */
  readonly startAt: number;
  /** 0 to 1, decides between equals. */
  readonly random: () => number;
  /** Pods that preempted others and wait for a node; they count as there for pods of no higher priority. */
  readonly nominated: (node: string) => readonly PodInfo[];
  readonly plugins?: readonly Plugin[];
}

export type Placement =
  | { readonly node: NodeInfo; readonly looked: number }
  | { readonly failure: Failure; readonly looked: number };

export interface Failure {
  /** By node name; nodes that are missing were turned down for the pod's own sake. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  /** The plugins that turned nodes down. */
  readonly plugins: ReadonlySet<string>;
  /** Set when the pod fits nowhere whatever the nodes. */
  readonly podReason: string | undefined;
  readonly nodes: number;
}

/** Finds the best node for a pod. Pure: reads the cluster, changes nothing. */
export function schedulePod(options: ScheduleOptions): Placement {
  const { pod, cluster, startAt, plugins = PLUGINS } = options;
  const total = cluster.nodes.length;
  const compiled = compileFilters(pod, cluster, plugins);
  if (compiled instanceof PodRejected) {
    const { plugin, rejection } = compiled;
    const failure = {
      rejections: new Map(),
      plugins: new Set([plugin]),
      podReason: rejection.reasons.join(', '),
      nodes: total,
    };
    return { failure, looked: 0 };
  }
  const wanted = nodesToFind(total);
  const feasible: NodeInfo[] = [];
  const rejections = new Map<string, Rejection>();
  const rejecting = new Set<string>();
  let looked = 0;
  for (; looked < total && feasible.length < wanted; looked++) {
    const node = cluster.nodes[(startAt + looked) % total] as NodeInfo;
    const refusal = testWithNominated(node, compiled, options);
    if (!refusal) feasible.push(node);
    else {
      rejections.set(node.name, refusal.rejection);
      rejecting.add(refusal.plugin);
    }
  }
  if (feasible.length === 0) {
    return { failure: { rejections, plugins: rejecting, podReason: undefined, nodes: total }, looked };
  }
  const node = feasible.length === 1 ? (feasible[0] as NodeInfo) : best(feasible, options);
  return { node, looked };
}

/** Looking at every node of a large cluster costs more than the best of many is worth (percentageOfNodesToScore). */
function nodesToFind(total: number): number {
  if (total < 100) return total;
  const percent = Math.max(5, 50 - Math.trunc(total / 125));
  return Math.max(100, Math.trunc((total * percent) / 100));
}

export interface NamedTest {
  readonly plugin: string;
  readonly test: NodeTest;
}

export class PodRejected {
  readonly plugin: string;
  readonly rejection: Rejection;
  constructor(plugin: string, rejection: Rejection) {
    this.plugin = plugin;
    this.rejection = rejection;
  }
}

/** The tests that have something to say about this pod. */
export function compileFilters(
  pod: PodInfo,
  cluster: Cluster,
  plugins: readonly Plugin[] = PLUGINS,
): NamedTest[] | PodRejected {
  const tests: NamedTest[] = [];
  for (const plugin of plugins) {
    const test = plugin.filter?.(pod, cluster);
    if (test instanceof Rejection) return new PodRejected(plugin.name, test);
    if (test) tests.push({ plugin: plugin.name, test });
  }
  return tests;
}

export interface Refusal {
  readonly plugin: string;
  readonly rejection: Rejection;
}

export function testNode(node: NodeInfo, tests: readonly NamedTest[]): Refusal | undefined {
  for (const { plugin, test } of tests) {
    const rejection = test(node);
    if (rejection) return { plugin, rejection };
  }
  return undefined;
}

/** A node must do with the pods nominated to it and without them: they may still go elsewhere. */
function testWithNominated(
  node: NodeInfo,
  tests: readonly NamedTest[],
  { pod, nominated }: ScheduleOptions,
): Refusal | undefined {
  const refusal = testNode(node, tests);
  if (refusal) return refusal;
  const waiting = nominated(node.name).filter(
    (other) => other.uid !== pod.uid && other.priority >= pod.priority,
  );
  if (waiting.length === 0) return undefined;
  const crowded = node.clone();
  for (const other of waiting) crowded.addPod(other);
  return testNode(crowded, tests);
}

function best(
  nodes: readonly NodeInfo[],
  { pod, cluster, random, plugins = PLUGINS }: ScheduleOptions,
): NodeInfo {
  const totals = new Float64Array(nodes.length);
  const scores = new Float64Array(nodes.length);
  for (const plugin of plugins) {
    const score = plugin.score?.(pod, cluster, nodes);
    if (!score) continue;
    for (let index = 0; index < nodes.length; index++) scores[index] = score.of(nodes[index] as NodeInfo);
    score.normalize?.(scores);
    const { weight = 1 } = plugin;
    for (let index = 0; index < nodes.length; index++) {
      totals[index] = (totals[index] as number) + weight * (scores[index] as number);
    }
  }
  let chosen = 0;
  let equals = 1;
  for (let index = 1; index < nodes.length; index++) {
    const total = totals[index] as number;
    const top = totals[chosen] as number;
    if (total > top) {
      chosen = index;
      equals = 1;
    } else if (total === top && random() < 1 / ++equals) chosen = index;
  }
  return nodes[chosen] as NodeInfo;
}

/** The failure in upstream's words; `after` says what became of preemption. */
export function failureMessage({ rejections, podReason, nodes }: Failure, after: string): string {
  if (nodes === 0) return NO_NODES;
  const reasons = [...rejections.values()].map((rejection) => rejection.reasons);
  return unschedulableMessage({ nodes, reasons, pod: podReason, after });
}
