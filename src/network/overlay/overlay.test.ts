import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nodes } from '../../api/resources.gen.ts';
import { FakeClient } from '../../client/fake-client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { systemClock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger } from '../../lib/log.ts';
import { unmountAll } from '../../runtime/ctr/mounts.ts';
import { FakeOverlayKernel } from './kernel.fake.ts';
import { overlayKernel } from './kernel.ts';
import { type Overlay, startOverlay } from './overlay.ts';
import { overlayNode } from './overlay-nodes.fake.ts';
import { MODE_ANNOTATION, type OverlayMode } from './plan.ts';
import { NOTHING } from './state.ts';

const CLUSTER = '10.42.0.0/16';

describe('the overlay of a board', () => {
  let clock: FakeClock;
  let client: FakeClient;
  let kernel: FakeOverlayKernel;
  let informers: InformerFactory;
  let overlay: Overlay;
  const told: string[] = [];
  const note = (text: string, fields?: object) => void told.push(`${text} ${JSON.stringify(fields ?? {})}`);
  const log = { ...silentLogger, warn: note, error: note };

  beforeEach(() => {
    clock = new FakeClock();
    client = new FakeClient(clock);
    kernel = new FakeOverlayKernel();
    told.length = 0;
  });
  afterEach(async () => {
    await overlay.stop();
    await informers.stop();
    expect(clock.timers).toBe(0);
  });

  const start = async (mode: OverlayMode = 'vxlan'): Promise<void> => {
    informers = createInformerFactory({ client, clock, log: silentLogger, random: () => 0 });
    overlay = await startOverlay({
      ...{ informers, client, kernel, clock, log, mode },
      ...{ nodeName: 'a', nodeIP: '192.0.2.1', clusterCIDR: CLUSTER },
    });
    void informers.start();
    await clock.advance(1000);
  };
  const join = async (...node: Parameters<typeof overlayNode>) => {
    await client.create(nodes, overlayNode(...node));
    await clock.advance(1000);
  };
  const ranges = (): string[] => [...kernel.state.routes.keys()];

  it('leaves a board alone as it is', async () => {
    await join('a', '192.0.2.1', '10.42.0.0/24');
    await start();
    await overlay.ready;
    expect(kernel.state).toBe(NOTHING);
    expect(kernel.reads).toBe(1);
    expect(overlay.podMtu).toBe(1450);
  });

  it('follows boards that come, move and go, and asks the kernel nothing when nothing changed', async () => {
    await join('a', '192.0.2.1', '10.42.0.0/24');
    await start();
    await join('b', '198.51.100.2', '10.42.1.0/24');
    expect(ranges()).toEqual(['10.42.1.0/24', CLUSTER]);
    const { reads } = kernel;
    const heartbeat = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
    await client.patch(nodes, { name: 'b' }, { type: 'merge', body: heartbeat }, { subresource: 'status' });
    await clock.advance(1000);
    expect(kernel.reads).toBe(reads);
    const moved = { status: { addresses: [{ type: 'InternalIP', address: '198.51.100.3' }] } };
    await client.patch(nodes, { name: 'b' }, { type: 'merge', body: moved }, { subresource: 'status' });
    await clock.advance(1000);
    expect([...kernel.state.forwards.values()]).toEqual(['198.51.100.3']);
    await client.delete(nodes, { name: 'b' });
    await clock.advance(1000);
    expect(ranges()).toEqual([]);
    expect(kernel.state.device).toBeUndefined();
  });

  it('tries again when the kernel refuses, from what is there', async () => {
    await join('a', '192.0.2.1', '10.42.0.0/24');
    await start();
    kernel.failure = new Error('busy');
    await join('b', '198.51.100.2', '10.42.1.0/24');
    expect(ranges()).toEqual(['10.42.1.0/24', CLUSTER]);
    expect(told).toEqual([
      'cannot make the ways to other boards, trying again {"error":"busy","delayMs":500}',
    ]);
  });

  it('finds routes that somebody took away', async () => {
    await join('a', '192.0.2.1', '10.42.0.0/24');
    await join('b', '192.0.2.2', '10.42.1.0/24');
    await start('host-gw');
    expect(kernel.state.routes.get('10.42.1.0/24')).toEqual({ is: 'direct', via: '192.0.2.2' });
    kernel.state = NOTHING;
    await clock.advance(LIMITS.network.routeCheckMs);
    expect(ranges()).toEqual(['10.42.1.0/24', CLUSTER]);
  });

  it('goes on looking for them after it could not look once', async () => {
    await join('a', '192.0.2.1', '10.42.0.0/24');
    await join('b', '192.0.2.2', '10.42.1.0/24');
    await start('host-gw');
    kernel.lookFailure = new Error('too many open files');
    await clock.advance(LIMITS.network.routeCheckMs);
    expect(told).toEqual(['cannot look for routes {"error":"too many open files"}']);
    kernel.state = NOTHING;
    await clock.advance(LIMITS.network.routeCheckMs);
    expect(ranges()).toEqual(['10.42.1.0/24', CLUSTER]);
  });

  it('does with routes what it can without vxlan, and says so for others to do the same', async () => {
    kernel.hasVxlan = false;
    await join('a', '192.0.2.1', '10.42.0.0/24');
    await start();
    await join('near', '192.0.2.2', '10.42.1.0/24');
    await join('far', '198.51.100.2', '10.42.2.0/24');
    expect(ranges()).toEqual(['10.42.1.0/24', CLUSTER]);
    expect(told[0]).toMatch(/^this kernel has no vxlan, so only boards on the same network are reached/);
    expect(told[1]).toMatch(/^pods of another board cannot be reached {"node":"far"/);
    expect(told).toHaveLength(2);
    const annotations = async () => (await client.get(nodes, { name: 'a' })).metadata.annotations;
    expect(await annotations()).toEqual({ [MODE_ANNOTATION]: 'host-gw' });
    // A kernel that has it: the node does as its cluster again.
    await overlay.stop();
    await informers.stop();
    kernel.hasVxlan = true;
    await start();
    expect((await annotations())?.[MODE_ANNOTATION]).toBeUndefined();
    expect(ranges()).toEqual(['10.42.2.0/24', '10.42.1.0/24', CLUSTER]);
  });

  it('removes what an earlier one left where there is to be none', async () => {
    kernel.state = { ...NOTHING, routes: new Map([[CLUSTER, { is: 'refused' }]]) };
    await start('none');
    await overlay.ready;
    expect(ranges()).toEqual([]);
    expect(overlay.podMtu).toBeUndefined();
  });
});

/** Two boards with a pod each, all network namespaces, in the real kernel. */
describe.each(['vxlan', 'host-gw'] as const)('pods of two boards with %s', { timeout: 30_000 }, (mode) => {
  const exec = createExec();
  const clock = systemClock;
  const client = new FakeClient(clock);
  const overlays: Overlay[] = [];
  let dir = '';
  let informers: InformerFactory;
  const inside = (name: string): readonly string[] => ['nsenter', `--net=${join(dir, name)}`];
  const sh = async (name: string, script: string): Promise<string> =>
    (await exec.run([...inside(name), 'sh', '-ec', script])).stdout;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kedge-overlay-'));
    for (const name of ['a', 'b', 'pod-a', 'pod-b']) {
      await writeFile(join(dir, name), '');
      await exec.run(['unshare', `--net=${join(dir, name)}`, 'ip', 'link', 'set', 'lo', 'up']);
    }
    await sh('a', `ip link add eth0 type veth peer name eth0 netns ${join(dir, 'b')}`);
    for (const [index, name] of ['a', 'b'].entries()) {
      const pod = `pod-${name}`;
      await sh(
        name,
        `ip addr add 192.0.2.${index + 1}/24 dev eth0; ip link set eth0 up
         ip link add veth0 type veth peer name eth0 netns ${join(dir, pod)}
         ip addr add 10.42.${index}.1/32 dev veth0; ip link set veth0 up; ip route add 10.42.${index}.7/32 dev veth0`,
      );
      await sh(
        pod,
        `ip addr add 10.42.${index}.7/32 dev eth0; ip link set eth0 mtu 1450 up
         ip route add 10.42.${index}.1/32 dev eth0; ip route add default via 10.42.${index}.1`,
      );
      await client.create(nodes, overlayNode(name, `192.0.2.${index + 1}`, `10.42.${index}.0/24`));
    }
    informers = createInformerFactory({ client, clock, log: silentLogger });
    for (const [index, nodeName] of ['a', 'b'].entries())
      overlays.push(
        await startOverlay({
          ...{ informers, client, clock, nodeName, mode, log: silentLogger, clusterCIDR: CLUSTER },
          kernel: overlayKernel({ exec, prefix: inside(nodeName) }),
          nodeIP: `192.0.2.${index + 1}`,
        }),
      );
    await informers.start();
    await Promise.all(overlays.map(({ ready }) => ready));
  });
  afterAll(async () => {
    for (const overlay of overlays) await overlay.stop({ remove: true });
    await informers.stop();
    const left = (await Promise.all(['a', 'b'].map((name) => sh(name, 'ip route; ip link')))).join('');
    await unmountAll(exec, dir);
    await rm(dir, { recursive: true, force: true });
    expect(left).not.toMatch(/kedge|10\.42\.[01]\.0/);
  });

  it('reach each other by their own addresses, with more than fits one packet', async () => {
    const serve = 'netstat -tn | grep :8080; head -c 1000000 /dev/zero';
    const argv = [
      ...inside('pod-b'),
      ...['busybox', 'nc', '-ll', '-p', '8080', '-e', 'busybox', 'sh', '-c', serve],
    ];
    const listener = exec.start(argv, { stdio: 'ignore' });
    try {
      let answer = '';
      for (let tries = 0; answer === '' && tries < 50; tries++)
        answer = await sh('pod-a', 'busybox nc -w 5 10.42.1.7 8080 </dev/null').catch(() => '');
      expect(answer).toMatch(/10\.42\.1\.7:8080\s+(::ffff:)?10\.42\.0\.7:/);
      expect(answer.length).toBeGreaterThan(1_000_000);
    } finally {
      listener.kill('SIGKILL');
    }
    expect(await sh('pod-a', 'busybox ping -c 1 -W 5 -s 3000 10.42.1.7')).toMatch(/1 packets received/);
  });

  it('are reached from the other board itself; nobody is reached where no board is', async () => {
    expect(await sh('a', 'busybox ping -c 1 -W 5 10.42.1.7')).toMatch(/1 packets received/);
    // Told at once, not after a silence.
    const { stderr } = await exec.run([
      ...inside('pod-a'),
      ...['sh', '-c', 'busybox nc -w 20 10.42.9.9 80 || true'],
    ]);
    expect(stderr).toMatch(/No route to host/);
  });
});
