import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/types.gen.ts';
import type { ClusterCache } from './cluster-cache.ts';
import { PodGroups } from './pod-groups.ts';
import { toPodInfo } from './pod-info.ts';
import { aCluster, aNode, aPod, onNode } from './test-objects.fake.ts';

/** Everything the plugins see, in comparable form. */
function picture(cluster: ClusterCache, groups: PodGroups): unknown {
  const nodes = cluster.nodes.map(({ name, requested, nonZero, pods, byOwner }) => ({
    name,
    requested,
    nonZero,
    pods: [...pods.keys()].sort(),
    owners: [...byOwner].sort(),
  }));
  const counted = [...groups].map(({ labels, nodes: on }) => [
    JSON.stringify(labels),
    [...on].map(([node, count]) => `${node.name} ${count.total} ${count.leaving}`).sort(),
  ]);
  return {
    nodes: nodes.sort((a, b) => (a.name < b.name ? -1 : 1)),
    counted: counted.sort(),
    affinity: cluster.podsWithAffinity,
  };
}

const anyPod = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    cpu: fc.constantFrom('100m', '1'),
    label: fc.constantFrom('x', 'y'),
    leaving: fc.boolean(),
    affine: fc.boolean(),
  })
  .map(({ name, cpu, label, leaving, affine }): Pod => {
    const pod = aPod(name, {
      requests: { cpu },
      labels: { app: label },
      owner: label,
      ...(affine ? { spec: { affinity: { podAntiAffinity: {} } } } : {}),
    });
    if (leaving) pod.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    return pod;
  });
const anyStep = fc.record({
  kind: fc.constantFrom('set', 'set', 'assume', 'forget', 'remove', 'terminate', 'node', 'removeNode'),
  node: fc.constantFrom('n1', 'n2'),
  pod: anyPod,
});

describe('the cluster cache', () => {
  it('is after any history what the API shows, counted anew', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 50 }), (steps) => {
        const cluster = aCluster([]);
        const nodes = new Set<string>();
        const pods = new Map<string, Pod>();
        const assumed = new Set<string>();
        for (const { kind, node, pod } of steps) {
          const uid = pod.metadata.uid ?? '';
          const placed = onNode(node, pod);
          if (kind === 'set' || (kind === 'assume' && !pods.has(uid))) {
            if (kind === 'set') cluster.setPod(placed);
            else cluster.assume(toPodInfo(placed), node);
            pods.set(uid, placed);
            if (kind === 'set') assumed.delete(uid);
            else assumed.add(uid);
          } else if (kind === 'forget') {
            cluster.forget(uid);
            if (assumed.delete(uid)) pods.delete(uid);
          } else if (kind === 'remove' || kind === 'terminate') {
            if (kind === 'remove') cluster.removePod(uid);
            else cluster.setPod({ ...placed, status: { phase: 'Succeeded' } });
            pods.delete(uid);
            assumed.delete(uid);
          } else if (kind === 'node') {
            cluster.setNode(aNode(node));
            nodes.add(node);
          } else if (kind === 'removeNode') {
            cluster.removeNode(node);
            nodes.delete(node);
          }
        }
        const anew = aCluster(
          [...nodes].map((name) => aNode(name)),
          [...pods.values()],
        );
        expect(picture(cluster, cluster.groups)).toEqual(picture(anew, anew.groups));
        expect(picture(cluster, cluster.groups)).toEqual(picture(cluster, PodGroups.of(cluster.nodes)));
      }),
      { numRuns: 200 },
    );
  });

  it('tells what of a node may matter to waiting pods', () => {
    const cluster = aCluster([aNode('n')]);
    expect(cluster.setNode(aNode('n'))).toEqual([]);
    expect(cluster.setNode(aNode('n', { labels: { a: 'b' } }))).toEqual(['NodeLabels']);
    expect(cluster.setNode(aNode('n', { labels: { a: 'b' }, allocatable: { cpu: '8' } }))).toEqual([
      'NodeAllocatable',
    ]);
    expect(
      cluster.setNode(aNode('n', { labels: { a: 'b' }, allocatable: { cpu: '8' }, unschedulable: true })),
    ).toEqual(['NodeTaints']);
  });
});
