import { NOTHING, type Selector } from '../../api/labels.ts';
import { requiredNodes } from '../../api/node-selector.ts';
import { isTolerated } from '../../api/tolerations.ts';
import type { TopologySpreadConstraint } from '../../api/types.gen.ts';
import type { NodeInfo } from '../node-info.ts';
import { type Cluster, MAX_SCORE, type NodeScore, type NodeTest, type Plugin, Rejection } from '../plugin.ts';
import { type PodInfo, selectorOf } from '../pod-info.ts';

const NO_MATCH = new Rejection("node(s) didn't match pod topology spread constraints", {
  isResolvable: true,
});
const NO_LABEL = new Rejection(
  "node(s) didn't match pod topology spread constraints (missing required label)",
  {
    isResolvable: false,
  },
);

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

/** Spreads pods over hosts, zones or whatever nodes are labelled with (KEP-895). */
export const podTopologySpread: Plugin = {
  name: 'PodTopologySpread',
  wakesOn: ['NodeAdded', 'NodeLabels', 'NodeTaints', 'PodPlaced', 'PodRemoved', 'PodLabels'],
  weight: 2,
  filter: (pod, cluster) => {
    const constraints = constraintsOf(pod, 'DoNotSchedule');
    return constraints.length === 0 ? undefined : compileFilter(pod, cluster, constraints);
  },
  score: (pod, cluster, nodes) => {
    const explicit = constraintsOf(pod, 'ScheduleAnyway');
    if (explicit.length > 0)
      return compileScore(pod, cluster, { nodes, constraints: explicit, isDefault: false });
    if (pod.pod.spec?.topologySpreadConstraints?.length || pod.owner === undefined) return undefined;
    return compileScore(pod, cluster, { nodes, constraints: DEFAULTS, isDefault: true });
  },
};

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: Selector;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

/** Siblings (pods of the same controller) spread without being told, over hosts first. */
const DEFAULTS: readonly Constraint[] = [
  { topologyKey: HOSTNAME, maxSkew: 3 },
  { topologyKey: ZONE, maxSkew: 5 },
].map((constraint) => ({
  ...constraint,
  minDomains: 1,
  selector: NOTHING,
  honorsAffinity: true,
  honorsTaints: false,
}));

function constraintsOf(pod: PodInfo, when: 'DoNotSchedule' | 'ScheduleAnyway'): Constraint[] {
  const all = pod.pod.spec?.topologySpreadConstraints ?? [];
  return all
    .filter((constraint) => constraint.whenUnsatisfiable === when)
    .map((constraint) => ({
      topologyKey: constraint.topologyKey,
      maxSkew: constraint.maxSkew,
      minDomains: constraint.minDomains ?? 1,
      selector: selectorWithKeys(constraint, pod),
      honorsAffinity: constraint.nodeAffinityPolicy !== 'Ignore',
      honorsTaints: constraint.nodeTaintsPolicy === 'Honor',
    }));
}

/** `matchLabelKeys` adds the pod's own values, such as its pod-template-hash. */
function selectorWithKeys(
  { labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint,
  pod: PodInfo,
): Selector {
  if (matchLabelKeys.length === 0 || !labelSelector) return selectorOf(labelSelector);
  const known = matchLabelKeys.filter((key) => pod.labels[key] !== undefined);
  const extra = known.map((key) => ({ key, operator: 'In', values: [pod.labels[key] ?? ''] }));
  return selectorOf({
    ...labelSelector,
    matchExpressions: [...(labelSelector.matchExpressions ?? []), ...extra],
  });
}

function compileFilter(pod: PodInfo, cluster: Cluster, constraints: readonly Constraint[]): NodeTest {
  const required = requiredNodes(pod.pod);
  const checks = constraints.map((constraint) => {
    const counts = new Map<string, number>();
    const matching = countMatching(cluster, constraint.selector, pod.namespace);
    for (const node of cluster.nodes) {
      const value = node.labels[constraint.topologyKey];
      if (
        value === undefined ||
        constraints.some(({ topologyKey }) => node.labels[topologyKey] === undefined)
      )
        continue;
      if (!isIncluded(pod, node, constraint, required)) continue;
      counts.set(value, (counts.get(value) ?? 0) + (matching.get(node) ?? 0));
    }
    const least = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values());
    const self = constraint.selector.matches(pod.labels) ? 1 : 0;
    return { constraint, counts, least: Number.isFinite(least) ? least : 0, self };
  });
  return (node) => {
    for (const { constraint, counts, least, self } of checks) {
      const value = node.labels[constraint.topologyKey];
      if (value === undefined) return NO_LABEL;
      if ((counts.get(value) ?? 0) + self - least > constraint.maxSkew) return NO_MATCH;
    }
    return undefined;
  };
}

