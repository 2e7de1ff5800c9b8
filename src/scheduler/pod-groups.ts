import type { NodeInfo } from './node-info.ts';
import type { PodAffinities, PodInfo } from './pod-info.ts';

/**
 * Placed pods that every selector sees alike: same namespace, labels and pod affinity, as replicas have. Rules about
 * other pods look at groups, of which there are few, not at pods.
 */
export interface PodGroup {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly affinity: PodAffinities | undefined;
  readonly nodes: ReadonlyMap<NodeInfo, GroupCount>;
}

export interface GroupCount {
  readonly total: number;
  /** Of those, the ones being deleted. */
  readonly leaving: number;
}

interface MutableGroup extends PodGroup {
  readonly nodes: Map<NodeInfo, { total: number; leaving: number }>;
}

export class PodGroups implements Iterable<PodGroup> {
  readonly #groups = new Map<string, MutableGroup>();

  /** Counted from scratch. */
  static of(nodes: readonly NodeInfo[]): PodGroups {
    const groups = new PodGroups();
    for (const node of nodes) for (const info of node.pods.values()) groups.add(info, node);
    return groups;
  }

  [Symbol.iterator](): Iterator<PodGroup> {
    return this.#groups.values();
  }

  add(info: PodInfo, node: NodeInfo): void {
    let group = this.#groups.get(info.groupKey);
    if (!group) {
      const { namespace, labels, affinity } = info;
      group = { namespace, labels, affinity, nodes: new Map() };
      this.#groups.set(info.groupKey, group);
    }
    const count = group.nodes.get(node) ?? { total: 0, leaving: 0 };
    count.total++;
    if (isLeaving(info)) count.leaving++;
    group.nodes.set(node, count);
  }

  remove(info: PodInfo, node: NodeInfo): void {
    const group = this.#groups.get(info.groupKey);
    const count = group?.nodes.get(node);
    if (!group || !count) return;
    count.total--;
    if (isLeaving(info)) count.leaving--;
    if (count.total > 0) return;
    group.nodes.delete(node);
    if (group.nodes.size === 0) this.#groups.delete(info.groupKey);
  }
}

function isLeaving({ pod }: PodInfo): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}
