import { mkdir, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeBoard } from '../../test/fixtures/fake-board.ts';
import { configMaps, leases, nodes, pods } from '../api/resources.gen.ts';
import type { FakeClient } from '../client/fake-client.ts';
import { LIMITS } from '../lib/limits.ts';

let board: FakeBoard;
beforeEach(async () => {
  board = await FakeBoard.create({ pullable: (name) => !name.includes('absent') });
});
afterEach(() => board.close());

const at = (name: string) => ({ name, namespace: 'default' });
const statusOf = async (name: string) => (await board.read(name)).status?.containerStatuses?.[0];

describe('node', () => {
  it('is registered, renews its lease and writes its status only when it changes', async () => {
    await board.boot();
    const node = await board.client.get(nodes, { name: 'board' });
    expect(node.metadata.labels).toMatchObject({
      'kubernetes.io/os': 'linux',
      'node.kubernetes.io/instance-type': 'kedge',
    });
    expect(node.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'True',
      reason: 'KubeletReady',
    });
    expect(node.status?.addresses?.[0]).toEqual({ type: 'InternalIP', address: '192.168.1.7' });
    expect(board.events).toContain('NodeReady: Node board status is now: NodeReady');
    const writes = () => board.client.calls.filter(({ resource }) => resource === 'nodes').length;
    const before = writes();
    const lease = await board.client.get(leases, { namespace: 'kube-node-lease', name: 'board' });
    await board.pass(30_000);
    const after = await board.client.get(leases, { namespace: 'kube-node-lease', name: 'board' });
    expect(after.spec?.renewTime).not.toBe(lease.spec?.renewTime);
    expect(writes()).toBe(before);
  });

  it('says that it is ready as soon as somebody says that nobody knows', async () => {
    await board.boot();
    const ready = async () =>
      (await board.client.get(nodes, { name: 'board' })).status?.conditions?.find(
        ({ type }) => type === 'Ready',
      );
    const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
    const patch = { type: 'merge', body: { status: { conditions } } } as const;
    await board.client.patch(nodes, { name: 'board' }, patch, { subresource: 'status' });
    expect(await ready()).toMatchObject({ status: 'Unknown' });
    await board.pass(0);
    expect(await ready()).toMatchObject({ status: 'True', reason: 'KubeletReady' });
  });

  it('says that another board has its name when its lease is written by somebody else, again and again', async () => {
    await board.boot();
    const ref = { namespace: 'kube-node-lease', name: 'board' };
    for (let round = 0; round < 4; round++) {
      const rival = {
        type: 'merge',
        body: { spec: { renewTime: `2026-01-01T00:00:0${round}.000000Z` } },
      } as const;
      await board.client.patch(leases, ref, rival);
      await board.pass(LIMITS.agent.leaseRenewMs);
    }
    expect(board.said.filter((line) => line.startsWith('another board is at work'))).toHaveLength(1);
  });

  it('says when memory is short and evicts the pod that exceeds its request', async () => {
    await board.boot();
    await board.create('modest', {
      containers: [
        {
          name: 'main',
          image: 'busybox',
          command: ['sleep', 'infinity'],
          resources: { requests: { memory: '1Gi' } },
        },
      ],
    });
    await board.create('greedy');
    await board.pass(300);
    board.headroom = { ...board.headroom, memoryAvailableBytes: 1024 };
    await board.pass(11_000);
    const node = await board.client.get(nodes, { name: 'board' });
    expect(node.status?.conditions?.find(({ type }) => type === 'MemoryPressure')?.status).toBe('True');
    expect((await board.read('greedy')).status).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    expect((await board.read('modest')).status?.phase).toBe('Running');
  });
});

