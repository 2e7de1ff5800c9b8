import { describe, expect, it } from 'vitest';
import type { Pod, PodDisruptionBudget } from '../api/types.gen.ts';
import type { ClusterCache } from './cluster-cache.ts';
import { toPodInfo } from './pod-info.ts';
import { type Preemption, planPreemption } from './preemption.ts';
import { schedulePod } from './schedule-pod.ts';
import { aCluster, aNode, aPod, onNode, type PodFields } from './test-objects.fake.ts';

const running = (name: string, node: string, priority: number, fields: PodFields = {}): Pod =>
  onNode(node, aPod(name, { requests: { cpu: '2' }, ...fields, spec: { priority, ...fields.spec } }));

function preempt(pod: Pod, cluster: ClusterCache, budgets: readonly PodDisruptionBudget[] = []): Preemption {
  const info = toPodInfo(pod);
  const placement = schedulePod({ pod: info, cluster, startAt: 0, random: () => 1, nominated: () => [] });
  if (!('failure' in placement)) throw new Error('the pod fits');
  return planPreemption({ pod: info, cluster, failure: placement.failure, budgets });
}

const chosen = (plan: Preemption): string =>
  'victims' in plan
    ? `${plan.node}: ${plan.victims.map(({ pod }) => pod.metadata.name).join(' ')}`
    : plan.message;

const vip = (cpu: string, fields: PodFields = {}): Pod =>
  aPod('vip', { ...fields, requests: { cpu }, spec: { priority: 100, ...fields.spec } });

describe('preemption', () => {
  it('takes as few and as unimportant pods as will do', () => {
    const cluster = aCluster([aNode('n')], [running('a', 'n', 5), running('b', 'n', 1)]);
    expect(chosen(preempt(vip('2'), cluster))).toBe('n: b');
    expect(chosen(preempt(vip('4'), cluster))).toBe('n: a b');
  });
  it('chooses the node where less important pods go, then fewer', () => {
    const nodes = [aNode('x'), aNode('y')];
    const unequal = aCluster(nodes, [
      running('a', 'x', 5, { requests: { cpu: '4' } }),
      running('b', 'y', 1),
      running('c', 'y', 1),
    ]);
    expect(chosen(preempt(vip('4'), unequal))).toBe('y: b c');
    const equal = aCluster(nodes, [
      running('a', 'x', 1),
      running('b', 'x', 1),
      running('c', 'y', 1, { requests: { cpu: '4' } }),
    ]);
    expect(chosen(preempt(vip('4'), equal))).toBe('y: c');
  });
  it('takes the youngest of equals', () => {
    const started = (startTime: string): PodFields => ({ status: { startTime }, requests: { cpu: '4' } });
    const cluster = aCluster(
      [aNode('x'), aNode('y')],
      [
        running('old', 'x', 1, started('2026-01-01T00:00:00Z')),
        running('young', 'y', 1, started('2026-01-02T00:00:00Z')),
      ],
    );
    expect(chosen(preempt(vip('4'), cluster))).toBe('y: young');
  });
  it('keeps disruption budgets where it can', () => {
    const budget: PodDisruptionBudget = {
      metadata: { name: 'b', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'guarded' } } },
      status: { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
    };
    const guarded = { labels: { app: 'guarded' } };
    const oneNode = aCluster([aNode('n')], [running('a', 'n', 1, guarded), running('b', 'n', 5)]);
    expect(chosen(preempt(vip('2'), oneNode, [budget]))).toBe('n: b');
    const twoNodes = aCluster(
      [aNode('x'), aNode('y')],
      [
        running('a', 'x', 1, { ...guarded, requests: { cpu: '4' } }),
        running('b', 'y', 5, { requests: { cpu: '4' } }),
      ],
    );
    expect(chosen(preempt(vip('4'), twoNodes, [budget]))).toBe('y: b');
  });
  it('removes a pod whose anti-affinity is in the way', () => {
    const spec = {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'vip' } } },
          ],
        },
      },
    };
    const cluster = aCluster([aNode('n')], [running('hermit', 'n', 1, { spec, requests: { cpu: '1' } })]);
    expect(chosen(preempt(vip('1', { labels: { app: 'vip' } }), cluster))).toBe('n: hermit');
  });
  it('says why it does not help', () => {
    const full = aCluster([aNode('n')], [running('a', 'n', 100, { requests: { cpu: '4' } })]);
    expect(chosen(preempt(vip('1'), full))).toBe(
      '0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    );
    expect(chosen(preempt(vip('5'), full))).toBe(
      '0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    );
    expect(chosen(preempt(vip('1', { spec: { preemptionPolicy: 'Never' } }), full))).toBe(
      'not eligible due to preemptionPolicy=Never.',
    );
    const mixed = aCluster([aNode('n')], [running('a', 'n', 100), running('b', 'n', 1)]);
    expect(chosen(preempt(vip('3'), mixed))).toBe('0/1 nodes are available: 1 Insufficient cpu.');
  });
});
