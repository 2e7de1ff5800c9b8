import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { daemonSetController } from './controller.ts';
import { nodeNameOf } from './plan.ts';

describe('daemonset controller', () => {
  let cluster: TestCluster;
  const ref = { namespace: 'default', name: 'log' };
  beforeEach(async () => {
    cluster = new TestCluster();
    for (const name of ['a', 'b', 'c']) await createNode(name);
    await cluster.start(daemonSetController);
    await cluster.client.create(resources.daemonSets, {
      metadata: ref,
      spec: {
        selector: { matchLabels: { app: 'log' } },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        template: {
          metadata: { labels: { app: 'log' } },
          spec: { containers: [{ name: 'main', image: 'log:1' }] },
        },
      },
    });
    await cluster.settle();
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });
  const createNode = (name: string, labels: Record<string, string> = {}) =>
    cluster.client.create(resources.nodes, { metadata: { name, labels }, spec: {} });
  const placed = async () => (await cluster.pods()).map(nodeNameOf).toSorted();
  const images = async () => (await cluster.pods()).map(({ spec }) => spec?.containers[0]?.image).toSorted();
  const patch = async (spec: object) => {
    await cluster.client.patch(resources.daemonSets, ref, { type: 'strategic', body: { spec } });
    await cluster.settle();
  };
  const bindAll = async () => {
    for (const pod of await cluster.pods()) {
      const { name = '', namespace } = pod.metadata;
      if (!pod.spec?.nodeName)
        await cluster.client.createSubresource(resources.pods, { name, namespace }, 'binding', {
          target: { name: nodeNameOf(pod) },
        });
    }
    await cluster.runPods();
  };

  it('labels pods with hash and number of the template, and revisions with why they came', async () => {
    const annotations = {
      'deprecated.daemonset.template.generation': '3',
      'kubernetes.io/change-cause': 'kubectl apply',
    };
    const template = { spec: { containers: [{ name: 'main', image: 'log:2' }] } };
    await cluster.client.patch(resources.daemonSets, ref, {
      type: 'strategic',
      body: { metadata: { annotations }, spec: { template } },
    });
    await createNode('d');
    await cluster.settle();
    const revisions = await cluster.list(resources.controllerRevisions);
    const newest = revisions.find(({ revision }) => revision === 2);
    expect(newest?.metadata.annotations).toEqual(annotations);
    const [pod] = (await cluster.pods()).filter((one) => nodeNameOf(one) === 'd');
    expect(pod?.metadata.labels).toEqual({
      app: 'log',
      'pod-template-generation': '3',
      'controller-revision-hash': newest?.metadata.labels?.['controller-revision-hash'],
    });
  });

  it('runs one pod on each node, those that come later too', async () => {
    expect(await placed()).toEqual(['a', 'b', 'c']);
    await createNode('d');
    await cluster.settle();
    expect(await placed()).toEqual(['a', 'b', 'c', 'd']);
    await bindAll();
    const { status } = await cluster.client.get(resources.daemonSets, ref);
    expect(status).toMatchObject({ desiredNumberScheduled: 4, numberMisscheduled: 0, numberReady: 4 });
    expect(status).not.toHaveProperty('numberUnavailable');
    const [pod] = await cluster.pods();
    expect(pod?.spec?.tolerations?.map(({ key }) => key)).toContain('node.kubernetes.io/unschedulable');
  });

  it('leaves nodes that it does not fit', async () => {
    await bindAll();
    const taints = [{ key: 'k', effect: 'NoExecute' }];
    await cluster.client.patch(resources.nodes, { name: 'a' }, { type: 'merge', body: { spec: { taints } } });
    await cluster.settle();
    await cluster.runPods();
    expect(await placed()).toEqual(['b', 'c']);
  });

  it('updates one node after the other', async () => {
    await bindAll();
    await patch({ template: { spec: { containers: [{ name: 'main', image: 'log:2' }] } } });
    const leaving = (await cluster.pods()).filter(({ metadata }) => metadata.deletionTimestamp);
    expect(leaving).toHaveLength(1);
    for (let i = 0; i < 8; i++) await bindAll();
    expect(await images()).toEqual(['log:2', 'log:2', 'log:2']);
    expect(await cluster.list(resources.controllerRevisions)).toHaveLength(2);
  });

  it('starts the new pod first when it may surge', async () => {
    await bindAll();
    await patch({
      updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { spec: { containers: [{ name: 'main', image: 'log:2' }] } },
    });
    expect(await images()).toEqual(['log:1', 'log:1', 'log:1', 'log:2']);
    for (let i = 0; i < 10; i++) await bindAll();
    expect(await images()).toEqual(['log:2', 'log:2', 'log:2']);
  });

  it('replaces a pod that failed', async () => {
    await bindAll();
    const [pod] = await cluster.pods();
    if (!pod) throw new Error('no pod');
    await cluster.setPodStatus(pod, { phase: 'Failed' });
    await cluster.settle();
    await cluster.runPods();
    await cluster.settle(3000);
    await bindAll();
    expect(await placed()).toEqual(['a', 'b', 'c']);
    expect((await cluster.events()).some((text) => text.startsWith('Warning FailedDaemonPod'))).toBe(true);
  });
});