describe('resize', () => {
  const container = (cpu: string, memory: string, more = {}) => ({
    name: 'main',
    image: 'busybox',
    command: ['sleep', 'infinity'],
    resources: { requests: { cpu, memory }, limits: { memory } },
    ...more,
  });
  const resize = async (name: string, cpu: string, memory: string, more = {}) => {
    const pod = await board.read(name);
    const containers = [container(cpu, memory, more)];
    await board.client.update(pods, { ...pod, spec: { ...pod.spec, containers } });
    await board.pass(100);
  };
  const conditions = async (name: string) =>
    ((await board.read(name)).status?.conditions ?? []).filter(({ type }) => type.startsWith('PodResize'));

  it('gives a running container its new limits and tells what it has', async () => {
    await board.boot();
    await board.create('web', { containers: [container('100m', '64Mi')] });
    await board.pass(200);
    const before = await statusOf('web');
    expect(before?.resources?.limits).toEqual({ memory: '64Mi' });
    await resize('web', '200m', '128Mi');
    expect(board.runtime.updated).toMatchObject([
      { resources: { cpuShares: 204, memoryLimitBytes: 128 * 1024 * 1024 } },
    ]);
    expect(await statusOf('web')).toMatchObject({
      containerID: before?.containerID,
      restartCount: 0,
      resources: { requests: { cpu: '200m', memory: '128Mi' }, limits: { memory: '128Mi' } },
      allocatedResources: { cpu: '200m', memory: '128Mi' },
    });
    expect(await conditions('web')).toEqual([]);
    expect(board.events.filter((line) => line.startsWith('ResizeCompleted: '))).toHaveLength(1);
    // The same amount in other words, and a look after a restart of the agent, change nothing.
    await resize('web', '0.2', '128Mi');
    await board.halt();
    await board.boot();
    await board.pass(1000);
    expect(board.runtime.updated).toHaveLength(1);
  });

  it('restarts a container whose policy says so', async () => {
    await board.boot();
    const more = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    await board.create('web', { containers: [container('100m', '64Mi', more)] });
    await board.pass(200);
    await resize('web', '200m', '64Mi', more);
    expect(board.runtime.updated).toHaveLength(1);
    await resize('web', '200m', '128Mi', more);
    await board.pass(5000);
    expect(board.runtime.updated).toHaveLength(1);
    expect(await statusOf('web')).toMatchObject({
      restartCount: 1,
      resources: { limits: { memory: '128Mi' } },
    });
  });

  it('says what the node cannot give, and gives it when another pod is gone', async () => {
    await board.boot();
    const { allocatable } = (await board.client.get(nodes, { name: 'board' })).status ?? {};
    const cpus = Number((allocatable as Record<string, string>)['cpu']);
    await board.create('web', { containers: [container('100m', '64Mi')] });
    await board.create('other', { containers: [container(`${cpus * 500}m`, '64Mi')] });
    await board.pass(300);
    await resize('web', `${cpus + 1}`, '64Mi');
    expect(await conditions('web')).toMatchObject(
      [
        {
          type: 'PodResizePending',
          status: 'True',
          reason: 'Infeasible',
          message: /^Node didn't have enough capacity: cpu/,
        },
      ].map((one) => ({ ...one, message: expect.stringMatching(one.message) })),
    );
    await resize('web', `${cpus * 700}m`, '64Mi');
    expect(await conditions('web')).toMatchObject([{ type: 'PodResizePending', reason: 'Deferred' }]);
    expect((await statusOf('web'))?.resources?.requests).toEqual({ cpu: '100m', memory: '64Mi' });
    expect(board.runtime.updated).toEqual([]);
    await board.client.delete(pods, at('other'), { gracePeriodSeconds: 0 });
    await board.pass(5000);
    expect(board.runtime.updated).toHaveLength(1);
    expect(await conditions('web')).toEqual([]);
  });

  it('says when the runtime refuses, and tries again', async () => {
    await board.boot();
    await board.create('web', { containers: [container('100m', '64Mi')] });
    await board.pass(200);
    board.runtime.failNext('updateContainer', new Error('below current usage'));
    await resize('web', '100m', '32Mi');
    expect(await conditions('web')).toMatchObject([
      { type: 'PodResizeInProgress', status: 'True', reason: 'Error', message: 'below current usage' },
    ]);
    expect((await statusOf('web'))?.resources?.limits).toEqual({ memory: '64Mi' });
    await board.pass(LIMITS.agent.resizeRetryMs + 100);
    expect(await conditions('web')).toEqual([]);
    expect((await statusOf('web'))?.resources?.limits).toEqual({ memory: '32Mi' });
  });
});

