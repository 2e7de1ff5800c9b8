import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { Deployment, DeploymentSpec, ReplicaSet } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { replicaSetController } from '../replicaset/controller.ts';
import { deploymentController } from './controller.ts';

const deployment = (spec: Partial<DeploymentSpec> = {}): Deployment => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 3,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    selector: { matchLabels: { app: 'web' } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'web:1' }] },
    },
    ...spec,
  },
});

describe('deployment controller', () => {
  let cluster: TestCluster;
  const ref = { namespace: 'default', name: 'web' };
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.start(deploymentController, replicaSetController);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });

  const create = async (spec?: Partial<DeploymentSpec>) => {
    await cluster.client.create(resources.deployments, deployment(spec));
    await cluster.settle();
  };
  const read = () => cluster.client.get(resources.deployments, ref);
  const sets = () => cluster.list(resources.replicaSets);
  const change = async (spec: object) => {
    await cluster.client.patch(resources.deployments, ref, { type: 'strategic', body: { spec } });
    await cluster.settle();
  };
  const image = (version: string) => ({
    template: { spec: { containers: [{ name: 'main', image: version }] } },
  });
  const sizes = async () =>
    Object.fromEntries(
      (await sets()).map((set: ReplicaSet) => [
        set.spec?.template?.spec?.containers[0]?.image,
        set.spec?.replicas,
      ]),
    );
  const progressing = async () =>
    (await read()).status?.conditions?.find(({ type }) => type === 'Progressing');

  it('creates a ReplicaSet and reports success', async () => {
    await create();
    expect(await sets()).toHaveLength(1);
    const [set] = await sets();
    const hash = set?.metadata.labels?.['pod-template-hash'] ?? '';
    expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/);
    expect(set?.metadata.name).toBe(`web-${hash}`);
    expect(set?.spec?.selector?.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash });
    expect((await cluster.pods()).map(({ metadata }) => metadata.labels)).toEqual(
      Array(3).fill({ app: 'web', 'pod-template-hash': hash }),
    );
    await cluster.runPods();
    const { metadata, status } = await read();
    expect([metadata.generation, status?.unavailableReplicas]).toEqual([1, undefined]);
    expect(status).toMatchObject({
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
        {
          type: 'Progressing',
          status: 'True',
          reason: 'NewReplicaSetAvailable',
          message: `ReplicaSet "web-${hash}" has successfully progressed.`,
        },
      ],
    });
    expect(await cluster.events()).toContain(
      `Normal ScalingReplicaSet Scaled up replica set web-${hash} from 0 to 3`,
    );
  });

  it('rolls a new template out step by step and keeps the old set for undo', async () => {
    await create();
    await cluster.runPods();
    await change(image('web:2'));
    expect(await sizes()).toEqual({ 'web:1': 3, 'web:2': 1 });
    await cluster.runPods();
    expect(await sizes()).toEqual({ 'web:1': 2, 'web:2': 2 });
    for (let i = 0; i < 4; i++) await cluster.runPods();
    expect(await sizes()).toEqual({ 'web:1': 0, 'web:2': 3 });
    expect((await read()).metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2');
    await change(image('web:1'));
    for (let i = 0; i < 5; i++) await cluster.runPods();
    expect(await sizes()).toEqual({ 'web:1': 3, 'web:2': 0 });
    const first = (await sets()).find(({ spec }) => spec?.replicas === 3);
    expect(first?.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    });
    expect((await progressing())?.reason).toBe('NewReplicaSetAvailable');
  });

  it('waits for the last old pod with Recreate', async () => {
    await create({ strategy: { type: 'Recreate' } });
    await cluster.runPods();
    await change(image('web:2'));
    expect(await sizes()).toEqual({ 'web:1': 0 });
    expect(await cluster.pods()).toHaveLength(3);
    await cluster.runPods();
    expect(await sizes()).toEqual({ 'web:1': 0, 'web:2': 3 });
  });

  it('gives up at the deadline, and recovers', async () => {
    await create();
    await cluster.settle(590_000);
    expect((await progressing())?.reason).not.toBe('ProgressDeadlineExceeded');
    await cluster.settle(20_000);
    expect(await progressing()).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    await cluster.runPods();
    expect((await progressing())?.reason).toBe('NewReplicaSetAvailable');
  });

  it('does not roll out while paused, but scales', async () => {
    await create();
    await cluster.runPods();
    await change({ paused: true, ...image('web:2') });
    expect(await progressing()).toMatchObject({ status: 'Unknown', reason: 'DeploymentPaused' });
    await change({ replicas: 5 });
    expect(await sizes()).toEqual({ 'web:1': 5 });
    await change({ paused: false });
    expect(await sizes()).toEqual({ 'web:1': 5, 'web:2': 1 });
  });

  it('trims history to its limit', async () => {
    await create({ revisionHistoryLimit: 1 });
    await cluster.runPods();
    for (const version of ['web:2', 'web:3', 'web:4']) {
      await change(image(version));
      for (let i = 0; i < 5; i++) await cluster.runPods();
    }
    expect(await sizes()).toEqual({ 'web:3': 0, 'web:4': 3 });
  });

  it('counts revisions as 64-bit integers', async () => {
    await create();
    const [first] = await sets();
    const annotations = { 'deployment.kubernetes.io/revision': '3546343826724305832' };
    await cluster.client.patch(
      resources.replicaSets,
      { namespace: 'default', name: first?.metadata.name ?? '' },
      { type: 'merge', body: { metadata: { annotations } } },
    );
    await change(image('web:2'));
    expect((await read()).metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '3546343826724305833',
    });
  });

  it('takes another hash when the name belongs to something else', async () => {
    await create();
    const [first] = await sets();
    const { name = '' } = first?.metadata ?? {};
    await cluster.client.delete(resources.deployments, ref);
    await cluster.client.delete(resources.replicaSets, { namespace: 'default', name });
    await cluster.settle();
    await cluster.client.create(resources.replicaSets, { metadata: { namespace: 'default', name } });
    await create();
    await cluster.settle(1000);
    expect((await read()).status?.collisionCount).toBe(1);
    expect(await sets()).toHaveLength(2);
    cluster.warnings.length = 0;
  });
});
