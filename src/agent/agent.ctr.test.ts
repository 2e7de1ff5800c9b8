import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  startTestContainerd,
  TEST_CGROUP_ROOT,
  type TestContainerd,
} from '../../test/fixtures/containerd.ts';
import { configMaps, pods, secrets } from '../api/resources.gen.ts';
import type { Pod } from '../api/types.gen.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import { FakeClient } from '../client/fake-client.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import type { Runtime } from '../runtime/port.ts';
import { type Agent, startAgent } from './agent.ts';
import { mountsBelow } from './volumes/mount-table.ts';

/** The agent with a real containerd, containers, namespaces and mounts; the API is the one in memory. */
let board: TestContainerd;
let client: FakeClient;
let runtime: Runtime;
let informers: InformerFactory;
let agent: Agent;
const told: string[] = [];

const recorder: EventRecorder = {
  event: (_, type, reason, message) => void told.push(`${type} ${reason} ${message}`),
  for: () => recorder,
  flush: async () => {},
};

async function boot(): Promise<void> {
  runtime = board.runtime();
  informers = createInformerFactory({ client, clock: systemClock, log: silentLogger });
  agent = await startAgent({
    client,
    informers,
    events: recorder,
    runtime,
    clock: systemClock,
    log: silentLogger,
    exec: board.exec,
    nodeName: 'board',
    nodeIP: '127.0.0.1',
    dataDir: join(board.dir, 'agent'),
    stateDir: join(board.dir, 'agent-state'),
    clusterDNS: '10.43.0.10',
    clusterDomain: 'cluster.local',
    cgroupRoot: TEST_CGROUP_ROOT,
    version: 'v1.36.3+kedge.test',
  });
  await informers.start();
}

async function halt(): Promise<void> {
  await agent.stop();
  await informers.stop();
  await runtime.close();
}

beforeAll(async () => {
  board = await startTestContainerd();
  client = new FakeClient(systemClock);
  await boot();
}, 60_000);

afterAll(async () => {
  await halt();
  // Whatever a failed test has left.
  const last = board.runtime();
  for (const { uid } of await last.listSandboxes()) await last.removeSandbox(uid).catch(() => {});
  await last.close();
  for (const point of await mountsBelow(board.dir))
    await board.exec.run(['umount', '-l', point]).catch(() => {});
  await board.close();
}, 60_000);

