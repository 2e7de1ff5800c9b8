import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { leases } from '../../../api/resources.gen.ts';
import type { LeaseSpec } from '../../../api/types.gen.ts';
import type { Client } from '../../../client/port.ts';
import type { ApiServer } from '../../api-server.ts';
import { startTestServer } from '../../test-server.fake.ts';

describe('what of a Lease reaches the disk', () => {
  let server: ApiServer;
  let client: Client;
  const kinds: string[] = [];
  const name = { name: 'operator', namespace: 'default' };

  beforeEach(async () => {
    const started = await startTestServer();
    server = started.server;
    client = server.client({ name: 'operator', groups: ['system:masters'] });
    kinds.length = 0;
    started.datastore.subscribe((changes) =>
      kinds.push(
        ...changes
          .filter(({ key }) => key.includes('/leases/default/'))
          .map((change) => (change.volatile ? 'volatile' : 'durable')),
      ),
    );
    await client.create(leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: name,
      spec: {
        holderIdentity: 'one',
        leaseDurationSeconds: 15,
        leaseTransitions: 0,
        renewTime: '2026-01-01T00:00:00.000000Z',
      },
    });
  });
  afterEach(() => server.close());

  const write = async (spec: LeaseSpec): Promise<void> => {
    const { metadata, ...rest } = await client.get(leases, name);
    await client.update(leases, { ...rest, metadata, spec: { ...rest.spec, ...spec } });
  };

  it('is its creation, who takes it, who gives it back, and its end', async () => {
    await write({ holderIdentity: 'two', leaseTransitions: 1, renewTime: '2026-01-01T00:00:15.000000Z' });
    await write({ holderIdentity: '', leaseDurationSeconds: 1 });
    await client.delete(leases, name);
    expect(kinds).toEqual(['durable', 'durable', 'durable', 'durable']);
  });

  it('is not a renewal', async () => {
    await write({ renewTime: '2026-01-01T00:00:02.000000Z' });
    await write({ renewTime: '2026-01-01T00:00:04.000000Z' });
    expect(kinds).toEqual(['durable', 'volatile', 'volatile']);
    expect((await client.get(leases, name)).spec?.renewTime).toBe('2026-01-01T00:00:04.000000Z');
  });
});