describe('pod', () => {
  it('runs until it is Ready, and is deleted gracefully', async () => {
    await board.boot();
    await board.create('web', { terminationGracePeriodSeconds: 5 });
    await board.pass(200);
    const ready = await board.read('web');
    expect(ready.status).toMatchObject({
      phase: 'Running',
      hostIP: '192.168.1.7',
      podIP: expect.stringMatching(/^10\.42\.0\./),
      qosClass: 'BestEffort',
    });
    expect((await board.condition('web', 'Ready'))?.status).toBe('True');
    expect((await board.condition('web', 'PodScheduled'))?.status).toBe('True');
    expect(await statusOf('web')).toMatchObject({
      ready: true,
      started: true,
      restartCount: 0,
      image: 'docker.io/library/busybox:latest',
      containerID: expect.stringMatching(/^containerd:\/\/[0-9a-f]{64}$/),
    });
    const ofMain = board.told.filter(({ fieldPath }) => fieldPath === 'spec.containers{main}');
    expect(ofMain.map(({ reason }) => reason)).toEqual(['Pulled', 'Created', 'Started']);

    await board.client.patch(pods, at('web'), {
      type: 'merge',
      body: { metadata: { finalizers: ['test/hold'] } },
    });
    await board.client.delete(pods, at('web'));
    await board.pass(8000);
    expect(await board.runtime.listSandboxes()).toEqual([]);
    expect((await statusOf('web'))?.state?.terminated).toMatchObject({ exitCode: 143 });
    expect(board.events).toContain('Killing: Stopping container main');
  });

  it('kills what ignores SIGTERM when the grace period is over, not before', async () => {
    await board.boot();
    await board.create('deaf', {
      terminationGracePeriodSeconds: 20,
      containers: [{ name: 'main', image: 'busybox', command: ['sh', '-c', "trap '' TERM; sleep infinity"] }],
    });
    await board.pass(200);
    await board.client.delete(pods, at('deaf'));
    await board.pass(19_000);
    expect((await statusOf('deaf'))?.state?.running).toBeDefined();
    await board.pass(2000);
    await expect(board.read('deaf')).rejects.toMatchObject({ code: 404 });
  });

  it('runs init containers in order, keeps sidecars beside the rest and ends them last', async () => {
    await board.boot();
    await board.create('job', {
      restartPolicy: 'Never',
      initContainers: [
        { name: 'first', image: 'busybox', command: ['sleep', '5'] },
        { name: 'side', image: 'busybox', command: ['sleep', 'infinity'], restartPolicy: 'Always' },
      ],
      containers: [{ name: 'main', image: 'busybox', command: ['sleep', '10'] }],
    });
    await board.pass(1000);
    const waiting = await board.read('job');
    expect(waiting.status?.phase).toBe('Pending');
    expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('PodInitializing');
    expect(await board.condition('job', 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [first side]',
    });
    await board.pass(5000);
    expect((await board.read('job')).status?.phase).toBe('Running');
    await board.pass(15_000);
    const done = await board.read('job');
    expect(done.status?.phase).toBe('Succeeded');
    expect(done.status?.initContainerStatuses?.[1]?.state?.terminated?.exitCode).toBe(143);
    expect(await board.condition('job', 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' });
    expect(await board.runtime.listSandboxes()).toEqual([]);
  });

  it('fails when an init container fails and nothing is to be restarted', async () => {
    await board.boot();
    await board.create('broken', {
      restartPolicy: 'Never',
      initContainers: [{ name: 'first', image: 'busybox', command: ['false'] }],
    });
    await board.pass(500);
    const pod = await board.read('broken');
    expect(pod.status?.phase).toBe('Failed');
    expect(pod.status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(1);
  });

  it('backs off from a container that crashes: at once, 10 s, 20 s', async () => {
    await board.boot();
    const pod = await board.create('crash', {
      containers: [{ name: 'main', image: 'busybox', command: ['false'] }],
    });
    await board.pass(500);
    const label = `crash_default(${pod.metadata.uid})`;
    expect(await statusOf('crash')).toMatchObject({
      restartCount: 1,
      state: {
        waiting: {
          reason: 'CrashLoopBackOff',
          message: `back-off 10s restarting failed container=main pod=${label}`,
        },
      },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    });
    expect(board.events).toContain(`BackOff: Back-off restarting failed container main in pod ${label}`);
    await board.pass(10_000);
    expect((await statusOf('crash'))?.restartCount).toBe(2);
    expect((await statusOf('crash'))?.state?.waiting?.message).toContain('back-off 20s');
    await board.pass(10_000);
    expect((await statusOf('crash'))?.restartCount).toBe(2);
  });

  it('waits for an image with ErrImagePull, then ImagePullBackOff', async () => {
    await board.boot();
    await board.create('lost', { containers: [{ name: 'main', image: 'absent:1' }] });
    await board.pass(500);
    expect((await statusOf('lost'))?.state?.waiting?.reason).toBe('ErrImagePull');
    await board.pass(3000);
    expect((await statusOf('lost'))?.state?.waiting).toMatchObject({
      reason: 'ImagePullBackOff',
      message: expect.stringContaining('Back-off pulling image "absent:1": ErrImagePull: '),
    });
    expect(board.events).toEqual(
      expect.arrayContaining([
        'Pulling: Pulling image "absent:1"',
        'Failed: Error: ErrImagePull',
        'BackOff: Back-off pulling image "absent:1"',
      ]),
    );
    board.runtime.addImage('absent:1');
    await board.pass(10_000);
    expect((await statusOf('lost'))?.state?.running).toBeDefined();
  });

  it('waits for the image of a volume as for its own', async () => {
    await board.boot();
    const volumeMounts = [{ name: 'files', mountPath: '/files' }];
    await board.create('shows', {
      volumes: [{ name: 'files', image: { reference: 'absent:1' } }],
      containers: [
        { name: 'main', image: 'busybox', command: ['sleep', 'infinity'], volumeMounts },
        { name: 'other', image: 'busybox', command: ['sleep', 'infinity'] },
      ],
    });
    const waiting = async () =>
      (await board.read('shows')).status?.containerStatuses?.map(({ state }) => state?.waiting);
    await board.pass(500);
    expect(await waiting()).toMatchObject([{ reason: 'ErrImagePull' }, { reason: 'ContainerCreating' }]);
    await board.pass(3000);
    const message = expect.stringContaining('Back-off pulling image "absent:1": ErrImagePull: ');
    expect(await waiting()).toMatchObject([
      { reason: 'ImagePullBackOff', message },
      { reason: 'ContainerCreating' },
    ]);
    expect(board.events).toEqual(
      expect.arrayContaining(['Pulling: Pulling image "absent:1"', 'Failed: Error: ErrImagePull']),
    );
    expect(board.events.filter((event) => event.startsWith('FailedMount'))).toEqual([]);
    board.runtime.addImage('absent:1');
    await board.pass(10_000);
    // What follows is a mount, which the conformance tests see on a real board.
    expect(await waiting()).toEqual([{ reason: 'ContainerCreating' }, { reason: 'ContainerCreating' }]);
  });

  it('names a missing ConfigMap and starts as soon as it is there', async () => {
    await board.boot();
    await board.create('needy', {
      containers: [
        {
          name: 'main',
          image: 'busybox',
          command: ['sleep', 'infinity'],
          env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } }],
        },
      ],
    });
    await board.pass(500);
    expect((await statusOf('needy'))?.state?.waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message: 'configmap "settings" not found',
    });
    await board.client.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: at('settings'),
      data: { a: '1' },
    });
    await board.pass(300);
    expect((await statusOf('needy'))?.state?.running).toBeDefined();
  });

  it('restarts a container whose image was changed, and no other', async () => {
    await board.boot();
    const two = ['a', 'b'].map((name) => ({ name, image: 'busybox', command: ['sleep', 'infinity'] }));
    await board.create('pair', { containers: two });
    await board.pass(300);
    const containers = [{ ...two[0], image: 'busybox:2' }, two[1]];
    await board.client.patch(pods, at('pair'), { type: 'merge', body: { spec: { containers } } });
    await board.pass(3000);
    const statuses = (await board.read('pair')).status?.containerStatuses;
    expect(statuses?.map(({ restartCount }) => restartCount)).toEqual([1, 0]);
    expect(statuses?.[0]?.image).toBe('docker.io/library/busybox:2');
    expect(board.events).toContain('Killing: Container a definition changed, will be restarted');
  });

  it('restarts a container whose liveness probe fails three times', async () => {
    await board.boot();
    await board.create('sick', {
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: 'main',
          image: 'busybox',
          command: ['sleep', 'infinity'],
          livenessProbe: { exec: { command: ['false'] }, periodSeconds: 5, initialDelaySeconds: 5 },
        },
      ],
    });
    await board.pass(16_000);
    const status = await statusOf('sick');
    expect(status).toMatchObject({ restartCount: 1, state: { running: expect.anything() } });
    expect(board.events).toContain('Killing: Container main failed liveness probe, will be restarted');
    expect(board.events.filter((text) => text.startsWith('Unhealthy: Liveness probe failed'))).toHaveLength(
      3,
    );
  });

  it('is not Ready before its readiness probe passes', async () => {
    await board.boot();
    await board.create('slow', {
      containers: [
        {
          name: 'main',
          image: 'busybox',
          command: ['sleep', 'infinity'],
          readinessProbe: { exec: { command: ['true'] }, initialDelaySeconds: 5 },
        },
      ],
    });
    await board.pass(2000);
    expect(await board.condition('slow', 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    });
    await board.pass(8000);
    expect((await board.condition('slow', 'Ready'))?.status).toBe('True');
  });

  it('ends at its deadline', async () => {
    await board.boot();
    await board.create('late', { activeDeadlineSeconds: 30, terminationGracePeriodSeconds: 1 });
    await board.pass(25_000);
    expect((await board.read('late')).status?.phase).toBe('Running');
    await board.pass(10_000);
    expect((await board.read('late')).status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  it('counts a process that cannot start as a failed run', async () => {
    await board.boot();
    await board.create('typo', {
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'busybox', command: ['no-such-program'] }],
    });
    await board.pass(500);
    const pod = await board.read('typo');
    expect(pod.status?.phase).toBe('Failed');
    expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 128,
      reason: 'StartError',
    });
  });
});

