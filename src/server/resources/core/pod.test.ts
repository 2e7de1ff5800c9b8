import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindings, namespaces, podDisruptionBudgets, pods } from '../../../api/resources.gen.ts';
import type { ContainerStatus, Pod, PodSpec, PodStatus } from '../../../api/types.gen.ts';
import type { Client } from '../../../client/port.ts';
import type { ApiServer } from '../../api-server.ts';
import { startTestServer } from '../../test-server.fake.ts';
import { imageTag } from '../pod-template/defaults.ts';
import { podColumns } from './pod-columns.ts';
import { qosClass } from './pod-qos.ts';

const NOW_MS = Date.parse('2026-01-02T00:10:00Z');

function cells(
  spec: Partial<PodSpec>,
  status: PodStatus,
  metadata: Pod['metadata'] = { name: 'web' },
): string[] {
  const pod: Pod = { metadata, spec: { containers: [{ name: 'a' }], ...spec }, status };
  return podColumns.slice(1, 4).map((column) => String(column.cell(pod, NOW_MS)));
}

const running = (name: string, extra: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name,
  image: 'busybox',
  imageID: '',
  ready: true,
  started: true,
  restartCount: 0,
  state: { running: { startedAt: '2026-01-02T00:00:00Z' } },
  ...extra,
});
const sidecar = { name: 'log', restartPolicy: 'Always' };

