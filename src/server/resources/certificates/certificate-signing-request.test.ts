import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { certificateSigningRequests } from '../../../api/resources.gen.ts';
import type { CertificateSigningRequest } from '../../../api/types.gen.ts';
import type { Client } from '../../../client/port.ts';
import { createCertificateRequest } from '../../../lib/pki/certificate-request.ts';
import { generateKeyPem } from '../../../lib/pki/key.ts';
import type { ApiServer } from '../../api-server.ts';
import { testTls } from '../../http/test-tls.fake.ts';
import { startTestServer } from '../../test-server.fake.ts';

const REQUEST = Buffer.from(
  createCertificateRequest({ subject: { commonName: 'x', organizations: [] }, keyPem: generateKeyPem() }),
).toString('base64');
const said = (type: string, status = 'True') => ({ type, status, reason: 'Said', message: 'so' });

let server: ApiServer;
let client: Client;
let made: CertificateSigningRequest;
const requestOf = (usages: string[]): CertificateSigningRequest => ({
  metadata: { name: 'web' },
  spec: { request: REQUEST, signerName: 'example.com/web', usages },
});
beforeEach(async () => {
  ({ server } = await startTestServer());
  client = server.client({ name: 'ann', groups: [] });
});
afterEach(() => server.close());

describe('the conditions of a signing request', () => {
  beforeEach(async () => {
    made = await client.create(certificateSigningRequests, requestOf(['client auth']));
  });
  const write = async (subresource: 'approval' | 'status', status: CertificateSigningRequest['status']) => {
    const { metadata } = await client.get(certificateSigningRequests, { name: 'web' });
    made = await client.update(
      certificateSigningRequests,
      { ...made, metadata, status: status ?? {} },
      { subresource },
    );
    return made;
  };
  const refused = (message: string) => ({ status: { code: 422, message: expect.stringContaining(message) } });

  it.each([
    [
      [said('Approved', 'False')],
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
    ],
    [[said('Mine', '')], 'status.conditions[0].status: Required value'],
    [[said('')], 'status.conditions[0].type: Required value'],
    [[said('Mine'), said('Mine')], 'status.conditions[1].type: Duplicate value: "Mine"'],
    [
      [said('Approved'), said('Denied')],
      'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ],
  ])('are not %j', async (conditions, message) => {
    await expect(write('approval', { conditions })).rejects.toMatchObject(refused(message));
  });

  it('that are final stay: approval, denial, failure', async () => {
    await write('status', { conditions: [said('Failed')] });
    await expect(write('approval', { conditions: [] })).rejects.toMatchObject(
      refused('updates may not remove a condition of type "Failed"'),
    );
    await expect(write('status', { conditions: [said('Failed'), said('Approved')] })).rejects.toMatchObject(
      refused('updates may not add a condition of type "Approved"'),
    );
    const { status } = await write('approval', { conditions: [said('Failed'), said('Approved')] });
    const [failed, approved] = status?.conditions ?? [];
    const changed = [failed!, { ...approved!, message: 'no' }];
    await expect(write('status', { conditions: changed })).rejects.toMatchObject(
      refused('updates may not modify a condition of type "Approved"'),
    );
    expect((await write('status', { conditions: [failed!, approved!] })).status?.conditions).toHaveLength(2);
  });

  it('come with one certificate for ever', async () => {
    const certificate = Buffer.from(testTls().ca).toString('base64');
    await write('status', { certificate });
    await expect(write('status', {})).rejects.toMatchObject(
      refused('status.certificate: Forbidden: updates may not modify existing certificate content'),
    );
  });
});

it('a signing request names each usage once', async () => {
  const twice = requestOf(['client auth', 'client auth']);
  await expect(client.create(certificateSigningRequests, twice)).rejects.toThrow(
    'spec.usages[1]: Duplicate value: "client auth"',
  );
});
