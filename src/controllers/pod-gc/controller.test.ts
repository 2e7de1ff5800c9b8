import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { planTerminated, podGCController } from './controller.ts';

describe('pod garbage collector', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.client.create(resources.nodes, { metadata: { name: 'board' } });
    await cluster.start(podGCController);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });
  const create = (name: string, nodeName?: string) =>
    cluster.client.create(resources.pods, {
      metadata: { name, namespace: 'default' },
      spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
    });

  it('removes pods of a node that is gone, after a while', async () => {
    await create('a', 'board');
    await cluster.client.delete(resources.nodes, { name: 'board' });
    await cluster.settle(30_000);
    expect(await cluster.pods()).toHaveLength(1);
    await cluster.settle(15_000);
    expect(await cluster.pods()).toHaveLength(0);
  });

  it('keeps them when the node comes back in time', async () => {
    await create('a', 'board');
    await cluster.client.delete(resources.nodes, { name: 'board' });
    await cluster.settle(30_000);
    await cluster.client.create(resources.nodes, { metadata: { name: 'board' } });
    await cluster.settle(60_000);
    expect(await cluster.pods()).toHaveLength(1);
  });

  it('removes a pod that leaves without ever having been scheduled', async () => {
    const pod = await create('a');
    await cluster.client.update(resources.pods, {
      ...pod,
      metadata: { ...pod.metadata, finalizers: ['example.com/x'] },
    });
    await cluster.client.delete(resources.pods, { namespace: 'default', name: 'a' });
    await cluster.settle();
    expect((await cluster.pods())[0]?.status?.phase).toBe('Failed');
    expect(cluster.client.calls.filter(({ verb }) => verb === 'delete').length).toBeGreaterThan(1);
  });

  it('chooses the oldest finished pods above the threshold', () => {
    const pods = [3, 1, 2].map((second) => ({
      metadata: { name: `p${second}`, creationTimestamp: `2026-01-01T00:00:0${second}Z` },
      status: { phase: second === 2 ? 'Running' : 'Failed' },
    }));
    expect(planTerminated(pods, 1).map(({ metadata }) => metadata.name)).toEqual(['p1']);
    expect(planTerminated(pods, 2)).toEqual([]);
  });
});
