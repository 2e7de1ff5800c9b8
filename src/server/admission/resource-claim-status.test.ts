import { afterAll, beforeAll, expect, it } from 'vitest';
import { resourceClaims } from '../../api/resources.gen.ts';
import type { ResourceResourceClaim } from '../../api/types.gen.ts';
import type { ApiServer } from '../api-server.ts';
import { MINIMAL } from '../resources/minimal-objects.fake.ts';
import { startTestServer } from '../test-server.fake.ts';
import { resourceClaimStatus } from './resource-claim-status.ts';

const RIGHTS: ReadonlySet<string> = new Set([
  'scheduler update binding ',
  'driver associated-node:update driver gpu.example.com',
]);

let server: ApiServer;
let made: ResourceResourceClaim;
beforeAll(async () => {
  ({ server } = await startTestServer({
    admission: [
      resourceClaimStatus({
        authorize: (asked) => ({
          allowed:
            'name' in asked &&
            RIGHTS.has(`${asked.user.name} ${asked.verb} ${asked.subresource} ${asked.name}`),
          reason: '',
        }),
        rulesFor: () => ({ resource: [], nonResource: [] }),
      }),
    ],
  }));
  made = await server.client({ name: 'ann', groups: [] }).create(resourceClaims, {
    metadata: { name: 'gpu', namespace: 'default' },
    ...(MINIMAL['resourceclaims.resource.k8s.io'] as unknown as Pick<ResourceResourceClaim, 'spec'>),
  });
});
afterAll(() => server.close());

const onNode = (node: string) => ({
  nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
});
const allocation = { devices: {}, nodeSelector: onNode('pi') };
const devices = [{ driver: 'gpu.example.com', pool: 'p', device: 'd' }];

const write = (name: string, status: ResourceResourceClaim['status'], node?: string) =>
  server
    .client({
      name,
      groups: [],
      ...(node ? { extra: { 'authentication.kubernetes.io/node-name': [node] } } : {}),
    })
    .update(
      resourceClaims,
      { metadata: { name: 'gpu', namespace: 'default' }, spec: made.spec, status },
      { subresource: 'status' },
    );

it('lets those allocate who may bind, and drivers speak of devices on their own node', async () => {
  await expect(write('ann', { allocation })).rejects.toThrow(
    'status: Forbidden: changing status.allocation or status.reservedFor requires resource="resourceclaims/binding"',
  );
  await write('scheduler', { allocation });
  await expect(write('driver', { allocation, devices }, 'other')).rejects.toThrow(
    'status.devices: Forbidden: changing status.devices requires resource="resourceclaims/driver"',
  );
  await expect(write('scheduler', { allocation, devices }, 'pi')).rejects.toThrow(
    'status.devices: Forbidden',
  );
  await write('driver', { allocation, devices }, 'pi');
  await expect(write('ann', { allocation })).rejects.toThrow('status.devices: Forbidden');
});
