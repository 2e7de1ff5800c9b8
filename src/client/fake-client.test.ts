import { expect, it } from 'vitest';
import { describeClient } from '../../test/contract/client.ts';
import { configMaps, namespaces } from '../api/resources.gen.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { FakeClient } from './fake-client.ts';

describeClient('fake', async () => {
  const client = new FakeClient(new FakeClock());
  return { client, compact: async () => client.compact(), stop: async () => {} };
});

it('makes nothing new in a namespace that is going, as a server', async () => {
  const client = new FakeClient(new FakeClock());
  await client.create(namespaces, { metadata: { name: 'old', finalizers: ['x/y'] } });
  const metadata = { name: 'a', namespace: 'old' };
  await client.create(configMaps, { metadata });
  await client.delete(namespaces, { name: 'old' });
  await expect(client.create(configMaps, { metadata: { ...metadata, name: 'b' } })).rejects.toMatchObject({
    code: 403,
    message:
      'configmaps "b" is forbidden: unable to create new content in namespace old because it is being terminated',
    status: { details: { causes: [{ reason: 'NamespaceTerminating' }] } },
  });
});
