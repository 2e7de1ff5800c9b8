import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { StatefulSetSpec } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { statefulSetController } from './controller.ts';

describe('statefulset controller', () => {
  let cluster: TestCluster;
  const ref = { namespace: 'default', name: 'db' };
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.start(statefulSetController);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });
  const create = async (spec: Partial<StatefulSetSpec> = {}) => {
    await cluster.client.create(resources.statefulSets, {
      metadata: ref,
      spec: {
        replicas: 3,
        serviceName: 'db',
        selector: { matchLabels: { app: 'db' } },
        updateStrategy: { type: 'RollingUpdate' },
        template: {
          metadata: { labels: { app: 'db' } },
          spec: { containers: [{ name: 'main', image: 'db:1' }] },
        },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
        ...spec,
      },
    });
    await cluster.settle();
  };
  const names = async () => (await cluster.pods()).map(({ metadata }) => metadata.name);
  const images = async () => (await cluster.pods()).map(({ spec }) => spec?.containers[0]?.image);
  const patch = async (spec: object) => {
    await cluster.client.patch(resources.statefulSets, ref, { type: 'strategic', body: { spec } });
    await cluster.settle();
  };
  const image = (version: string) => ({
    template: { spec: { containers: [{ name: 'main', image: version }] } },
  });

  it('creates in order, each when the one before is ready, with its volume', async () => {
    await create();
    expect(await names()).toEqual(['db-0']);
    await cluster.runPods();
    expect(await names()).toEqual(['db-0', 'db-1']);
    await cluster.runPods();
    await cluster.runPods();
    expect(await names()).toEqual(['db-0', 'db-1', 'db-2']);
    const [pod] = await cluster.pods();
    expect(pod?.spec).toMatchObject({
      hostname: 'db-0',
      subdomain: 'db',
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } }],
    });
    expect(await cluster.list(resources.persistentVolumeClaims)).toHaveLength(3);
    const { status } = await cluster.client.get(resources.statefulSets, ref);
    expect(status).toMatchObject({ replicas: 3, readyReplicas: 3, updatedReplicas: 3 });
    expect(status?.currentRevision).toBe(status?.updateRevision);
  });

  it('creates all at once when told so', async () => {
    await create({ podManagementPolicy: 'Parallel' });
    expect(await names()).toEqual(['db-0', 'db-1', 'db-2']);
  });

  it('scales down from the top and keeps the volumes', async () => {
    await create({ podManagementPolicy: 'Parallel' });
    await cluster.runPods();
    await patch({ replicas: 1, podManagementPolicy: 'OrderedReady' });
    const leaving = (await cluster.pods()).filter(({ metadata }) => metadata.deletionTimestamp);
    expect(leaving.map(({ metadata }) => metadata.name)).toEqual(['db-2']);
    await cluster.runPods();
    await cluster.runPods();
    expect(await names()).toEqual(['db-0']);
    expect(await cluster.list(resources.persistentVolumeClaims)).toHaveLength(3);
  });

  it('waits for pods that are not ready when it scales down in order', async () => {
    await create({ podManagementPolicy: 'Parallel' });
    await cluster.runPods();
    await patch({ podManagementPolicy: 'OrderedReady' });
    for (const pod of await cluster.pods()) {
      const conditions = [{ ...cluster.readyCondition(), status: 'False' }];
      await cluster.setPodStatus(pod, { phase: 'Running', conditions });
    }
    await patch({ replicas: 0 });
    const leaving = async () =>
      (await cluster.pods()).flatMap(({ metadata }) => (metadata.deletionTimestamp ? [metadata.name] : []));
    expect(await leaving()).toEqual([]);
    const ready = async (name: string) => {
      const pod = (await cluster.pods()).find(({ metadata }) => metadata.name === name);
      await cluster.setPodStatus(pod!, { phase: 'Running', conditions: [cluster.readyCondition()] });
      await cluster.settle();
    };
    await ready('db-2');
    expect(await leaving()).toEqual(['db-2']);
  });

  it('updates from the top down to the partition', async () => {
    await create({ podManagementPolicy: 'Parallel' });
    await cluster.runPods();
    await patch({
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
      ...image('db:2'),
    });
    for (let i = 0; i < 8; i++) await cluster.runPods();
    expect(await images()).toEqual(['db:1', 'db:2', 'db:2']);
    await patch({ updateStrategy: { rollingUpdate: { partition: 0 } } });
    for (let i = 0; i < 4; i++) await cluster.runPods();
    expect(await images()).toEqual(['db:2', 'db:2', 'db:2']);
    const revisions = await cluster.list(resources.controllerRevisions);
    expect(revisions.map(({ revision }) => revision).toSorted()).toEqual([1, 2]);
  });

  it('tells with a revision why it came and what its hash is', async () => {
    await create({});
    const { metadata } = await cluster.client.get(resources.statefulSets, ref);
    const change = { 'kubernetes.io/change-cause': 'kubectl set image' };
    await cluster.client.patch(resources.statefulSets, ref, {
      type: 'merge',
      body: { metadata: { annotations: change }, spec: image('db:2') },
    });
    await cluster.settle();
    const revisions = await cluster.list(resources.controllerRevisions);
    const [first, second] = revisions.toSorted((a, b) => a.revision - b.revision);
    expect([first?.metadata.annotations, second?.metadata.annotations]).toEqual([
      metadata.annotations,
      change,
    ]);
    const hash = second?.metadata.labels?.['controller.kubernetes.io/hash'];
    expect(second?.metadata.name).toBe(`db-${hash}`);
  });

  it('restarts a failed pod under its name', async () => {
    await create({ replicas: 1 });
    const [pod] = await cluster.pods();
    if (!pod) throw new Error('no pod');
    await cluster.setPodStatus(pod, { phase: 'Failed' });
    await cluster.settle(2000);
    const [again] = await cluster.pods();
    expect(again?.metadata.name).toBe('db-0');
    expect(again?.metadata.uid).not.toBe(pod.metadata.uid);
  });
});
