import { expect, it } from 'vitest';
import { describeClient } from '../../test/contract/client.ts';
import * as resources from '../api/resources.gen.ts';
import { startTestServer } from './test-server.fake.ts';

describeClient('in process', async () => {
  const { server, datastore } = await startTestServer();
  const client = server.client({ name: 'tester', groups: ['system:masters'] });
  return {
    client,
    compact: async () => {
      // More events than the ring holds, so that the oldest are forgotten there, too.
      for (let n = 0; n < 1100; n++)
        await client.patch(
          resources.configMaps,
          { namespace: 'default', name: 'a' },
          { type: 'merge', body: { data: { n: `x${n}` } } },
        );
      await datastore.compact(datastore.revision);
    },
    stop: () => server.close(),
  };
});

it('acts with the rights of its user', async () => {
  const { server } = await startTestServer({ allow: (user) => user.name !== 'nobody' });
  const client = server.client({ name: 'nobody', groups: [] });
  await expect(client.list(resources.configMaps, { namespace: 'default' })).rejects.toMatchObject({
    status: {
      code: 403,
      message:
        'configmaps is forbidden: User "nobody" cannot list resource "configmaps" in API group "" in the namespace "default"',
    },
  });
  await server.close();
});
