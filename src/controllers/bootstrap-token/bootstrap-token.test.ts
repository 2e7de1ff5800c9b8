import { afterEach, beforeEach, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { tokenCleanerController } from './controller.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = new TestCluster();
  await cluster.start(tokenCleanerController);
});
afterEach(() => cluster.stop());

const MINUTE_MS = 60_000;

async function token(id: string, expiration: string | undefined, type = 'bootstrap.kubernetes.io/token') {
  await cluster.client.create(resources.secrets, {
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type,
    data: expiration === undefined ? {} : { expiration: Buffer.from(expiration).toString('base64') },
  });
}
const left = async () =>
  (await cluster.list(resources.secrets, 'kube-system')).map(({ metadata }) => metadata.name?.slice(-6));

it('removes tokens when they end, and no other Secret', async () => {
  const at = (ms: number): string => new Date(cluster.clock.now() + ms).toISOString();
  await token('abcdef', at(10 * MINUTE_MS));
  await token('always', undefined);
  await token('wrong0', 'soon');
  await token('opaque', at(MINUTE_MS), 'Opaque');
  await cluster.settle();
  expect((await left()).sort()).toEqual(['abcdef', 'always', 'opaque']);
  await cluster.settle(9 * MINUTE_MS);
  expect(await left()).toContain('abcdef');
  await cluster.settle(2 * MINUTE_MS);
  expect((await left()).sort()).toEqual(['always', 'opaque']);
});