describe('restarts', () => {
  it('leave containers alone and write nothing', async () => {
    await board.boot();
    await board.create('stay');
    await board.pass(300);
    const before = await board.runtime.listContainers();
    const { status } = await board.read('stay');
    await board.halt();
    const writes = () => board.client.calls.filter(({ resource }) => resource === 'pods').length;
    const written = writes();
    await board.boot();
    await board.pass(5000);
    expect(await board.runtime.listContainers()).toEqual(before);
    expect((await board.read('stay')).status).toEqual(status);
    expect(writes()).toBe(written);
  });

  it('of the board give every pod a new sandbox and new containers', async () => {
    await board.boot();
    await board.create('again');
    await board.pass(300);
    const { podIP } = (await board.read('again')).status ?? {};
    await board.halt();
    board.runtime.reboot();
    await board.boot();
    await board.pass(500);
    const { status } = await board.read('again');
    expect(status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, ready: true });
    expect(status?.podIP).not.toBe(podIP);
    expect(status?.podIPs).toEqual([{ ip: status?.podIP }]);
  });

  it('without an API server start the pods last known, and go on unchanged when it is back', async () => {
    await board.boot();
    await board.create('known', {
      volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
      containers: [
        {
          name: 'main',
          image: 'busybox',
          command: ['sleep', 'infinity'],
          volumeMounts: [{ name: 'token', mountPath: '/token' }],
        },
      ],
    });
    await board.pass(300);
    await board.halt();
    board.runtime.reboot();
    let away = true;
    const flaky = new Proxy(board.client, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (away) throw new Error('connection refused');
          return value.apply(target, args);
        };
      },
    }) as FakeClient;
    let asked = 0;
    const version = board.runtime.version.bind(board.runtime);
    board.runtime.version = () => {
      asked++;
      return version();
    };
    await board.boot(flaky);
    await board.pass(9000);
    const once = [asked, board.said.filter((line) => line.startsWith('the node is not registered')).length];
    const running = (await board.runtime.listContainers()).filter(({ state }) => state === 'running');
    expect(running.map(({ name }) => name)).toEqual(['main']);
    // Trying on for weeks starts no process and fills no log.
    expect(once).toEqual([1, 1]);
    away = false;
    await board.pass(60_000);
    const still = (await board.runtime.listContainers()).filter(({ state }) => state === 'running');
    expect(still.map(({ id }) => id)).toEqual(running.map(({ id }) => id));
    expect((await board.read('known')).status?.containerStatuses?.[0]?.containerID).toContain(running[0]?.id);
  });

  it('remove what the API no longer has', async () => {
    await mkdir(join(board.dir, 'data/pods/long-gone'), { recursive: true });
    await board.boot();
    await board.create('orphan');
    await board.pass(300);
    await board.halt();
    await board.client.delete(pods, at('orphan'), { gracePeriodSeconds: 0 });
    await board.boot();
    await board.pass(500);
    expect(await board.runtime.listContainers()).toEqual([]);
    expect(await board.runtime.listSandboxes()).toEqual([]);
    expect(await readdir(join(board.dir, 'data/pods'))).toEqual([]);
  });

  it('do not give a pod more time than its deadline', async () => {
    await board.boot();
    await board.create('late', { activeDeadlineSeconds: 30, terminationGracePeriodSeconds: 1 });
    await board.pass(25_000);
    await board.halt();
    await board.boot();
    await board.pass(8000);
    expect((await board.read('late')).status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });
});

