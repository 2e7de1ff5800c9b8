import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../api/types.gen.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodGroup } from './pod-groups.ts';
import type { PodInfo } from './pod-info.ts';

/** One way of judging nodes for a pod. Adding one is a file and a line in `plugins/table.ts`. Everything is pure. */
export interface Plugin {
  /** As upstream names it. */
  readonly name: string;
  /** What may make a pod schedulable that this plugin turned down. */
  readonly wakesOn: readonly ClusterEvent[];
  /** A reason to leave the pod out of the queue altogether. */
  readonly gate?: (pod: PodInfo) => string | undefined;
  /**
   * Reads what it needs once per pod and answers the test for each node; `undefined` where it has nothing to say
   * about this pod; a `Rejection` where no node will do.
   */
  readonly filter?: (pod: PodInfo, cluster: Cluster) => NodeTest | Rejection | undefined;
  /** The same for preferences among the nodes that passed. */
  readonly score?: (pod: PodInfo, cluster: Cluster, nodes: readonly NodeInfo[]) => NodeScore | undefined;
  readonly weight?: number;
}

export type NodeTest = (node: NodeInfo) => Rejection | undefined;

export class Rejection {
  readonly reasons: readonly string[];
  /** Whether removing pods from the node could help. */
  readonly isResolvable: boolean;
  constructor(reasons: string | readonly string[], options: { isResolvable: boolean }) {
    this.reasons = typeof reasons === 'string' ? [reasons] : reasons;
    this.isResolvable = options.isResolvable;
  }
}

export interface NodeScore {
  readonly of: (node: NodeInfo) => number;
  /** Brings raw scores to 0…100, in place; not needed where they are that already. */
  readonly normalize?: (scores: Float64Array) => void;
}

export const MAX_SCORE = 100;

export type ClusterEvent =
  | 'NodeAdded'
  | 'NodeAllocatable'
  | 'NodeLabels'
  | 'NodeTaints'
  /** A pod was placed on a node. */
  | 'PodPlaced'
  /** A pod left its node or freed what it held. */
  | 'PodRemoved'
  | 'PodLabels'
  | 'Storage';

/** What plugins see of the cluster. */
export interface Cluster {
  readonly nodes: readonly NodeInfo[];
  /** The pods on them. */
  readonly groups: Iterable<PodGroup>;
  /** How many placed pods have any pod affinity, and how many require anti-affinity. Saves looking for them. */
  readonly podsWithAffinity: number;
  readonly podsWithRequiredAntiAffinity: number;
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined;
  /** How many nodes have the image. */
  imageSpread(image: string): number;
  readonly storage: Storage;
}

export interface Storage {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumes(): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
  /** The claim (`namespace/name`) a volume is being bound to and the API does not show yet. */
  assumedClaim(volume: string): string | undefined;
}

/** Scales so that the greatest becomes 100; `reverse` makes the smallest the best. */
export function normalizeToMax(scores: Float64Array, options: { reverse: boolean }): void {
  let max = 0;
  for (const score of scores) if (score > max) max = score;
  for (let index = 0; index < scores.length; index++) {
    const share = max === 0 ? 0 : Math.trunc((MAX_SCORE * (scores[index] as number)) / max);
    scores[index] = options.reverse ? MAX_SCORE - share : share;
  }
}