async function eventually(check: () => Promise<boolean>, what = 'condition'): Promise<void> {
  const deadline = Date.now() + 45_000;
  while (!(await check().catch(() => false))) {
    if (Date.now() > deadline)
      throw new Error(`${what} did not come true; events: ${told.slice(-12).join(' | ')}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const get = (name: string): Promise<Pod> => client.get(pods, { name, namespace: 'default' });

async function until(name: string, check: (pod: Pod) => boolean): Promise<Pod> {
  await eventually(async () => check(await get(name)), `pod ${name}`);
  return get(name);
}

const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

function create(name: string, spec: Partial<NonNullable<Pod['spec']>>): Promise<Pod> {
  const main = { name: 'main', image: 'busybox:1', command: ['sleep', '3600'] };
  return client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { nodeName: 'board', terminationGracePeriodSeconds: 1, containers: [main], ...spec },
    status: { phase: 'Pending' },
  });
}

async function logOf(pod: Pod, container: string, extra: object = {}): Promise<string> {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  return text(await agent.api.logs({ pod: { name, namespace, uid }, container, ...extra }));
}

describe('agent with containerd', () => {
  it('runs init containers, volumes, environment and probes, tells logs, and leaves nothing behind', async () => {
    const meta = { namespace: 'default' };
    const mountsBefore = await mountsBelow(board.dir);
    await client.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...meta, name: 'greeting' },
      data: { text: 'hello\n' },
    });
    await client.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...meta, name: 'key' },
      data: { pin: 'MTIzNA==' },
    });
    await create('whole', {
      initContainers: [
        {
          name: 'prepare',
          image: 'busybox:1',
          command: ['sh', '-c', 'echo made > /made/file'],
          volumeMounts: [{ name: 'work', mountPath: '/made' }],
        },
      ],
      containers: [
        {
          name: 'web',
          image: 'busybox:1',
          command: [
            'sh',
            '-c',
            'cat /made/file /config/text; echo pin=$PIN word=$WORD ip=$IP; hostname; cat /sub/deep; exec httpd -f -p 8080 -h /made',
          ],
          env: [
            { name: 'PIN', valueFrom: { secretKeyRef: { name: 'key', key: 'pin' } } },
            { name: 'WORD', value: 'w-$(PIN)' },
            { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          ],
          readinessProbe: { httpGet: { path: '/file', port: 8080 }, periodSeconds: 1 },
          volumeMounts: [
            { name: 'work', mountPath: '/made' },
            { name: 'config', mountPath: '/config' },
            { name: 'config', mountPath: '/sub/deep', subPath: 'text' },
            { name: 'memory', mountPath: '/memory' },
          ],
        },
      ],
      volumes: [
        { name: 'work', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        { name: 'config', configMap: { name: 'greeting' } },
      ],
    });
    const pod = await until('whole', isReady);
    expect(pod.status?.initContainerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
    });
    const log = await logOf(pod, 'web');
    expect(log).toBe(`made\nhello\npin=1234 word=w-1234 ip=${pod.status?.podIP}\nwhole\nhello\n`);
    const stamped = await logOf(pod, 'web', { timestamps: true, tailLines: 1 });
    expect(stamped).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z hello\n$/);

    await client.patch(
      configMaps,
      { ...meta, name: 'greeting' },
      { type: 'merge', body: { data: { text: 'changed' } } },
    );
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    await eventually(async () => {
      const session = await agent.api.exec({
        pod: { name, namespace, uid },
        container: 'web',
        command: ['cat', '/config/text'],
        tty: false,
        stdin: false,
        stdout: true,
        stderr: true,
      });
      const said = await text(session.stdout ?? process.stdin);
      return (await session.exit) === 0 && said === 'changed';
    }, 'change of the ConfigMap in the container');

    await client.delete(pods, { ...meta, name: 'whole' }, { gracePeriodSeconds: 1 });
    await eventually(async () => (await client.list(pods)).items.length === 0, 'deletion');
    expect(await mountsBelow(board.dir)).toEqual(mountsBefore);
    expect(await runtime.listContainers()).toEqual([]);
    expect(await runtime.listSandboxes()).toEqual([]);
  }, 60_000);

  it('restarts a crashing container with its message and its previous log', async () => {
    await create('crash', {
      containers: [
        {
          name: 'main',
          image: 'busybox:1',
          command: ['sh', '-c', 'echo run $$$$; echo why > /dev/termination-log; exit 3'],
        },
      ],
    });
    const pod = await until(
      'crash',
      (now) => now.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    const status = pod.status?.containerStatuses?.[0];
    expect(status?.restartCount).toBe(1);
    expect(status?.state?.waiting?.message).toBe(
      `back-off 10s restarting failed container=main pod=crash_default(${pod.metadata.uid})`,
    );
    expect(status?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error', message: 'why\n' });
    expect(await logOf(pod, 'main')).toMatch(/^run \d+\n$/);
    await client.delete(pods, { name: 'crash', namespace: 'default' }, { gracePeriodSeconds: 0 });
  }, 60_000);

  it('finds its containers again after a restart, with the same processes', async () => {
    await create('stay', {});
    const before = await until('stay', isReady);
    const pidOf = async (): Promise<number | undefined> =>
      (await runtime.listContainers()).find(({ labels }) => labels['io.kubernetes.pod.name'] === 'stay')?.pid;
    const pid = await pidOf();
    expect(pid).toBeGreaterThan(1);
    await halt();
    await boot();
    await agent.registered;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await pidOf()).toBe(pid);
    expect((await get('stay')).status).toEqual(before.status);
  }, 60_000);

  it('starts the pods it knew when the API server does not answer', async () => {
    const pod = await until('stay', isReady);
    await halt();
    // A reboot and no server: containers and what lies in memory are gone.
    const id = pod.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '';
    const spare = board.runtime();
    await spare.removeContainer(id);
    await spare.removeSandbox(pod.metadata.uid ?? '');
    await spare.close();
    await rm(join(board.dir, 'agent-state'), { recursive: true, force: true });
    await mkdir(join(board.dir, 'agent-state'));
    await writeFile(join(board.dir, 'agent-state', '.keep'), '');
    const real = client;
    client = new Proxy(real, {
      get: (target, key) =>
        key === 'list'
          ? () => Promise.reject(new Error('connection refused'))
          : Reflect.get(target, key).bind?.(target),
    }) as FakeClient;
    const booted = boot();
    try {
      await eventually(
        async () => (await runtime.listContainers()).some(({ state }) => state === 'running'),
        'start without server',
      );
    } finally {
      client = real;
      await agent.stop();
      await informers.stop();
      await booted;
      await runtime.close();
      await boot();
    }
    await until('stay', isReady);
  }, 60_000);
});
