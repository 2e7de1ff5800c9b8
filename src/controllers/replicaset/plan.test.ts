import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types.gen.ts';
import { isActive } from '../framework/pods.ts';
import { planReplicas } from './plan.ts';
import { rankForDeletion } from './rank-pods.ts';

const NOW = Date.UTC(2026, 0, 1);
const spec = (replicas: number) => ({ replicas, minReadySeconds: 0, template: {} });

interface Traits {
  node?: string;
  phase?: string;
  ready?: boolean;
  cost?: string;
  restarts?: number;
  age?: number;
  readyAge?: number;
}
const pod = (
  name: string,
  { node, phase = 'Running', ready, cost, restarts = 0, age = 0, readyAge = 0 }: Traits,
): Pod => ({
  metadata: {
    name,
    uid: name,
    creationTimestamp: new Date(NOW - age).toISOString(),
    ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
  },
  spec: { containers: [], ...(node === undefined ? {} : { nodeName: node }) },
  status: {
    phase,
    conditions: ready
      ? [{ type: 'Ready', status: 'True', lastTransitionTime: new Date(NOW - readyAge).toISOString() }]
      : [],
    containerStatuses: [{ name: 'c', image: '', imageID: '', ready: false, restartCount: restarts }],
  },
});

describe('ranking for deletion', () => {
  it.each<[string, Traits, Traits]>([
    ['without a node', {}, { node: 'n' }],
    ['pending', { node: 'n', phase: 'Pending' }, { node: 'n' }],
    ['not ready', { node: 'n' }, { node: 'n', ready: true }],
    ['of lower cost', { node: 'n', ready: true, cost: '-1' }, { node: 'n', ready: true }],
    ['that restarted more', { node: 'n', restarts: 3 }, { node: 'n', restarts: 1 }],
    ['much younger', { node: 'n', age: 1000 }, { node: 'n', age: 1_000_000 }],
    [
      'ready for less long',
      { node: 'n', ready: true, readyAge: 1e3 },
      { node: 'n', ready: true, readyAge: 1e6 },
    ],
  ])('takes one %s first', (_, first, second) => {
    const pods = [pod('z', first), pod('a', second)];
    expect(rankForDeletion(pods, pods, NOW).map(({ metadata }) => metadata.name)).toEqual(['z', 'a']);
  });

  it('thins out the fuller node', () => {
    const pods = [pod('a', { node: 'one' }), pod('b', { node: 'two' }), pod('c', { node: 'two' })];
    expect(rankForDeletion(pods, pods, NOW)[0]?.spec?.nodeName).toBe('two');
  });
});

describe('replicas', () => {
  const traits = fc.record({
    phase: fc.constantFrom('Pending', 'Running', 'Failed', 'Succeeded'),
    ready: fc.boolean(),
    node: fc.constantFrom('a', 'b'),
  });
  it('converge from any state in one step, and then rest', () => {
    fc.assert(
      fc.property(fc.array(traits, { maxLength: 20 }), fc.integer({ min: 0, max: 20 }), (all, replicas) => {
        const pods = all.map((one, i) => pod(`p${i}`, one));
        const plan = planReplicas(spec(replicas), pods, pods, NOW);
        const gone = new Set(plan.delete);
        const after = [
          ...pods.filter((one) => !gone.has(one)),
          ...Array.from({ length: plan.create }, (_, i) => pod(`n${i}`, {})),
        ];
        expect(after.filter(isActive)).toHaveLength(replicas);
        expect(planReplicas(spec(replicas), after, after, NOW)).toEqual({ create: 0, delete: [] });
      }),
    );
  });
});
