import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestNetwork, type TestNetwork } from '../../test/fixtures/netns.ts';
import { settled } from '../../test/fixtures/settled.ts';
import { namespaces, networkPolicies, pods } from '../api/resources.gen.ts';
import type { NetworkPolicySpec, Pod } from '../api/types.gen.ts';
import { FakeClient } from '../client/fake-client.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { createKeptCopies } from '../client/kept-copies.ts';
import type { Client } from '../client/port.ts';
import { createExec, type Exec } from '../lib/exec.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { silentLogger as log } from '../lib/log.ts';
import { type NetworkPolicyEnforcer, startNetworkPolicy } from './enforcer.ts';

/** Against the real kernel, on virtual time, in a network of our own. */
let exec: Exec;
let network: TestNetwork;
let dir = '';
let client: FakeClient;
let clock: FakeClock;
let informers: InformerFactory;
let enforcer: NetworkPolicyEnforcer;

const start = (through: Client = client): void => {
  const copies = createKeptCopies({
    ...{ dataDir: join(dir, 'data'), stateDir: join(dir, 'state'), cluster: 'here' },
    ...{ clock, log },
  });
  informers = createInformerFactory({ client: through, clock, log, copies });
  enforcer = startNetworkPolicy({
    ...{ informers, exec, clock, log },
    nodeName: 'here',
    clusterDNS: [],
    commandPrefix: network.node,
  });
  void informers.start();
};
const stop = async (): Promise<void> => {
  await enforcer.stop();
  await informers.stop();
};
/** Lets changes arrive, be put together and reach the kernel. */
const pass = (): Promise<void> => clock.advance(LIMITS.network.coalesceMs * 2);

beforeEach(async () => {
  exec = createExec();
  network = await createTestNetwork(exec);
  dir = await mkdtemp(join(tmpdir(), 'kedge-netpolicy-'));
  clock = new FakeClock(undefined, settled);
  client = new FakeClient(clock);
  await client.create(namespaces, { metadata: { name: 'default' } });
});
afterEach(async () => {
  await stop();
  await network.close();
  await rm(dir, { recursive: true });
});

const rules = async (): Promise<string> => {
  const argv = [...network.node, 'nft', '--stateless', 'list', 'table', 'inet', 'kedge-policy'];
  return (await exec.run(argv).catch(() => ({ stdout: '' }))).stdout;
};
/** The elements of a map or set. */
const elements = async (name: string): Promise<string> =>
  new RegExp(` ${name} \\{[^}]*elements = \\{([^}]*)\\}`).exec(await rules())?.[1]?.trim() ?? '';
const isolate = (spec: NetworkPolicySpec = { podSelector: { matchLabels: { app: 'web' } } }) =>
  client.create(networkPolicies, { metadata: { namespace: 'default', name: 'policy' }, spec });
const place = (name: string, app: string, nodeName = 'here'): Promise<Pod> =>
  client.create(pods, {
    metadata: { namespace: 'default', name, labels: { app } },
    spec: { nodeName, containers: [] },
  });
const say = (name: string, podIP: string, phase = 'Running') =>
  client.patch(
    pods,
    { namespace: 'default', name },
    { type: 'merge', body: { status: { phase, podIP } } },
    { subresource: 'status' },
  );

