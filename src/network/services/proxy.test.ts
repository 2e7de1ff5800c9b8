import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestNetwork, type TestNetwork } from '../../../test/fixtures/netns.ts';
import { endpointSlices, services } from '../../api/resources.gen.ts';
import type { ServiceSpec } from '../../api/types.gen.ts';
import { FakeClient } from '../../client/fake-client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { silentLogger as log } from '../../lib/log.ts';
import { type ServiceProxy, startServiceProxy } from './proxy.ts';

/** Real packets through the real kernel: a node with two pods, each a network namespace. */
describe('service proxy', { timeout: 60_000 }, () => {
  const exec = createExec();
  const client = new FakeClient(clock);
  const children: (() => void)[] = [];
  let network: TestNetwork;
  let informers: InformerFactory;
  let proxy: ServiceProxy;
  let pods: (readonly string[])[] = [];
  const ips = ['10.42.0.2', '10.42.0.3'];

  beforeAll(async () => {
    network = await createTestNetwork(exec);
    pods = [];
    for (const [index, ip] of ips.entries()) {
      const pod = await network.addPod(ip);
      pods.push(pod);
      // Answers every connection with its own name.
      const child = exec.start([...pod, 'busybox', 'nc', '-ll', '-p', '8080', '-e', 'echo', `pod${index}`], {
        stdio: 'ignore',
      });
      children.push(() => child.kill('SIGKILL'));
    }
    informers = createInformerFactory({ client, clock, log });
    proxy = startServiceProxy({
      ...{ informers, exec, clock, log },
      nodeName: 'here',
      clusterCIDRs: ['10.42.0.0/16'],
      serviceCIDRs: ['10.43.0.0/16'],
      nodeIPs: [network.nodeIP],
      localIPs: [],
      commandPrefix: network.node,
    });
    await informers.start();
    await proxy.ready;
  });
  afterAll(async () => {
    await proxy.stop({ removeRules: true });
    await informers.stop();
    for (const end of children) end();
    await network.close();
  });

  const create = async (name: string, spec: ServiceSpec, addresses: readonly string[]): Promise<void> => {
    const metadata = { namespace: 'default', name };
    await client.create(services, { metadata, spec: { ports: [{ port: 80, protocol: 'TCP' }], ...spec } });
    await client.create(endpointSlices, {
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
      endpoints: addresses.map((ip) => ({ addresses: [ip], nodeName: 'here' })),
    });
  };
  /** Who answers, or what was said instead. */
  const ask = async (from: readonly string[], address: string, port: number): Promise<string> => {
    const argv = [...from, 'busybox', 'nc', '-w', '10', address, String(port)];
    return await exec.run(argv, { stdin: '' }).then(
      ({ stdout }) => stdout.trim() || 'silence',
      (error: unknown) => `no answer: ${error}`,
    );
  };
  const eventually = async (from: readonly string[], address: string, port: number): Promise<string> => {
    for (let tries = 0; tries < 200; tries++) {
      const answer = await ask(from, address, port);
      if (/^pod\d$/.test(answer)) return answer;
      await delay(50);
    }
    return 'no answer at all';
  };

  it('reaches every endpoint of a cluster IP from a pod and from the host', async () => {
    await create('web', { clusterIP: '10.43.0.2' }, ips);
    expect(await eventually(pods[0] ?? [], '10.43.0.2', 80)).toMatch(/^pod/);
    const answers = new Set<string>();
    for (let tries = 0; tries < 40 && answers.size < 2; tries++)
      answers.add(await ask(pods[0] ?? [], '10.43.0.2', 80));
    expect([...answers].toSorted()).toEqual(['pod0', 'pod1']);
    expect(await eventually(network.node, '10.43.0.2', 80)).toMatch(/^pod/);
  });

  it('lets a pod reach itself through its own Service', async () => {
    await create('self', { clusterIP: '10.43.0.3' }, ips.slice(0, 1));
    expect(await eventually(pods[0] ?? [], '10.43.0.3', 80)).toBe('pod0');
  });

  it('answers a node port', async () => {
    const ports = [{ port: 80, protocol: 'TCP', nodePort: 30080 }];
    await create('node', { clusterIP: '10.43.0.4', type: 'NodePort', ports }, ips.slice(1));
    expect(await eventually(pods[0] ?? [], network.nodeIP, 30080)).toBe('pod1');
    expect(await eventually(network.node, network.nodeIP, 30080)).toBe('pod1');
  });

  it('keeps a client at one endpoint with ClientIP affinity, also when endpoints come', async () => {
    await create('sticky', { clusterIP: '10.43.0.5', sessionAffinity: 'ClientIP' }, ips);
    const first = await eventually(pods[0] ?? [], '10.43.0.5', 80);
    await create('other', { clusterIP: '10.43.0.6' }, ips);
    await eventually(pods[0] ?? [], '10.43.0.6', 80);
    for (let tries = 0; tries < 8; tries++) expect(await ask(pods[0] ?? [], '10.43.0.5', 80)).toBe(first);
  });

  it('refuses at once where there is no endpoint', async () => {
    await create('empty', { clusterIP: '10.43.0.7' }, []);
    await create('after', { clusterIP: '10.43.0.8' }, ips);
    await eventually(pods[0] ?? [], '10.43.0.8', 80);
    for (const from of [pods[0] ?? [], network.node]) {
      // Were the first packet dropped, it would take the second, a second later, to hear a refusal.
      await expect(
        exec.run([...from, 'busybox', 'nc', '-w', '1', '10.43.0.7', '80'], { stdin: '' }),
      ).rejects.toThrow(/Connection refused/);
    }
  });

  it('applies many changes as few', async () => {
    const before = exec.spawned;
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        create(`many${index}`, { clusterIP: `10.43.1.${index}` }, ips),
      ),
    );
    await delay(400);
    expect(exec.spawned - before).toBeLessThan(6);
    expect(await ask(network.node, '10.43.1.19', 80)).toMatch(/^pod/);
  });
});
