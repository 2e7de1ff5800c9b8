import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { Pod, Toleration } from '../../api/types.gen.ts';
import { rfc3339Micro } from '../../lib/clock.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { nodeLifecycleController, taintEvictionController } from './controller.ts';
import { evictionDelayMs, planTaints } from './plan.ts';

describe('node lifecycle', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.client.create(resources.nodes, { metadata: { name: 'board' }, spec: {} });
    const node = await cluster.client.get(resources.nodes, { name: 'board' });
    await cluster.client.update(
      resources.nodes,
      { ...node, status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: 'once' }] } },
      { subresource: 'status' },
    );
    await cluster.client.create(resources.leases, {
      metadata: { namespace: 'kube-node-lease', name: 'board' },
      spec: { renewTime: 'first' },
    });
    await cluster.start(nodeLifecycleController, taintEvictionController);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });

  const node = () => cluster.client.get(resources.nodes, { name: 'board' });
  const renew = async () => {
    await cluster.client.patch(
      resources.leases,
      { namespace: 'kube-node-lease', name: 'board' },
      { type: 'merge', body: { spec: { renewTime: rfc3339Micro(cluster.clock.monotonicMs()) } } },
    );
  };
  const isReady = async () => (await node()).status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const taints = async () => ((await node()).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
  const createPod = async (name: string, tolerations: Toleration[]): Promise<void> => {
    const pod: Pod = {
      metadata: { name, namespace: 'default' },
      spec: { nodeName: 'board', tolerations, containers: [] },
    };
    const created = await cluster.client.create(resources.pods, pod);
    await cluster.setPodStatus(created, { phase: 'Running', conditions: [cluster.readyCondition()] });
  };

  it('marks a silent node unreachable after 40 s and forgives it when it speaks', async () => {
    await createPod('a', [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists' }]);
    await cluster.settle(30_000);
    await renew();
    await cluster.settle(39_000);
    expect(await isReady()).toBe('True');
    await cluster.settle(2_000);
    expect(await isReady()).toBe('Unknown');
    expect(await taints()).toEqual([
      'node.kubernetes.io/unreachable:NoSchedule',
      'node.kubernetes.io/unreachable:NoExecute',
    ]);
    const [pod] = await cluster.pods();
    expect(pod?.status?.conditions?.[0]).toMatchObject({ type: 'Ready', status: 'False' });
    expect(await cluster.events()).toContain('Normal NodeNotReady Node board status is now: NodeNotReady');
    const silent = await node();
    await cluster.client.update(
      resources.nodes,
      { ...silent, status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: 'again' }] } },
      { subresource: 'status' },
    );
    await cluster.settle();
    expect(await taints()).toEqual([]);
  });

  it('evicts nobody when the clock jumps', async () => {
    await createPod('a', []);
    cluster.clock.jump(365 * 86_400_000);
    await renew();
    await cluster.settle(30_000);
    expect(await isReady()).toBe('True');
    expect(await cluster.pods()).toHaveLength(1);
  });

  it('evicts by tolerationSeconds', async () => {
    const tolerate = (tolerationSeconds: number) => [
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds },
    ];
    await createPod('soon', tolerate(60));
    await createPod('later', tolerate(300));
    await cluster.settle(42_000);
    const leaving = async () =>
      (await cluster.pods())
        .filter(({ metadata }) => metadata.deletionTimestamp)
        .map(({ metadata }) => metadata.name);
    expect(await leaving()).toEqual([]);
    await cluster.settle(70_000);
    expect(await leaving()).toEqual(['soon']);
    const soon = (await cluster.pods()).find(({ metadata }) => metadata.name === 'soon');
    expect(soon?.status?.conditions?.at(-1)).toMatchObject({
      type: 'DisruptionTarget',
      reason: 'DeletionByTaintManager',
    });
    await cluster.settle(250_000);
    expect(await leaving()).toEqual(['later', 'soon']);
  });

  it('sleeps while nodes renew their leases', async () => {
    await cluster.settle(1000);
    const before = cluster.client.calls.length;
    for (let i = 0; i < 30; i++) {
      await renew();
      await cluster.settle(10_000);
    }
    expect(cluster.client.calls.length - before).toBe(30);
  });

  it('taints by condition and leaves the taints of others', () => {
    const mine = { key: 'example.com/mine', effect: 'NoExecute' };
    const tainted = planTaints(
      {
        metadata: { name: 'n' },
        spec: {
          unschedulable: true,
          taints: [mine, { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }],
        },
        status: {
          conditions: [
            { type: 'Ready', status: 'True' },
            { type: 'DiskPressure', status: 'True' },
          ],
        },
      },
      'now',
    );
    expect(tainted?.map(({ key }) => key)).toEqual([
      'example.com/mine',
      'node.kubernetes.io/disk-pressure',
      'node.kubernetes.io/unschedulable',
    ]);
  });

  it.each([
    [[{ operator: 'Exists' }], undefined],
    [[], 0],
    [[{ key: 'k', operator: 'Equal', value: 'v' }], undefined],
    [[{ key: 'k', operator: 'Equal', value: 'other' }], 0],
    [[{ key: 'k', operator: 'Exists', tolerationSeconds: 5 }], 5000],
    [[{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }], 0],
  ])('tolerations %j leave %j ms', (tolerations, delayMs) => {
    const pod = { metadata: {}, spec: { containers: [], tolerations } };
    expect(evictionDelayMs(pod, [{ key: 'k', value: 'v', effect: 'NoExecute' }])).toBe(delayMs);
  });
});
