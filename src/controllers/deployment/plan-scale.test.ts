import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Deployment, ReplicaSet } from '../../api/types.gen.ts';
import { planRollingUpdate, planScale, replicasOfNew } from './plan-scale.ts';
import { bounds, replicasOf, sum } from './replica-counts.ts';

const deployment = (
  replicas: number,
  maxSurge: number | string,
  maxUnavailable: number | string,
): Deployment => ({
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: {},
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
    template: {},
  },
});
const set = (name: string, replicas: number, available: number, total = replicas): ReplicaSet => ({
  metadata: {
    name,
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations: { 'deployment.kubernetes.io/max-replicas': String(total) },
  },
  spec: { replicas, selector: {} },
  status: { replicas, availableReplicas: available },
});

describe('rolling update', () => {
  const inputs = fc.record({
    replicas: fc.integer({ min: 1, max: 30 }),
    maxSurge: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('0%', '25%', '100%')),
    maxUnavailable: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('0%', '25%', '100%')),
    luck: fc.infiniteStream(fc.integer({ min: 0, max: 2 })),
  });

  it('keeps within its bounds at every step, whatever becomes ready when, and arrives', () => {
    fc.assert(
      fc.property(inputs, ({ replicas, maxSurge, maxUnavailable, luck }) => {
        const owner = deployment(replicas, maxSurge, maxUnavailable);
        const { maxSurge: surge, maxUnavailable: unavailable } = bounds(owner);
        let old = set('old', replicas, replicas);
        let current = set('new', replicasOfNew({ deployment: owner, current: undefined, old: [old] }), 0);
        for (let step = 0; step < 500; step++) {
          expect(sum([old, current], replicasOf)).toBeLessThanOrEqual(replicas + surge);
          const available = sum([old, current], ({ status }) => status?.availableReplicas ?? 0);
          expect(available).toBeGreaterThanOrEqual(replicas - unavailable);
          if (replicasOf(old) === 0 && current.status?.availableReplicas === replicas) return;
          for (const { set: of, replicas: to } of planRollingUpdate({
            deployment: owner,
            current,
            old: [old],
          })) {
            const ready = Math.min(to, of.status?.availableReplicas ?? 0);
            if (of === old) old = set('old', to, ready);
            else current = set('new', to, ready);
          }
          const isLucky = luck.next().value > 0;
          const ready = current.status?.availableReplicas ?? 0;
          if (isLucky && ready < replicasOf(current)) current = set('new', replicasOf(current), ready + 1);
        }
        throw new Error('did not arrive');
      }),
      { numRuns: 200 },
    );
  });

  it('takes unhealthy old pods first', () => {
    const owner = deployment(10, 0, 2);
    const broken = set('broken', 3, 0);
    const healthy = set('healthy', 7, 7);
    const plan = planRollingUpdate({ deployment: owner, current: set('new', 0, 0), old: [healthy, broken] });
    expect(plan.map(({ set: { metadata }, replicas }) => [metadata.name, replicas])).toEqual([['broken', 1]]);
  });
});

describe('proportional scaling', () => {
  it('shares a new total out by size and leaves none over', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 1, max: 60 }),
        (first, second, wanted) => {
          const owner = deployment(wanted, 2, 0);
          const total = first + second;
          const sets = [set('new', first, 0, total), set('old', second, second, total)];
          const [current, old] = sets;
          if (!current || !old) return;
          const plan = planScale({ deployment: owner, current, old: [old] });
          const after = plan.reduce((all, { replicas }) => all + replicas, 0);
          if (first === wanted) return;
          expect(after).toBe(wanted + 2);
          for (const { replicas } of plan) expect(replicas).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });
});