describe('node API', () => {
  it("connects to a port of a pod's own address", async () => {
    const own = await FakeBoard.create({ addressPrefix: '127.9.9' });
    const server = createServer((socket) => socket.end('hello'));
    try {
      await own.boot();
      const { uid = '' } = (await own.create('web')).metadata;
      const pod = { name: 'web', namespace: 'default', uid };
      await expect(own.agent?.api.connectPod(pod, 80)).rejects.toThrow(/has no address yet|not found/);
      await own.pass(500);
      const podIP = (await own.read('web')).status?.podIP ?? '';
      await new Promise<void>((resolve) => server.listen(0, podIP, resolve));
      const { port } = server.address() as { port: number };
      expect(await text((await own.agent?.api.connectPod(pod, port)) ?? Readable.from([]))).toBe('hello');
      await new Promise((resolve) => server.close(resolve));
      await expect(own.agent?.api.connectPod(pod, port)).rejects.toThrow(
        `dial tcp ${podIP}:${port}: connect: connection refused`,
      );
    } finally {
      server.close();
      await own.close();
    }
  });

  const ref = async (name: string) => {
    const { uid = '' } = (await board.read(name)).metadata;
    return { name, namespace: 'default', uid };
  };
  const logs = async (name: string, extra: object = {}) =>
    text(
      (await board.agent?.api.logs({ pod: await ref(name), container: 'main', ...extra })) ??
        Readable.from([]),
    );

  it('gives the log of this run and of the one before', async () => {
    await board.boot();
    const command = ['sh', '-c', 'echo hello; sleep 5; exit 1'];
    await board.create('talk', { containers: [{ name: 'main', image: 'busybox', command }] });
    await board.pass(1000);
    expect(await logs('talk')).toBe('hello\n');
    await expect(logs('talk', { previous: true })).rejects.toMatchObject({
      message: 'previous terminated container "main" in pod "talk" not found',
    });
    await board.pass(6000);
    expect((await statusOf('talk'))?.restartCount).toBe(1);
    expect(await logs('talk', { previous: true })).toBe('hello\n');
    await expect(logs('talk', { container: 'none' })).rejects.toMatchObject({
      code: 400,
      message: 'container none is not valid for pod talk',
    });
  });

  it('attaches, with input where the container takes some', async () => {
    await board.boot();
    await board.create('run');
    await board.create('talks', {
      containers: [
        { name: 'main', image: 'busybox', stdin: true, stdinOnce: true, command: ['sleep', 'infinity'] },
      ],
    });
    const streams = { tty: false, stdin: true, stdout: true, stderr: true };
    await board.pass(2000);
    // Only a container that has an input gets one; the session ends well whatever the container ends with.
    for (const [name, hasInput] of [
      ['run', false],
      ['talks', true],
    ] as const) {
      const attached = await board.agent?.api.attach({
        pod: await ref(name),
        container: 'main',
        command: [],
        ...streams,
      });
      expect(attached?.stdin !== undefined).toBe(hasInput);
      const { uid } = await ref(name);
      const own = (await board.runtime.listContainers()).find(({ podUid }) => podUid === uid);
      board.runtime.exit(own?.id ?? '', 3);
      expect(await attached?.exit).toBe(0);
    }
  });

  it('says why there is no log yet, runs commands, and sums up', async () => {
    await board.boot();
    await board.create('wait', { containers: [{ name: 'main', image: 'absent:1' }] });
    await board.create('run');
    await board.pass(4000);
    await expect(logs('wait')).rejects.toThrow(
      'container "main" in pod "wait" is waiting to start: Back-off pulling image "absent:1"',
    );
    const request = { container: 'main', tty: false, stdin: false, stdout: true, stderr: true };
    const command = ['sh', '-c', 'echo hi'];
    const session = await board.agent?.api.exec({ pod: await ref('run'), command, ...request });
    expect(await text(session?.stdout ?? Readable.from([]))).toBe('hi\n');
    await expect(board.agent?.api.exec({ pod: await ref('wait'), command, ...request })).rejects.toThrow(
      'container not found ("main")',
    );
    expect(await board.agent?.api.statsSummary()).toMatchObject({
      node: { nodeName: 'board' },
      pods: expect.arrayContaining([
        expect.objectContaining({ podRef: await ref('run'), containers: [expect.anything()] }),
      ]),
    });
  });

  it('answers who asks for a container just after a start once it has seen what runs', async () => {
    await board.boot();
    await board.create('run');
    await board.pass(2000);
    await board.halt();
    const looked = Promise.withResolvers<void>();
    const list = board.runtime.listContainers.bind(board.runtime);
    board.runtime.listContainers = async () => {
      await looked.promise;
      return list();
    };
    await board.boot();
    const streams = { tty: false, stdin: false, stdout: true, stderr: true };
    const asked = board.agent?.api.exec({
      pod: await ref('run'),
      container: 'main',
      command: ['sh', '-c', 'echo hi'],
      ...streams,
    });
    await board.pass(1000);
    looked.resolve();
    await board.pass(1000);
    expect(await text((await asked)?.stdout ?? Readable.from([]))).toBe('hi\n');
  });

  it('serves what a kubelet serves to read', async () => {
    await board.boot();
    await board.create('run');
    await board.pass(2000);
    const read = async (path: string): Promise<unknown> => {
      const { contentType, text: body } = (await board.agent?.api.document(path)) ?? { text: '' };
      expect(contentType).toBe('application/json');
      return JSON.parse(body);
    };
    expect(await board.agent?.api.document('/healthz')).toMatchObject({ text: 'ok' });
    expect(await read('/pods/')).toMatchObject({ kind: 'PodList', items: [{ metadata: { name: 'run' } }] });
    expect(await read('/configz')).toMatchObject({ kubeletconfig: { clusterDNS: ['10.43.0.10'] } });
    expect(await read('/stats/summary')).toMatchObject({ node: { nodeName: 'board' } });
    for (const path of ['/', '/logs/', '/run/default/run/main', '/toString'])
      await expect(board.agent?.api.document(path)).rejects.toMatchObject({ code: 404 });
  });
});