describe('kubectl get pods', () => {
  it.each<[string, string[], string[]]>([
    ['running', cells({}, { phase: 'Running', containerStatuses: [running('a')] }), ['1/1', 'Running', '0']],
    [
      'waiting for its image',
      cells(
        {},
        {
          phase: 'Pending',
          containerStatuses: [
            running('a', { ready: false, state: { waiting: { reason: 'ImagePullBackOff' } } }),
          ],
        },
      ),
      ['0/1', 'ImagePullBackOff', '0'],
    ],
    [
      'restarted lately',
      cells(
        {},
        {
          phase: 'Running',
          containerStatuses: [
            running('a', {
              restartCount: 3,
              lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-02T00:05:00Z' } },
            }),
          ],
        },
      ),
      ['1/1', 'Running', '3 (5m ago)'],
    ],
    [
      'initializing',
      cells(
        { initContainers: [{ name: 'i' }, { name: 'j' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [
            running('i', { ready: true, state: { terminated: { exitCode: 0 } } }),
            running('j', { ready: false }),
          ],
        },
      ),
      ['0/1', 'Init:1/2', '0'],
    ],
    [
      'failed to initialize',
      cells(
        { initContainers: [{ name: 'i' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [running('i', { ready: false, state: { terminated: { exitCode: 3 } } })],
        },
      ),
      ['0/1', 'Init:ExitCode:3', '0'],
    ],
    [
      'with a sidecar',
      cells(
        { initContainers: [sidecar] },
        { phase: 'Running', initContainerStatuses: [running('log')], containerStatuses: [running('a')] },
      ),
      ['2/2', 'Running', '0'],
    ],
    [
      'killed by a signal',
      cells(
        {},
        {
          phase: 'Failed',
          containerStatuses: [
            running('a', { ready: false, state: { terminated: { exitCode: 137, signal: 9 } } }),
          ],
        },
      ),
      ['0/1', 'Signal:9', '0'],
    ],
    [
      'being deleted',
      cells(
        {},
        { phase: 'Running', containerStatuses: [running('a')] },
        { name: 'web', deletionTimestamp: '2026-01-02T00:10:00Z' },
      ),
      ['1/1', 'Terminating', '0'],
    ],
    [
      'finished and being deleted',
      cells({}, { phase: 'Succeeded' }, { name: 'web', deletionTimestamp: '2026-01-02T00:10:00Z' }),
      ['0/1', 'Succeeded', '0'],
    ],
    [
      'held by a gate',
      cells(
        {},
        {
          phase: 'Pending',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
        },
      ),
      ['0/1', 'SchedulingGated', '0'],
    ],
  ])('%s', (_, shown, expected) => {
    expect(shown).toEqual(expected);
  });
});

it.each([
  ['busybox', 'latest'],
  ['busybox:1.36', '1.36'],
  ['registry:5000/busybox', 'latest'],
  ['busybox@sha256:0000', ''],
])('tag of %s', (image, tag) => {
  expect(imageTag(image)).toBe(tag);
});

describe('class of service', () => {
  const of = (...resources: NonNullable<PodSpec['containers'][number]['resources']>[]): string =>
    qosClass({ containers: resources.map((one, at) => ({ name: `c${at}`, resources: one })) });
  const full = { cpu: '1', memory: '1Gi' };
  it.each([
    ['BestEffort', of({})],
    ['Burstable', of({ requests: { cpu: '100m' } })],
    ['Burstable', of({ limits: full, requests: full }, {})],
    ['Guaranteed', of({ limits: full, requests: { cpu: '1000m', memory: '1024Mi' } })],
  ])('%s', (expected, actual) => {
    expect(actual).toBe(expected);
  });
});

describe('a pod on the server', () => {
  let server: ApiServer;
  let client: Client;
  beforeAll(async () => {
    ({ server } = await startTestServer());
    client = server.client({ name: 'admin', groups: ['system:masters'] });
  });
  afterAll(() => server.close());
  let serial = 0;
  const create = (spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Promise<Pod> =>
    client.create(pods, {
      metadata: { name: `pod-${++serial}`, namespace: 'default', labels },
      spec: { containers: [{ name: 'a', image: 'busybox', resources: { limits: { cpu: '1' } } }], ...spec },
    });
  const bind = (pod: Pod, node: string): Promise<unknown> =>
    client.createSubresource(pods, { name: pod.metadata.name as string, namespace: 'default' }, 'binding', {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: pod.metadata.name as string },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    });
  const ref = (pod: Pod) => ({ name: pod.metadata.name as string, namespace: 'default' });

  it('gets its defaults', async () => {
    const pod = await create({
      hostNetwork: true,
      containers: [{ name: 'a', image: 'busybox', ports: [{ containerPort: 80 }] }],
    });
    expect(pod.spec).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      terminationGracePeriodSeconds: 30,
      enableServiceLinks: true,
      securityContext: {},
      containers: [
        {
          imagePullPolicy: 'Always',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
        },
      ],
    });
    expect(pod.status).toMatchObject({ phase: 'Pending', qosClass: 'BestEffort' });
  });

  it('asks for as much as its limits', async () => {
    expect((await create()).spec?.containers[0]?.resources).toEqual({
      limits: { cpu: '1' },
      requests: { cpu: '1' },
    });
  });

  it('lets go of its image, not of its command', async () => {
    const pod = await create();
    const other = structuredClone(pod);
    (other.spec as PodSpec).containers[0]!.image = 'busybox:2';
    const updated = await client.update(pods, other);
    expect(updated.metadata.generation).toBe(2);
    (updated.spec as PodSpec).containers[0]!.command = ['sh'];
    await expect(client.update(pods, structuredClone(updated))).rejects.toThrow(
      /pod updates may not change fields other than `spec.containers\[\*\].image`/,
    );
  });

  it('is bound once', async () => {
    const pod = await create();
    await bind(pod, 'node-1');
    const bound = await client.get(pods, ref(pod));
    expect(bound.spec?.nodeName).toBe('node-1');
    // Where it runs is not what somebody wanted of it.
    expect(bound.metadata.generation).toBe(1);
    expect(bound.status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
    await expect(bind(pod, 'node-2')).rejects.toMatchObject({
      status: {
        reason: 'Conflict',
        message: `Operation cannot be fulfilled on pods/binding "${pod.metadata.name}": pod ${pod.metadata.name} is already assigned to node "node-1"`,
      },
    });
  });

  it('is bound the old way, too', async () => {
    const pod = await create();
    const { name = '' } = pod.metadata;
    await client.create(bindings, {
      metadata: { name, namespace: 'default' },
      target: { kind: 'Node', name: 'node-3' },
    });
    expect((await client.get(pods, ref(pod))).spec?.nodeName).toBe('node-3');
  });

  it('takes no ephemeral containers at its birth', async () => {
    await expect(create({ ephemeralContainers: [{ name: 'debug', image: 'busybox' }] })).rejects.toThrow(
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    );
  });

  it('takes debug containers later, and keeps them as they are', async () => {
    const pod = await create();
    const debug = { name: 'debug', image: 'busybox:1' };
    const body = { ...pod, spec: { ...(pod.spec as PodSpec), ephemeralContainers: [debug] } };
    const with1 = await client.update(pods, body, { subresource: 'ephemeralcontainers' });
    expect(with1.spec?.ephemeralContainers).toMatchObject([
      { name: 'debug', imagePullPolicy: 'IfNotPresent' },
    ]);
    const without = { ...with1, spec: { ...(with1.spec as PodSpec), ephemeralContainers: [] } };
    await expect(client.update(pods, without, { subresource: 'ephemeralcontainers' })).rejects.toThrow(
      /existing ephemeral containers "debug" may not be removed/,
    );
  });

  it('changes its resources through resize, not its class of service', async () => {
    const pod = await create({
      containers: [
        { name: 'a', image: 'busybox', resources: { requests: { cpu: '1' }, limits: { cpu: '2' } } },
      ],
    });
    const resize = (resources: object): Promise<Pod> => {
      const [first] = (pod.spec as PodSpec).containers;
      const spec = { ...(pod.spec as PodSpec), containers: [{ ...first!, resources }] };
      return client.update(pods, { ...pod, metadata: { ...ref(pod) }, spec }, { subresource: 'resize' });
    };
    const bigger = await resize({ requests: { cpu: '2' }, limits: { cpu: '3' } });
    expect(bigger.spec?.containers[0]?.resources).toEqual({ requests: { cpu: '2' }, limits: { cpu: '3' } });
    await expect(resize({})).rejects.toThrow(/Pod QOS Class may not change as a result of resizing/);
  });

  it('waits behind its gates', async () => {
    const pod = await create({ schedulingGates: [{ name: 'example.com/wait' }] });
    expect(pod.status?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' },
    ]);
    await expect(bind(pod, 'node-1')).rejects.toThrow(/has non-empty .spec.schedulingGates/);
    const free = structuredClone(pod);
    (free.spec as PodSpec).schedulingGates = [];
    (free.spec as PodSpec).nodeSelector = { disk: 'ssd' };
    expect((await client.update(pods, free)).spec?.nodeSelector).toEqual({ disk: 'ssd' });
  });

  it('goes at once while nowhere, and gracefully from a node', async () => {
    const pod = await create();
    await client.delete(pods, ref(pod));
    await expect(client.get(pods, ref(pod))).rejects.toMatchObject({ code: 404 });
    const placed = await create();
    await bind(placed, 'node-1');
    await client.delete(pods, ref(placed));
    const dying = await client.get(pods, ref(placed));
    expect(dying.metadata.deletionGracePeriodSeconds).toBe(30);
    await client.delete(pods, ref(placed), { gracePeriodSeconds: 0 });
    await expect(client.get(pods, ref(placed))).rejects.toMatchObject({ code: 404 });
  });

  it('is evicted only within its budget', async () => {
    const labels = { app: 'guarded' };
    const pod = await create({}, labels);
    await client.update(
      pods,
      {
        ...pod,
        status: { ...pod.status, phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      },
      { subresource: 'status' },
    );
    const budget = await client.create(podDisruptionBudgets, {
      metadata: { name: 'budget', namespace: 'default' },
      spec: { minAvailable: 1, selector: { matchLabels: labels } },
    });
    const evict = (deleteOptions?: { dryRun: string[] }): Promise<unknown> =>
      client.createSubresource(pods, ref(pod), 'eviction', {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: ref(pod),
        ...(deleteOptions && { deleteOptions }),
      });
    const allow = async (disruptionsAllowed: number): Promise<void> => {
      const now = await client.get(podDisruptionBudgets, { name: 'budget', namespace: 'default' });
      const status = {
        observedGeneration: budget.metadata.generation as number,
        disruptionsAllowed,
        currentHealthy: 1,
        desiredHealthy: 1,
        expectedPods: 1,
      };
      await client.update(podDisruptionBudgets, { ...now, status }, { subresource: 'status' });
    };
    await expect(evict()).rejects.toMatchObject({
      status: {
        code: 429,
        details: {
          causes: [
            {
              reason: 'DisruptionBudget',
              message: 'The disruption budget budget is still being processed by the server.',
            },
          ],
        },
      },
    });
    await allow(0);
    await expect(evict()).rejects.toMatchObject({
      status: {
        message: "Cannot evict pod as it would violate the pod's disruption budget.",
        details: {
          causes: [{ message: 'The disruption budget budget needs 1 healthy pods and has 1 currently' }],
        },
      },
    });
    await allow(1);
    // `kubectl drain --dry-run=server` asks in the body.
    await evict({ dryRun: ['All'] });
    await expect(evict({ dryRun: ['Some'] })).rejects.toMatchObject({ code: 422 });
    expect((await client.get(pods, ref(pod))).metadata.deletionTimestamp).toBeUndefined();
    await evict();
    await expect(client.get(pods, ref(pod))).rejects.toMatchObject({ code: 404 });
    const spent = await client.get(podDisruptionBudgets, { name: 'budget', namespace: 'default' });
    expect(spent.status).toMatchObject({
      disruptionsAllowed: 0,
      disruptedPods: { [pod.metadata.name as string]: expect.any(String) },
    });
  });

  it('keeps its namespace until the finalizer is gone', async () => {
    await client.create(namespaces, { metadata: { name: 'short-lived' } });
    await client.delete(namespaces, { name: 'short-lived' });
    const dying = await client.get(namespaces, { name: 'short-lived' });
    expect(dying).toMatchObject({ status: { phase: 'Terminating' }, spec: { finalizers: ['kubernetes'] } });
    await client.update(namespaces, { ...dying, spec: { finalizers: [] } }, { subresource: 'finalize' });
    await expect(client.get(namespaces, { name: 'short-lived' })).rejects.toMatchObject({ code: 404 });
  });
});
