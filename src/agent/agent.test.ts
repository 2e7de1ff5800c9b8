import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { leases, nodes, pods } from '../api/resources.gen.ts';
import type { Pod } from '../api/types.gen.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import { FakeClient } from '../client/fake-client.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { createExec } from '../lib/exec.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { silentLogger } from '../lib/log.ts';
import { FakeRuntime } from '../runtime/fake.ts';
import { type Agent, startAgent } from './agent.ts';

interface Told {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly fieldPath: string | undefined;
}

let dir: string;
let clock: FakeClock;
let client: FakeClient;
let runtime: FakeRuntime;
let informers: InformerFactory;
let agent: Agent | undefined;
let told: Told[];

const recorder: EventRecorder = {
  event: (_, type, reason, message, fieldPath) => void told.push({ type, reason, message, fieldPath }),
  for: () => recorder,
  flush: async () => {},
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kedge-agent-'));
  clock = new FakeClock();
  client = new FakeClient(clock);
  runtime = new FakeRuntime({ clock, logDir: join(dir, 'log') });
  runtime.addImage('busybox');
  told = [];
});

afterEach(async () => {
  await agent?.stop();
  await informers?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function boot(): Promise<void> {
  informers = createInformerFactory({ client, clock, log: silentLogger, random: () => 0 });
  agent = await startAgent({
    client,
    informers,
    events: recorder,
    runtime,
    clock,
    log: silentLogger,
    exec: createExec(),
    nodeName: 'board',
    nodeIP: '192.168.1.7',
    dataDir: join(dir, 'data'),
    stateDir: join(dir, 'state'),
    clusterDNS: '10.43.0.10',
    clusterDomain: 'cluster.local',
    version: 'v1.36.3+kedge.test',
  });
  void informers.start();
  await pass(100);
}

/** Time passes, with real work (files) done in between. */
async function pass(ms: number): Promise<void> {
  for (let round = 0; round < 6; round++) {
    await clock.advance(round === 0 ? ms : 25);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

function podOf(name: string, spec: Partial<NonNullable<Pod['spec']>> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'board',
      containers: [{ name: 'main', image: 'busybox', command: ['sleep', 'infinity'] }],
      ...spec,
    },
    status: {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  };
}

const read = (name: string): Promise<Pod> => client.get(pods, { name, namespace: 'default' });
const conditionOf = (pod: Pod, type: string) => pod.status?.conditions?.find((entry) => entry.type === type);

describe('agent', () => {
  it('registers the node, renews its lease and writes the status only when it changes', async () => {
    await boot();
    const node = await client.get(nodes, { name: 'board' });
    expect(node.metadata.labels).toMatchObject({ 'kubernetes.io/os': 'linux' });
    expect(node.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'True',
      reason: 'KubeletReady',
    });
    expect(node.status?.addresses?.[0]).toEqual({ type: 'InternalIP', address: '192.168.1.7' });
    expect(told.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['Starting', 'NodeReady']));
    const before = client.calls.filter(({ resource }) => resource === 'nodes').length;
    const lease = await client.get(leases, { namespace: 'kube-node-lease', name: 'board' });
    await pass(30_000);
    const after = await client.get(leases, { namespace: 'kube-node-lease', name: 'board' });
    expect(after.spec?.renewTime).not.toBe(lease.spec?.renewTime);
    expect(client.calls.filter(({ resource }) => resource === 'nodes').length).toBe(before);
  });

  it('runs a pod bound to its node until it is Ready, and deletes it gracefully', async () => {
    await boot();
    await client.create(pods, podOf('web'));
    await pass(200);
    const ready = await read('web');
    expect(ready.status).toMatchObject({
      phase: 'Running',
      hostIP: '192.168.1.7',
      podIP: expect.stringMatching(/^10\.42\.0\./),
      qosClass: 'BestEffort',
    });
    expect(conditionOf(ready, 'Ready')?.status).toBe('True');
    expect(conditionOf(ready, 'PodScheduled')?.status).toBe('True');
    expect(ready.status?.containerStatuses?.[0]).toMatchObject({
      name: 'main',
      ready: true,
      started: true,
      restartCount: 0,
      image: 'docker.io/library/busybox:latest',
      containerID: expect.stringMatching(/^containerd:\/\/[0-9a-f]{64}$/),
    });
    expect(
      told.filter(({ fieldPath }) => fieldPath === 'spec.containers{main}').map(({ reason }) => reason),
    ).toEqual(['Pulled', 'Created', 'Started']);

    await client.patch(
      pods,
      { name: 'web', namespace: 'default' },
      { type: 'merge', body: { metadata: { finalizers: ['test/hold'] } } },
    );
    await client.delete(pods, { name: 'web', namespace: 'default' }, { gracePeriodSeconds: 5 });
    await pass(8000);
    expect(await runtime.listSandboxes()).toEqual([]);
    const ended = await read('web');
    expect(ended.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 143 });
    expect(told).toContainEqual(
      expect.objectContaining({ reason: 'Killing', message: 'Stopping container main' }),
    );
  });
});
