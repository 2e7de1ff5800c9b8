import { afterEach, beforeEach, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { ConfigMap } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { startTestServer } from '../test-server.fake.ts';

const ref = { namespace: 'default', name: 'a' };
let started: Awaited<ReturnType<typeof startTestServer>>;
let client: Client;

beforeEach(async () => {
  started = await startTestServer();
  client = started.server.client({ name: 'tester', groups: ['system:masters'] });
  await client.create(resources.configMaps, { metadata: { ...ref } });
});
afterEach(() => started.server.close());

const patch = (key: string, resourceVersion?: string): Promise<ConfigMap> =>
  client.patch(resources.configMaps, ref, {
    type: 'merge',
    body: { metadata: resourceVersion ? { resourceVersion } : {}, data: { [key]: 'set' } },
  });

it('patches that race all take effect', async () => {
  await Promise.all(['a', 'b', 'c', 'd'].map((key) => patch(key)));
  const { data } = await client.get(resources.configMaps, ref);
  expect(data).toEqual({ a: 'set', b: 'set', c: 'set', d: 'set' });
});

it('of patches and updates that name a version one wins', async () => {
  const read = await client.get(resources.configMaps, ref);
  const version = read.metadata.resourceVersion ?? '';
  const results = await Promise.allSettled([
    patch('a', version),
    patch('b', version),
    client.update(resources.configMaps, { ...read, data: { c: 'set' } }),
  ]);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const lost = results
    .filter(({ status }) => status === 'rejected')
    .map((result) => (result as PromiseRejectedResult).reason);
  expect(lost).toEqual([expect.objectContaining({ code: 409 }), expect.objectContaining({ code: 409 })]);
});