describe('network policy', { timeout: 30_000 }, () => {
  it('costs nothing without policies: no table, no process, no watch of pods', async () => {
    const listed: string[] = [];
    const list: Client['list'] = (resource, options) => {
      listed.push(resource.resource);
      return client.list(resource, options);
    };
    start(Object.assign(Object.create(client) as Client, { list, watch: client.watch.bind(client) }));
    await pass();
    await enforcer.ready;
    const before = exec.spawned;
    const pod = await place('web', 'web');
    await enforcer.ensure(pod, ['10.42.0.2']);
    await pass();
    enforcer.release(pod.metadata.uid ?? '');
    await pass();
    expect(exec.spawned).toBe(before);
    expect(await rules()).toBe('');
    expect(listed).toEqual(['networkpolicies']);
    await isolate();
    await pass();
    expect(listed.toSorted()).toEqual(['namespaces', 'networkpolicies', 'pods']);
  });

  it('has the rules for a pod in the kernel before it may start, whatever the API shows', async () => {
    start();
    await isolate();
    await pass();
    expect(await rules()).toBe('');
    const pod = await place('web', 'web');
    await enforcer.ensure(pod, ['10.42.0.2']);
    expect(await elements('ingress-pods')).toMatch(/^10\.42\.0\.2 : jump ingress-\w+-default\/policy$/);
    const before = exec.spawned;
    await enforcer.ensure(pod, ['10.42.0.2']);
    expect(exec.spawned).toBe(before);
  });

  it('rejects when the kernel cannot be told, so that the pod does not start', async () => {
    start();
    await isolate();
    await pass();
    const pod = await place('web', 'web');
    const run = exec.run.bind(exec);
    exec.run = () => Promise.reject(new Error('no room'));
    await expect(enforcer.ensure(pod, ['10.42.0.2'])).rejects.toThrow('no room');
    exec.run = run;
    await enforcer.ensure(pod, ['10.42.0.2']);
    expect(await elements('ingress-pods')).toContain('10.42.0.2');
  });

  it('takes the address of a pod that is over out of every set before another pod has it', async () => {
    start();
    const from = [{ podSelector: { matchLabels: { app: 'friend' } } }];
    await isolate({ podSelector: { matchLabels: { app: 'web' } }, ingress: [{ from }] });
    const web = await place('web', 'web');
    const friend = await place('friend', 'friend');
    await pass();
    await enforcer.ensure(web, ['10.42.0.2']);
    await enforcer.ensure(friend, ['10.42.0.3']);
    await say('friend', '10.42.0.3');
    await say('web', '10.42.0.2');
    await pass();
    expect(await elements('pods-\\w+')).toBe('10.42.0.3');
    enforcer.release(friend.metadata.uid ?? '');
    const next = await place('next', 'stranger');
    await enforcer.ensure(next, ['10.42.0.3']);
    expect(await elements('pods-\\w+')).toBe('');
    enforcer.release(web.metadata.uid ?? '');
    await pass();
    expect(await rules()).toBe('');
  });

  it('follows pods of other nodes and labels, and ends with the last policy', async () => {
    start();
    const from = [{ podSelector: { matchLabels: { app: 'friend' } } }];
    await isolate({ podSelector: {}, ingress: [{ from }] });
    await place('web', 'web');
    await place('far', 'friend', 'there');
    await say('web', '10.42.0.2');
    await say('far', '10.42.1.2');
    await pass();
    expect(await elements('pods-\\w+')).toBe('10.42.1.2');
    // Pods of other nodes are isolated there.
    expect(await elements('ingress-pods')).toMatch(/^10\.42\.0\.2 : jump \S+$/);
    await say('far', '10.42.1.2', 'Succeeded');
    await pass();
    expect(await elements('pods-\\w+')).toBe('');
    await client.delete(networkPolicies, { namespace: 'default', name: 'policy' });
    await pass();
    expect(await rules()).toBe('');
    const before = exec.spawned;
    await say('web', '10.42.0.9');
    await pass();
    expect(exec.spawned).toBe(before);
  });

  it('leaves its rules when it stops and removes what nobody wants any more when it starts', async () => {
    start();
    await isolate();
    await place('web', 'web');
    await say('web', '10.42.0.2');
    await pass();
    const before = await rules();
    expect(before).toContain('10.42.0.2');
    await stop();
    expect(await rules()).toBe(before);
    await client.delete(networkPolicies, { namespace: 'default', name: 'policy' });
    start();
    await pass();
    await enforcer.ready;
    expect(await rules()).toBe('');
  });

  it('isolates pods by the policies last known when the server is away', async () => {
    start();
    await isolate({ podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] });
    const pod = await place('web', 'web');
    await place('far', 'friend', 'there');
    await say('web', '10.42.0.2');
    await say('far', '10.42.1.2');
    await pass();
    await stop();
    const kept = async (file: string): Promise<unknown> =>
      JSON.parse(await readFile(join(dir, file), 'utf8'));
    expect(await kept('data/known/networkpolicies.json')).toMatchObject({
      items: [{ metadata: { name: 'policy' } }],
    });
    expect(await kept('data/known/namespaces.json')).toMatchObject({
      items: [{ metadata: { name: 'default' } }],
    });
    await exec.run([...network.node, 'nft', 'flush', 'ruleset']);
    const away = (): never => {
      throw new Error('the server is away');
    };
    start(Object.assign(Object.create(client) as Client, { list: async () => away(), watch: away }));
    const ensured = enforcer.ensure(pod, ['10.42.0.7']);
    await clock.advance(LIMITS.agent.offlineAfterMs * 3);
    await ensured;
    expect(await elements('ingress-pods')).toContain('10.42.0.7');
    expect(await elements('pods-\\w+')).toBe('10.42.0.7, 10.42.1.2');
  });

  it('tries again when the kernel refuses', async () => {
    start();
    await isolate();
    await place('web', 'web');
    const run = exec.run.bind(exec);
    exec.run = () => Promise.reject(new Error('no room'));
    await say('web', '10.42.0.2');
    await pass();
    exec.run = run;
    await clock.advance(LIMITS.network.retry.baseMs + LIMITS.network.coalesceMs);
    expect(await elements('ingress-pods')).toContain('10.42.0.2');
  });
});
