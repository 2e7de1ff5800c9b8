import type { Container, Node, Pod, PodSpec } from '../api/types.gen.ts';
import { ClusterCache } from './cluster-cache.ts';
import type { Cluster, Storage } from './plugin.ts';
import { toPodInfo } from './pod-info.ts';
import { failureMessage, schedulePod } from './schedule-pod.ts';

/** Objects for the scheduler's tests. */
export interface NodeFields {
  labels?: Record<string, string>;
  allocatable?: Record<string, string>;
  taints?: NonNullable<Node['spec']>['taints'];
  unschedulable?: boolean;
  images?: NonNullable<Node['status']>['images'];
}

export function aNode(name: string, fields: NodeFields = {}): Node {
  const { labels = {}, allocatable = {}, taints, unschedulable, images } = fields;
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { ...(taints ? { taints } : {}), ...(unschedulable ? { unschedulable } : {}) },
    status: {
      allocatable: { cpu: '4', memory: '4Gi', pods: '110', 'ephemeral-storage': '10Gi', ...allocatable },
      ...(images ? { images } : {}),
    },
  };
}

export interface PodFields {
  namespace?: string;
  labels?: Record<string, string>;
  requests?: Record<string, string>;
  owner?: string;
  spec?: Partial<PodSpec>;
  status?: Pod['status'];
}

export function aPod(name: string, fields: PodFields = {}): Pod {
  const { namespace = 'default', labels, requests = {}, owner, spec, status } = fields;
  const container: Container = { name: 'main', image: 'app', resources: { requests } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      ...(labels ? { labels } : {}),
      ...(owner
        ? {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true },
            ],
          }
        : {}),
    },
    spec: { schedulerName: 'default-scheduler', containers: [container], ...spec },
    ...(status ? { status } : {}),
  };
}

export const NO_STORAGE: Storage = {
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
  assumedClaim: () => undefined,
};

export function aCluster(
  nodes: readonly Node[],
  placed: readonly Pod[] = [],
  options: { storage?: Partial<Storage>; namespaces?: Record<string, Record<string, string>> } = {},
): ClusterCache {
  const cluster = new ClusterCache(
    { ...NO_STORAGE, ...options.storage },
    (name) => options.namespaces?.[name],
  );
  for (const node of nodes) cluster.setNode(node);
  for (const pod of placed) cluster.setPod(pod);
  return cluster;
}

/** A pod on a node. */
export function onNode(node: string, pod: Pod): Pod {
  return { ...pod, spec: { ...(pod.spec as PodSpec), nodeName: node } };
}

/** The chosen node's name, or the message of the failure. */
export function scheduled(pod: Pod, cluster: Cluster): string {
  const placement = schedulePod({
    pod: toPodInfo(pod),
    cluster,
    startAt: 0,
    random: () => 1,
    nominated: () => [],
  });
  return 'node' in placement ? placement.node.name : failureMessage(placement.failure, '');
}
