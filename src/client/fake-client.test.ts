import { describeClient } from '../../test/contract/client.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { FakeClient } from './fake-client.ts';

describeClient('fake', async () => {
  const client = new FakeClient(new FakeClock());
  return { client, compact: async () => client.compact(), stop: async () => {} };
});
