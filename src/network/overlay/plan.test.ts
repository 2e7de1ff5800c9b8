import { describe, expect, it } from 'vitest';
import { overlayNode as node } from './overlay-nodes.fake.ts';
import { type OverlayInput, planOverlay } from './plan.ts';

const here = node('a', '192.0.2.1', '10.42.0.0/24');
const input = (more: Partial<OverlayInput>): OverlayInput => ({
  nodes: [here],
  nodeName: 'a',
  clusterMode: 'vxlan',
  mode: 'vxlan',
  address: '192.0.2.1',
  mtu: 1450,
  clusterCIDR: '10.42.0.0/16',
  onLink: ['192.0.2.1/24'],
  ...more,
});
const other = (...more: Parameters<typeof node>) => ({ nodes: [here, node(...more)] });

describe('the plan of ways to other boards', () => {
  it('is empty for a board alone, and before it has a range of its own', () => {
    const nothing = {
      state: { routes: new Map(), neighbours: new Map(), forwards: new Map() },
      unreachable: [],
    };
    expect(planOverlay(input({}))).toEqual(nothing);
    expect(
      planOverlay(
        input({ nodes: [node('a', '192.0.2.1', undefined), node('b', '192.0.2.2', '10.42.1.0/24')] }),
      ),
    ).toEqual(nothing);
    expect(planOverlay(input({ ...other('b', '192.0.2.2', '10.42.1.0/24'), mode: 'none' }))).toEqual(nothing);
    for (const broken of [undefined, 'fd00::/64', 'nonsense'])
      expect(planOverlay(input(other('b', '192.0.2.2', broken)))).toEqual(nothing);
    expect(planOverlay(input(other('b', '192.0.2.2', '10.42.1.0/24', 'none')))).toEqual(nothing);
  });

  it('leads through the device, wherever the other board is', () => {
    const { state } = planOverlay(input(other('b', '198.51.100.7', '10.42.1.0/24')));
    expect(state.device).toEqual({
      mac: '0e:6b:0a:2a:00:00',
      address: '10.42.0.0',
      local: '192.0.2.1',
      mtu: 1450,
    });
    expect([...state.routes]).toEqual([
      ['10.42.1.0/24', { is: 'tunnelled', via: '10.42.1.0' }],
      ['10.42.0.0/16', { is: 'refused' }],
    ]);
    expect([...state.neighbours]).toEqual([['10.42.1.0', '0e:6b:0a:2a:01:00']]);
    expect([...state.forwards]).toEqual([['0e:6b:0a:2a:01:00', '198.51.100.7']]);
  });

  it('gives every device the address that others expect of it', () => {
    const nodes = [here, node('b', '192.0.2.2', '10.42.255.0/24')];
    const there = planOverlay(input({ nodes, nodeName: 'b', address: '192.0.2.2' })).state.device;
    const expected = planOverlay(input({ nodes })).state;
    expect(expected.neighbours.get(there?.address ?? '')).toBe(there?.mac);
    expect(expected.forwards.get(there?.mac ?? '')).toBe('192.0.2.2');
  });

  it('leads directly to a board on the same network where either has no vxlan', () => {
    for (const more of [
      { clusterMode: 'host-gw', mode: 'host-gw' },
      { mode: 'host-gw' },
      other('b', '192.0.2.2', '10.42.1.0/24', 'host-gw'),
    ] as const) {
      const { state, unreachable } = planOverlay(
        input({ ...other('b', '192.0.2.2', '10.42.1.0/24'), ...more }),
      );
      expect(state.routes.get('10.42.1.0/24')).toEqual({ is: 'direct', via: '192.0.2.2' });
      expect([state.device, state.forwards.size, unreachable]).toEqual([undefined, 0, []]);
    }
  });

  it('says whom it cannot reach, and why', () => {
    const why = (more: Partial<OverlayInput>): string | undefined =>
      planOverlay(input(more)).unreachable[0]?.why;
    expect(why({ ...other('b', '198.51.100.7', '10.42.1.0/24'), mode: 'host-gw' })).toBe(
      '198.51.100.7 is not on a network of this board, and one of the two has no vxlan',
    );
    expect(why(other('b', undefined, '10.42.1.0/24'))).toBe('it has no InternalIP of IPv4');
    expect(why(other('b', 'fd00::2', '10.42.1.0/24'))).toBe('it has no InternalIP of IPv4');
    expect(why(other('b', '192.0.2.1', '10.42.1.0/24'))).toBe('it has the address of this node, 192.0.2.1');
  });
});
