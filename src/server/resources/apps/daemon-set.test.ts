import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { daemonSets } from '../../../api/resources.gen.ts';
import type { DaemonSet } from '../../../api/types.gen.ts';
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

describe('the generation of a template', () => {
  const ref = { namespace: 'default', name: 'log' };
  const key = 'deprecated.daemonset.template.generation';
  const set = (image: string): DaemonSet => ({
    metadata: ref,
    spec: {
      selector: { matchLabels: { app: 'log' } },
      template: { metadata: { labels: { app: 'log' } }, spec: { containers: [{ name: 'main', image }] } },
    },
  });
  const of = ({ metadata }: DaemonSet) => metadata.annotations?.[key];
  const owners = ({ metadata }: DaemonSet) =>
    (metadata.managedFields ?? [])
      .filter(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes(`f:${key}`))
      .map(({ manager }) => manager);

  it('starts at 1 and moves with the template alone, as the server counts', async () => {
    const created = await client.create(daemonSets, set('log:1'));
    expect(of(created)).toBe('1');
    expect(owners(created)).toHaveLength(1);
    const labelled = await client.patch(daemonSets, ref, {
      type: 'merge',
      body: { metadata: { labels: { a: 'b' }, annotations: { [key]: '7' } }, spec: { minReadySeconds: 1 } },
    });
    expect([of(labelled), labelled.metadata.generation]).toEqual(['1', 2]);
    const replaced = await client.update(daemonSets, set('log:2'));
    expect([of(replaced), replaced.metadata.generation]).toEqual(['2', 3]);
    const status = { metadata: ref, status: { ...replaced.status!, numberReady: 1 } };
    expect(of(await client.update(daemonSets, status, { subresource: 'status' }))).toBe('2');
  });

  it('may begin higher, as one that is restored does', async () => {
    const one = set('log:1');
    const metadata = { namespace: 'default', name: 'again', annotations: { [key]: '5' } };
    expect(of(await client.create(daemonSets, { ...one, metadata }))).toBe('5');
  });
});
