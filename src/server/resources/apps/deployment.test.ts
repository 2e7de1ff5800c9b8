import { afterAll, beforeAll, expect, it } from 'vitest';
import { deployments } from '../../../api/resources.gen.ts';
import type { Client } from '../../../client/port.ts';
import type { ApiServer } from '../../api-server.ts';
import { startTestServer } from '../../test-server.fake.ts';

let server: ApiServer;
let client: Client;
beforeAll(async () => {
  ({ server } = await startTestServer());
  client = server.client({ name: 'admin', groups: ['system:masters'] });
});
afterAll(() => server.close());

it('an annotation is a new generation of a Deployment, but not one that comes with the status', async () => {
  const ref = { namespace: 'default', name: 'web' };
  const labels = { app: 'web' };
  await client.create(deployments, {
    metadata: ref,
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'web:1' }] } },
    },
  });
  const annotate = async (name: string, subresource?: string) => {
    const body = { metadata: { annotations: { [name]: '1' } } };
    const options = subresource === undefined ? {} : { subresource };
    return (await client.patch(deployments, ref, { type: 'merge', body }, options)).metadata;
  };
  expect(await annotate('revision', 'status')).toMatchObject({
    generation: 1,
    annotations: { revision: '1' },
  });
  expect(await annotate('other')).toMatchObject({
    generation: 2,
    annotations: { revision: '1', other: '1' },
  });
});