/** Whether the node takes part in the constraint at all (KEP-3094). */
function isIncluded(
  pod: PodInfo,
  node: NodeInfo,
  { honorsAffinity, honorsTaints }: Constraint,
  required: ReturnType<typeof requiredNodes>,
): boolean {
  if (honorsAffinity && required && !required(node)) return false;
  if (!honorsTaints) return true;
  const { tolerations = [] } = pod.pod.spec ?? {};
  return node.taints.every((taint) => taint.effect === 'PreferNoSchedule' || isTolerated(taint, tolerations));
}

/** Matching pods by node; those being deleted are as good as gone. */
function countMatching(cluster: Cluster, selector: Selector, namespace: string): Map<NodeInfo, number> {
  const counts = new Map<NodeInfo, number>();
  if (selector.isNothing) return counts;
  for (const group of cluster.groups) {
    if (group.namespace !== namespace || !selector.matches(group.labels)) continue;
    for (const [node, { total, leaving }] of group.nodes) {
      counts.set(node, (counts.get(node) ?? 0) + total - leaving);
    }
  }
  return counts;
}

interface ScoreOptions {
  readonly nodes: readonly NodeInfo[];
  readonly constraints: readonly Constraint[];
  /** The built-in constraints count siblings and do not mind nodes without a zone. */
  readonly isDefault: boolean;
}

function compileScore(pod: PodInfo, cluster: Cluster, options: ScoreOptions): NodeScore {
  const { nodes, constraints, isDefault } = options;
  const required = requiredNodes(pod.pod);
  const isIgnored = (node: NodeInfo): boolean =>
    !isDefault && constraints.some(({ topologyKey }) => node.labels[topologyKey] === undefined);
  const scored = nodes.filter((node) => !isIgnored(node));
  const parts = constraints.map((constraint) => {
    const { topologyKey, maxSkew, selector } = constraint;
    const matching = isDefault ? undefined : countMatching(cluster, selector, pod.namespace);
    const countOn = (node: NodeInfo): number =>
      (matching ? matching.get(node) : node.byOwner.get(pod.owner ?? '')) ?? 0;
    if (topologyKey === HOSTNAME) {
      const weight = Math.log(scored.length + 2);
      return (node: NodeInfo) => countOn(node) * weight + maxSkew - 1;
    }
    const counts = new Map<string, number>();
    for (const node of scored) {
      const value = node.labels[topologyKey];
      if (value !== undefined) counts.set(value, 0);
    }
    if (counts.size === 0) return () => 0;
    for (const node of cluster.nodes) {
      const value = node.labels[topologyKey];
      if (value === undefined || !counts.has(value) || isIgnored(node)) continue;
      if (!isIncluded(pod, node, constraint, required)) continue;
      counts.set(value, (counts.get(value) ?? 0) + countOn(node));
    }
    const weight = Math.log(counts.size + 2);
    return (node: NodeInfo) => {
      const value = node.labels[topologyKey];
      return value === undefined ? 0 : (counts.get(value) ?? 0) * weight + maxSkew - 1;
    };
  });
  return {
    of: (node) => (isIgnored(node) ? IGNORED : Math.round(parts.reduce((sum, part) => sum + part(node), 0))),
    normalize,
  };
}

const IGNORED = -1;

/** The fewer there are, the better; ignored nodes come last. */
function normalize(scores: Float64Array): void {
  const counted = scores.filter((score) => score !== IGNORED);
  const max = Math.max(0, ...counted);
  const min = Math.min(Number.POSITIVE_INFINITY, ...counted);
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] as number;
    if (score === IGNORED) scores[index] = 0;
    else scores[index] = max === 0 ? MAX_SCORE : Math.trunc((MAX_SCORE * (max + min - score)) / max);
  }
}
