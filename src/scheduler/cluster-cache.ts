import type { Node, Pod } from '../api/types.gen.ts';
import { NodeInfo } from './node-info.ts';
import type { Cluster, ClusterEvent, Storage } from './plugin.ts';
import { PodGroups } from './pod-groups.ts';
import { isTerminal, type PodInfo, toPodInfo } from './pod-info.ts';

/**
 * Nodes and the pods on them, as the API shows them and as they are about to be: a pod counts on its node from the
 * moment it is assumed there, so that the next one sees what is left.
 */
export class ClusterCache implements Cluster {
  readonly storage: Storage;
  readonly groups = new PodGroups();
  readonly #namespaceLabels: Cluster['namespaceLabels'];
  readonly #nodes = new Map<string, NodeInfo>();
  /** Node of each placed or assumed pod, by uid. The node itself may not be known yet. */
  readonly #placed = new Map<string, { node: string; info: PodInfo; assumed: boolean }>();
  readonly #orphans = new Map<string, Map<string, PodInfo>>();
  readonly #imageSpread = new Map<string, number>();
  #list: readonly NodeInfo[] | undefined;
  podsWithAffinity = 0;
  podsWithRequiredAntiAffinity = 0;

  constructor(storage: Storage, namespaceLabels: Cluster['namespaceLabels']) {
    this.storage = storage;
    this.#namespaceLabels = namespaceLabels;
  }

  get nodes(): readonly NodeInfo[] {
    this.#list ??= [...this.#nodes.values()];
    return this.#list;
  }

  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined {
    return this.#namespaceLabels(namespace);
  }

  imageSpread(image: string): number {
    return this.#imageSpread.get(image) ?? 0;
  }

  isAssumed(uid: string): boolean {
    return this.#placed.get(uid)?.assumed ?? false;
  }

  /** Adds or updates a node; answers what about it may matter to waiting pods. */
  setNode(node: Node): ClusterEvent[] {
    const name = node.metadata.name ?? '';
    const known = this.#nodes.get(name);
    if (!known) {
      const added = new NodeInfo(node);
      for (const info of this.#orphans.get(name)?.values() ?? []) this.#addTo(added, info);
      this.#orphans.delete(name);
      this.#nodes.set(name, added);
      this.#list = undefined;
      this.#countImages(added, 1);
      return ['NodeAdded'];
    }
    const events = nodeEvents(known.node, node);
    this.#countImages(known, -1);
    known.setNode(node);
    this.#countImages(known, 1);
    return events;
  }

  removeNode(name: string): void {
    const known = this.#nodes.get(name);
    if (!known) return;
    this.#countImages(known, -1);
    this.#nodes.delete(name);
    this.#list = undefined;
    for (const info of known.pods.values()) this.groups.remove(info, known);
    if (known.pods.size > 0) this.#orphans.set(name, new Map(known.pods));
  }

  /** Counts a pod on a node before the API shows it there. */
  assume(info: PodInfo, node: string): void {
    this.#place(info, node, true);
  }

  /** Takes an assumed pod back. */
  forget(uid: string): void {
    if (this.isAssumed(uid)) this.#remove(uid);
  }

  /** Takes in a pod as the API shows it; answers what changed for waiting pods. */
  setPod(pod: Pod): ClusterEvent[] {
    const { uid = '', labels } = pod.metadata;
    const node = pod.spec?.nodeName ?? '';
    if (node === '') return [];
    if (isTerminal(pod)) return this.removePod(uid);
    const known = this.#placed.get(uid);
    this.#place(toPodInfo(pod), node, false);
    // Of an assumed one everybody has heard.
    if (known?.assumed) return [];
    if (!known) return ['PodPlaced'];
    const events: ClusterEvent[] = [];
    if (!sameStrings(known.info.labels, labels ?? {})) events.push('PodLabels');
    if (known.info.pod.metadata.generation !== pod.metadata.generation) events.push('PodRemoved');
    return events;
  }

  removePod(uid: string): ClusterEvent[] {
    return this.#remove(uid) ? ['PodRemoved'] : [];
  }

  #place(info: PodInfo, node: string, assumed: boolean): void {
    this.#remove(info.uid);
    this.#placed.set(info.uid, { node, info, assumed });
    const target = this.#nodes.get(node);
    if (target) this.#addTo(target, info);
    else this.#orphansOf(node).set(info.uid, info);
    this.#countAffinity(info, 1);
  }

  #remove(uid: string): boolean {
    const known = this.#placed.get(uid);
    if (!known) return false;
    this.#placed.delete(uid);
    const node = this.#nodes.get(known.node);
    if (node?.removePod(uid)) this.groups.remove(known.info, node);
    const orphans = this.#orphans.get(known.node);
    orphans?.delete(uid);
    if (orphans?.size === 0) this.#orphans.delete(known.node);
    this.#countAffinity(known.info, -1);
    return true;
  }

  #addTo(node: NodeInfo, info: PodInfo): void {
    node.addPod(info);
    this.groups.add(info, node);
  }

  #orphansOf(node: string): Map<string, PodInfo> {
    const found = this.#orphans.get(node) ?? new Map<string, PodInfo>();
    this.#orphans.set(node, found);
    return found;
  }

  #countAffinity({ affinity }: PodInfo, sign: 1 | -1): void {
    if (!affinity) return;
    this.podsWithAffinity += sign;
    if (affinity.requiredAnti.length > 0) this.podsWithRequiredAntiAffinity += sign;
  }

  #countImages({ images }: NodeInfo, sign: 1 | -1): void {
    for (const image of images.keys()) {
      const count = (this.#imageSpread.get(image) ?? 0) + sign;
      if (count > 0) this.#imageSpread.set(image, count);
      else this.#imageSpread.delete(image);
    }
  }
}

function nodeEvents(old: Node, node: Node): ClusterEvent[] {
  const events: ClusterEvent[] = [];
  if (!sameStrings(old.status?.allocatable ?? {}, node.status?.allocatable ?? {}))
    events.push('NodeAllocatable');
  if (!sameStrings(old.metadata.labels ?? {}, node.metadata.labels ?? {})) events.push('NodeLabels');
  const taintsChanged = JSON.stringify(old.spec?.taints ?? []) !== JSON.stringify(node.spec?.taints ?? []);
  if (taintsChanged || old.spec?.unschedulable !== node.spec?.unschedulable) events.push('NodeTaints');
  return events;
}

function sameStrings(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
