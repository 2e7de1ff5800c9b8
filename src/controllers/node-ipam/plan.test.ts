import { describe, expect, it } from 'vitest';
import type { Node } from '../../api/types.gen.ts';
import { planPodCidrs } from './plan.ts';

const node = (name: string, podCIDR?: string, creationTimestamp = '2026-01-01T00:00:00Z'): Node => ({
  metadata: { name, creationTimestamp },
  spec: podCIDR === undefined ? {} : { podCIDR },
});

describe('planPodCidrs', () => {
  it('gives the oldest node the lowest free block and leaves what is given alone', () => {
    const nodes = [node('b', undefined, '2026-01-02T00:00:00Z'), node('a'), node('c', '10.42.0.0/24')];
    expect(planPodCidrs(nodes, '10.42.0.0/16', 24)).toEqual({
      assignments: [
        { node: 'a', podCIDR: '10.42.1.0/24' },
        { node: 'b', podCIDR: '10.42.2.0/24' },
      ],
      exhausted: [],
    });
    expect(planPodCidrs([node('c', '10.42.0.0/24')], '10.42.0.0/16', 24).assignments).toEqual([]);
  });

  it('names the nodes that get nothing once the range is used up', () => {
    const nodes = [node('a'), node('b'), node('c')];
    const { assignments, exhausted } = planPodCidrs(nodes, '10.42.0.0/23', 24);
    expect(assignments.map(({ podCIDR }) => podCIDR)).toEqual(['10.42.0.0/24', '10.42.1.0/24']);
    expect(exhausted).toEqual(['c']);
  });

  it('works for IPv6 and skips nodes that are leaving', () => {
    expect(planPodCidrs([node('a')], 'fd00:42::/48', 64).assignments[0]?.podCIDR).toBe('fd00:42::/64');
    const leaving = node('a');
    leaving.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(planPodCidrs([leaving], '10.42.0.0/16', 24).assignments).toEqual([]);
  });
});
