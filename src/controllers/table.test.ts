import { describe, expect, it } from 'vitest';
import * as resources from '../api/resources.gen.ts';
import { TestCluster } from './framework/test-cluster.fake.ts';
import { CONTROLLERS } from './table.ts';

describe('all controllers together', () => {
  it('furnish a namespace, run a Deployment under a budget, and clear everything away again', async () => {
    const cluster = new TestCluster();
    const { client } = cluster;
    await cluster.start(...CONTROLLERS);
    await client.create(resources.nodes, {
      metadata: { name: 'board-1' },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    await client.create(resources.namespaces, {
      metadata: { name: 'shop' },
      spec: { finalizers: ['kubernetes'] },
    });
    await cluster.settle();
    expect((await cluster.list(resources.serviceAccounts, 'shop'))[0]?.metadata.name).toBe('default');
    const [ca] = await cluster.list(resources.configMaps, 'shop');
    expect(ca?.data).toEqual({ 'ca.crt': 'PEM' });
    await client.create(resources.secrets, {
      metadata: {
        ...{ name: 'token', namespace: 'shop' },
        annotations: { 'kubernetes.io/service-account.name': 'default' },
      },
      type: 'kubernetes.io/service-account-token',
    });
    await client.create(resources.deployments, {
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [] } },
      },
    });
    await client.create(resources.podDisruptionBudgets, {
      metadata: { name: 'web', namespace: 'shop' },
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
    });
    await cluster.settle();
    await cluster.runPods('shop');
    const [budget] = await cluster.list(resources.podDisruptionBudgets, 'shop');
    expect(budget?.status).toMatchObject({
      ...{ expectedPods: 2, currentHealthy: 2, desiredHealthy: 1, disruptionsAllowed: 1 },
      conditions: [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }],
    });
    const [secret] = await cluster.list(resources.secrets, 'shop');
    expect(Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString()).toBe('token-of-default');
    await client.delete(resources.namespaces, { name: 'shop' });
    await cluster.settle();
    expect((await client.get(resources.namespaces, { name: 'shop' })).status?.conditions).toContainEqual(
      expect.objectContaining({
        type: 'NamespaceContentRemaining',
        status: 'True',
        message: 'Some resources are remaining: pods. has 2 resource instances',
      }),
    );
    await cluster.runPods('shop');
    await cluster.settle(60_000);
    expect(await cluster.list(resources.namespaces)).toEqual([]);
    expect(await cluster.pods('shop')).toEqual([]);
    await cluster.stop();
  });

  it('aggregates roles', async () => {
    const cluster = new TestCluster();
    await cluster.start(...CONTROLLERS);
    const rule = { verbs: ['get'], resources: ['gadgets'], apiGroups: ['example.com'] };
    await cluster.client.create(resources.clusterRoles, {
      metadata: { name: 'view' },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { into: 'view' } }] },
    });
    await cluster.client.create(resources.clusterRoles, {
      metadata: { name: 'gadgets', labels: { into: 'view' } },
      rules: [rule],
    });
    await cluster.settle();
    expect((await cluster.client.get(resources.clusterRoles, { name: 'view' })).rules).toEqual([rule]);
    await cluster.stop();
  });
});
