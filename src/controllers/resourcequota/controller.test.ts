import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { Pod, ResourceQuotaSpec } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { resourceQuotaController } from './controller.ts';
import { countedResource, planQuotaStatus } from './plan.ts';

const pod = (name: string, cpu: string, more: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'main', resources: { requests: { cpu } } }], ...more },
});

describe('resource quota controller', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.start(resourceQuotaController);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });
  const create = (name: string, spec: ResourceQuotaSpec) =>
    cluster.client.create(resources.resourceQuotas, { metadata: { name, namespace: 'default' }, spec });
  const status = async (name = 'quota') => {
    await cluster.settle(1000);
    return (await cluster.client.get(resources.resourceQuotas, { namespace: 'default', name })).status;
  };

  it('says what is used of what is allowed, as things come, end and go', async () => {
    const hard = { pods: '3', 'requests.cpu': '2', 'count/deployments.apps': '1', secrets: '5' };
    await create('quota', { hard });
    expect(await status()).toEqual({
      hard,
      used: { pods: '0', 'requests.cpu': '0', 'count/deployments.apps': '0', secrets: '0' },
    });
    const { client } = cluster;
    const one = await client.create(resources.pods, pod('one', '500m'));
    await client.create(resources.pods, pod('two', '700m'));
    await client.create(resources.secrets, { metadata: { name: 's', namespace: 'default' } });
    await client.create(resources.secrets, { metadata: { name: 's', namespace: 'kube-system' } });
    expect((await status())?.used).toMatchObject({ pods: '2', 'requests.cpu': '1200m', secrets: '1' });
    await cluster.setPodStatus(one, { phase: 'Succeeded' });
    await client.delete(resources.secrets, { name: 's', namespace: 'default' });
    expect((await status())?.used).toMatchObject({ pods: '1', 'requests.cpu': '700m', secrets: '0' });
    const quota = await client.get(resources.resourceQuotas, { namespace: 'default', name: 'quota' });
    await client.update(resources.resourceQuotas, { ...quota, spec: { hard: { pods: '9' } } });
    expect(await status()).toEqual({ hard: { pods: '9' }, used: { pods: '1' } });
  });

  it('writes once for a burst, and nothing where nothing it counts changed', async () => {
    await create('quota', { hard: { pods: '10' } });
    await status();
    const version = async () =>
      (await cluster.client.get(resources.resourceQuotas, { namespace: 'default', name: 'quota' })).metadata
        .resourceVersion;
    const writes: (string | undefined)[] = [await version()];
    for (let at = 0; at < 4; at++) {
      await cluster.client.create(resources.pods, pod(`pod-${at}`, '1'));
      await cluster.settle(60);
      if (!writes.includes(await version())) writes.push(await version());
    }
    expect(writes).toHaveLength(1);
    expect((await status())?.used).toEqual({ pods: '4' });
    const before = await version();
    await cluster.runPods();
    await cluster.settle(2000);
    expect(await version()).toBe(before);
  });
});

describe('what a quota counts', () => {
  it('is told by its name', () => {
    const told = (name: string) => {
      const found = countedResource(name);
      return found && `${found.resource}.${found.group}`;
    };
    expect(told('count/ingresses.networking.k8s.io')).toBe('ingresses.networking.k8s.io');
    expect(told('limits.memory')).toBe('pods.');
    expect(told('requests.storage')).toBe('persistentvolumeclaims.');
    expect(told('fast.storageclass.storage.k8s.io/requests.storage')).toBe('persistentvolumeclaims.');
    expect(told('services.nodeports')).toBe('services.');
    expect(told('example.com/nobody')).toBeUndefined();
  });

  it('follows scopes, and keeps the number of what cannot be seen', () => {
    const quota = {
      metadata: { name: 'q' },
      spec: { hard: { pods: '5', 'count/gadgets.example.com': '1' }, scopes: ['Terminating'] },
      status: { used: { 'count/gadgets.example.com': '7' } },
    };
    const pods = [pod('a', '1'), pod('b', '1', { activeDeadlineSeconds: 5 })];
    expect(planQuotaStatus(quota, ({ resource }) => (resource === 'pods' ? pods : undefined))).toEqual({
      hard: quota.spec.hard,
      used: { pods: '1', 'count/gadgets.example.com': '7' },
    });
  });
});
