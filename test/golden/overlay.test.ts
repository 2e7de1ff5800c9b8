import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExec } from '../../src/lib/exec.ts';
import { destinations, type OverlayKernel, overlayKernel } from '../../src/network/overlay/kernel.ts';
import { overlayNode as node } from '../../src/network/overlay/overlay-nodes.fake.ts';
import { planOverlay } from '../../src/network/overlay/plan.ts';
import { NOTHING, type OverlayState, overlayChange } from '../../src/network/overlay/state.ts';
import { unmountAll } from '../../src/runtime/ctr/mounts.ts';

/** What we tell `ip` and `bridge`, and what the kernel then holds, in a network namespace of our own. */
describe('ways to other boards in the kernel', () => {
  const exec = createExec();
  let dir = '';
  let prefix: readonly string[] = [];
  let kernel: OverlayKernel;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kedge-golden-'));
    await writeFile(join(dir, 'net'), '');
    prefix = ['nsenter', `--net=${join(dir, 'net')}`];
    await exec.run([
      ...['unshare', `--net=${join(dir, 'net')}`, 'sh', '-ec'],
      'ip link set lo up; ip link add up0 type veth peer name up1; ip link set up0 mtu 1400 up; ip link set up1 up; ip addr add 192.0.2.1/24 dev up0; ip route add default via 192.0.2.254',
    ]);
    kernel = overlayKernel({ exec, prefix });
  });
  afterAll(async () => {
    await unmountAll(exec, dir);
    await rm(dir, { recursive: true });
  });

  const here = node('here', '192.0.2.1', '10.42.0.0/24');
  const far = node('far', '198.51.100.7', '10.42.1.0/24');
  const near = node('near', '192.0.2.3', '10.42.2.0/24', 'host-gw');
  const plan = (nodes: readonly ReturnType<typeof node>[], more: { mtu?: number; address?: string } = {}) =>
    planOverlay({
      nodes: [here, ...nodes],
      nodeName: 'here',
      ...({ clusterMode: 'vxlan', mode: 'vxlan', clusterCIDR: '10.42.0.0/16' } as const),
      ...{ address: '192.0.2.1', mtu: 1350, onLink: ['192.0.2.1/24'], ...more },
    }).state;
  const wanted = plan([far, near]);
  const states: readonly OverlayState[] = [
    wanted,
    plan([far, near, node('third', '198.51.100.9', '10.42.3.0/24')]),
    plan([node('far', '198.51.100.8', '10.42.1.0/24')]),
    plan([near]),
    plan([far], { mtu: 1000 }),
    plan([far], { address: '192.0.2.2' }),
    NOTHING,
  ];
  const text = (state: OverlayState): string =>
    JSON.stringify([
      Object.entries(state.device ?? {}).toSorted(),
      ...[state.routes, state.neighbours, state.forwards].map((map) =>
        [...map].toSorted(([a], [b]) => a.localeCompare(b)),
      ),
    ]);

  it('are made by these lines', async () => {
    const { ip, bridge } = overlayChange(NOTHING, wanted);
    const lines = [...ip.map((line) => `ip ${line}`), ...bridge.map((line) => `bridge ${line}`)];
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('./overlay.txt');
  });

  it('read back as written, and nothing is left to do', async () => {
    expect(await kernel.change(NOTHING, wanted)).toBe(true);
    const { state, networks } = await kernel.read();
    expect(text(state)).toBe(text(wanted));
    expect(networks).toEqual([{ address: '192.0.2.1', cidr: '192.0.2.1/24', mtu: 1400 }]);
    expect(await kernel.change(state, wanted)).toBe(false);
  });

  it('get from any state to any other', async () => {
    let before = (await kernel.read()).state;
    for (const state of [...states, ...states.toReversed(), NOTHING]) {
      await kernel.change(before, state);
      before = (await kernel.read()).state;
      expect(text(before)).toBe(text(state));
    }
    // The last one is nothing: not even a device.
    const { stdout } = await exec.run([...prefix, 'ip', '-brief', 'link']);
    expect(stdout).not.toContain('kedge');
  });

  it('come after one that cannot be made', async () => {
    const odd = plan([node('a', '192.0.2.3', '10.42.2.0/24', 'host-gw'), far]);
    await exec.run([...prefix, 'ip', 'link', 'set', 'up0', 'down']);
    await expect(kernel.change(NOTHING, odd)).rejects.toThrow(/unreachable|invalid gateway/i);
    const { state } = await kernel.read();
    expect([...state.routes.keys()]).toEqual(expect.arrayContaining(['10.42.1.0/24', '10.42.0.0/16']));
    await exec.run([...prefix, 'ip', 'link', 'set', 'up0', 'up']);
    await kernel.change(state, odd);
    expect(text((await kernel.read()).state)).toBe(text(odd));
  });

  it('are found in the table of the kernel', () => {
    const table = [
      'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT      ',
      '*\t00002A0A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0      ',
      'eth0\t00022A0A\t094DA8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0      ',
      'eth0\t00000000\t014DA8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0      ',
    ];
    expect(destinations(table.join('\n'))).toEqual(['10.42.0.0/16', '10.42.2.0/24', '0.0.0.0/0']);
  });
});
