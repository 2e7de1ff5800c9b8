import { describeClient } from '../../../test/contract/client.ts';
import * as resources from '../../api/resources.gen.ts';
import { createHttpsClient } from '../../client/https-client.ts';
import { startTestServer } from '../test-server.fake.ts';
import { testTls } from './test-tls.fake.ts';

describeClient('over HTTPS', async () => {
  const { server, datastore } = await startTestServer();
  const tls = testTls();
  const { port } = await server.listen({ host: '127.0.0.1', port: 0, tls });
  const client = createHttpsClient({ server: `https://127.0.0.1:${port}`, ca: tls.ca, token: 'tester' });
  const writer = server.client({ name: 'writer', groups: ['system:masters'] });
  return {
    client,
    compact: async () => {
      for (let n = 0; n < 1100; n++)
        await writer.patch(
          resources.configMaps,
          { namespace: 'default', name: 'a' },
          { type: 'merge', body: { data: { n: `x${n}` } } },
        );
      await datastore.compact(datastore.revision);
    },
    stop: async () => {
      await client.close();
      await server.close();
    },
  };
});
