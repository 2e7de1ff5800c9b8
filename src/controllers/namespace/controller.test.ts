import { afterEach, beforeEach, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { namespaceController } from './controller.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = new TestCluster([resources.configMaps, resources.pods, resources.secrets]);
  await cluster.start(namespaceController);
});
afterEach(async () => {
  await cluster.stop();
  expect(cluster.warnings).toEqual([]);
});

it('lets nothing else go before the last pod of a namespace is gone', async () => {
  const { client } = cluster;
  const ref = { namespace: 'old', name: 'held' };
  await client.create(resources.namespaces, {
    metadata: { name: 'old' },
    spec: { finalizers: ['kubernetes'] },
  });
  const metadata = { ...ref, finalizers: ['test/hold'] };
  await client.create(resources.pods, { metadata, spec: { containers: [{ name: 'main', image: 'x' }] } });
  await client.create(resources.configMaps, { metadata: { namespace: 'old', name: 'later' } });
  await client.delete(resources.namespaces, { name: 'old' });
  await cluster.settle(5000);
  expect(await cluster.list(resources.configMaps, 'old')).toHaveLength(1);
  const [pod] = await cluster.pods('old');
  expect(pod?.metadata.deletionTimestamp).toBeDefined();
  const { status } = await client.get(resources.namespaces, { name: 'old' });
  expect(status?.conditions).toContainEqual(
    expect.objectContaining({
      type: 'NamespaceContentRemaining',
      status: 'True',
      message: 'Some resources are remaining: pods. has 1 resource instances',
    }),
  );
  await client.patch(resources.pods, ref, { type: 'merge', body: { metadata: { finalizers: null } } });
  await client.delete(resources.pods, ref, { gracePeriodSeconds: 0 }).catch(() => {});
  await cluster.settle(20_000);
  expect(await cluster.list(resources.configMaps, 'old')).toEqual([]);
});
