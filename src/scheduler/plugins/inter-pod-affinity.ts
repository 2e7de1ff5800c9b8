import type { NodeInfo } from '../node-info.ts';
import { type Cluster, MAX_SCORE, type NodeTest, type Plugin, Rejection } from '../plugin.ts';
import type { PodGroup } from '../pod-groups.ts';
import type { AffinityTerm, PodInfo } from '../pod-info.ts';

const AFFINITY = new Rejection("node(s) didn't match pod affinity rules", { isResolvable: false });
const ANTI_AFFINITY = new Rejection("node(s) didn't match pod anti-affinity rules", { isResolvable: true });
const EXISTING = new Rejection("node(s) didn't satisfy existing pods anti-affinity rules", {
  isResolvable: true,
});

/** What a pod that merely sits beside a required affinity of another is worth (upstream's hardPodAffinityWeight). */
const REQUIRED_WEIGHT = 1;

/** Pods near to or away from other pods, in both directions. */
export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  wakesOn: ['NodeAdded', 'NodeLabels', 'PodPlaced', 'PodRemoved', 'PodLabels'],
  weight: 2,
  filter: (pod, cluster) => {
    const { required = [], requiredAnti = [] } = pod.affinity ?? {};
    if (required.length === 0 && requiredAnti.length === 0 && cluster.podsWithRequiredAntiAffinity === 0)
      return undefined;
    return compileFilter(pod, cluster, { required, requiredAnti });
  },
  score: (pod, cluster, nodes) => {
    const { preferred = [], preferredAnti = [] } = pod.affinity ?? {};
    const own = [...preferred, ...preferredAnti];
    if (own.length === 0 && cluster.podsWithAffinity === 0) return undefined;
    const scores = new TopologyCounts();
    for (const group of cluster.groups) {
      for (const term of own) {
        if (matchesTerm(term, group, cluster)) scores.addGroup(term.topologyKey, group, term.weight);
      }
      if (group.affinity) scoreOthers(group, pod, { cluster, scores });
    }
    if (scores.isEmpty) return undefined;
    return { of: (node) => scores.sum(node), normalize: (raw) => stretch(raw, nodes.length) };
  },
};

/** Matching pods by topology key and the value it has on their node. */
class TopologyCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add(key: string, node: NodeInfo, amount: number): void {
    const value = node.labels[key];
    if (value === undefined) return;
    let values = this.#counts.get(key);
    if (!values) {
      values = new Map();
      this.#counts.set(key, values);
    }
    values.set(value, (values.get(value) ?? 0) + amount);
  }

  /** Adds `amount` for each pod of the group. */
  addGroup(key: string, { nodes }: PodGroup, amount: number): void {
    for (const [node, { total }] of nodes) this.add(key, node, amount * total);
  }

  at(key: string, node: NodeInfo): number {
    const value = node.labels[key];
    return value === undefined ? 0 : (this.#counts.get(key)?.get(value) ?? 0);
  }

  sum(node: NodeInfo): number {
    let sum = 0;
    for (const key of this.#counts.keys()) sum += this.at(key, node);
    return sum;
  }

  touches(node: NodeInfo): boolean {
    for (const key of this.#counts.keys()) if (this.at(key, node) > 0) return true;
    return false;
  }
}

function compileFilter(
  pod: PodInfo,
  cluster: Cluster,
  { required, requiredAnti }: { required: readonly AffinityTerm[]; requiredAnti: readonly AffinityTerm[] },
): NodeTest {
  const near = new TopologyCounts();
  const away = new TopologyCounts();
  const existing = new TopologyCounts();
  for (const group of cluster.groups) {
    for (const term of group.affinity?.requiredAnti ?? []) {
      if (matchesTerm(term, pod, cluster)) existing.addGroup(term.topologyKey, group, 1);
    }
    // Only a pod that fulfils every term attracts.
    if (required.length > 0 && required.every((term) => matchesTerm(term, group, cluster))) {
      for (const term of required) near.addGroup(term.topologyKey, group, 1);
    }
    for (const term of requiredAnti) {
      if (matchesTerm(term, group, cluster)) away.addGroup(term.topologyKey, group, 1);
    }
  }
  // The first of a group that wants to be together has nobody to join.
  const isFirst = near.isEmpty && required.every((term) => matchesTerm(term, pod, cluster));
  return (node) => {
    for (const { topologyKey } of required) {
      if (node.labels[topologyKey] === undefined) return AFFINITY;
      if (!isFirst && near.at(topologyKey, node) === 0) return AFFINITY;
    }
    if (requiredAnti.some(({ topologyKey }) => away.at(topologyKey, node) > 0)) return ANTI_AFFINITY;
    return existing.touches(node) ? EXISTING : undefined;
  };
}

/** What placed pods' own wishes say about the new pod beside them. */
function scoreOthers(
  group: PodGroup,
  pod: PodInfo,
  { cluster, scores }: { cluster: Cluster; scores: TopologyCounts },
): void {
  const { required = [], preferred = [], preferredAnti = [] } = group.affinity ?? {};
  for (const term of required) {
    if (matchesTerm(term, pod, cluster)) scores.addGroup(term.topologyKey, group, REQUIRED_WEIGHT);
  }
  for (const term of [...preferred, ...preferredAnti]) {
    if (matchesTerm(term, pod, cluster)) scores.addGroup(term.topologyKey, group, term.weight);
  }
}

function matchesTerm(
  term: AffinityTerm,
  pod: Pick<PodInfo, 'namespace' | 'labels'>,
  cluster: Cluster,
): boolean {
  if (!term.namespaces.has(pod.namespace)) {
    const { namespaceSelector } = term;
    if (namespaceSelector.isNothing) return false;
    if (!namespaceSelector.isEverything && !namespaceSelector.matches(cluster.namespaceLabels(pod.namespace)))
      return false;
  }
  return term.selector.matches(pod.labels);
}

/** Spreads the scores, which may be negative, over 0…100. */
function stretch(scores: Float64Array, count: number): void {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    min = Math.min(min, score);
    max = Math.max(max, score);
  }
  for (let index = 0; index < count; index++) {
    const score = scores[index] as number;
    scores[index] = max === min ? 0 : Math.trunc((MAX_SCORE * (score - min)) / (max - min));
  }
}
