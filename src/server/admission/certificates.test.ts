import { generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  certificateSigningRequests,
  clusterTrustBundles,
  podCertificateRequests,
  podCertificateRequestsV1beta1,
} from '../../api/resources.gen.ts';
import type {
  CertificateSigningRequest,
  ClusterTrustBundle,
  PodCertificateRequest,
} from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { createCertificateRequest } from '../../lib/pki/certificate-request.ts';
import { generateKeyPem } from '../../lib/pki/key.ts';
import type { ApiServer } from '../api-server.ts';
import type { Attributes, Authorizer } from '../authz/port.ts';
import { MINIMAL } from '../resources/minimal-objects.fake.ts';
import { startTestServer } from '../test-server.fake.ts';
import { certificateApproval } from './certificate-approval.ts';
import { certificateSigning } from './certificate-signing.ts';
import { certificateSubjectRestriction } from './certificate-subject-restriction.ts';
import { clusterTrustBundleAttest } from './cluster-trust-bundle-attest.ts';

/** `user verb signer` */
const RIGHTS: ReadonlySet<string> = new Set([
  'ann approve example.com/web',
  'ann sign example.com/*',
  'ann attest example.com/web',
]);
const authorizer: Authorizer = {
  authorize: (attributes: Attributes) => ({
    allowed:
      'name' in attributes && RIGHTS.has(`${attributes.user.name} ${attributes.verb} ${attributes.name}`),
    reason: '',
  }),
  rulesFor: () => ({ resource: [], nonResource: [] }),
};

let server: ApiServer;
let ann: Client;
let bob: Client;
beforeAll(async () => {
  ({ server } = await startTestServer({
    admission: (context) => [
      certificateApproval(authorizer),
      certificateSigning(authorizer),
      clusterTrustBundleAttest(authorizer),
      certificateSubjectRestriction(context),
    ],
  }));
  ann = server.client({ name: 'ann', groups: [] });
  bob = server.client({ name: 'bob', groups: [] });
});
afterAll(() => server.close());

const request = (organizations: string[] = []) =>
  Buffer.from(
    createCertificateRequest({ subject: { commonName: 'x', organizations }, keyPem: generateKeyPem() }),
  ).toString('base64');
const csr = (name: string, signerName: string, organizations?: string[]): CertificateSigningRequest => ({
  metadata: { name },
  spec: { signerName, usages: ['client auth'], request: request(organizations) },
});
const withCondition = (object: CertificateSigningRequest, type: string): CertificateSigningRequest => ({
  ...object,
  status: { conditions: [...(object.status?.conditions ?? []), { type, status: 'True', reason: 'Test' }] },
});

type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number];

describe('signing requests', () => {
  it('say when they were decided, and when that changed', async () => {
    const made = await bob.create(certificateSigningRequests, csr('timed', 'example.com/web'));
    const { status } = await ann.update(certificateSigningRequests, withCondition(made, 'Approved'), {
      subresource: 'approval',
    });
    const [{ lastUpdateTime, lastTransitionTime }] = status!.conditions! as [Condition];
    expect([lastUpdateTime, lastTransitionTime]).toEqual([made.metadata.creationTimestamp, lastUpdateTime]);
    const before = '2020-01-01T00:00:00Z';
    const times = (conditions: readonly Condition[]) => conditions.map((one) => one.lastTransitionTime);
    const write = (condition: Condition) => {
      const conditions = [status!.conditions![0]!, condition];
      const subresource = { subresource: 'status' };
      return ann.update(certificateSigningRequests, { ...made, status: { conditions } }, subresource);
    };
    delete (made.metadata as { resourceVersion?: string }).resourceVersion;
    const failed = { type: 'Failed', status: 'True', reason: 'Test', lastTransitionTime: before };
    expect(times((await write(failed)).status!.conditions!)).toEqual([lastTransitionTime, before]);
    const { lastTransitionTime: _, ...again } = failed;
    expect(times((await write({ ...again, message: 'again' })).status!.conditions!)).toEqual([
      lastTransitionTime,
      before,
    ]);
  });

  it('are approved and signed by those who may act for the signer', async () => {
    const made = await bob.create(certificateSigningRequests, csr('a', 'example.com/web'));
    await expect(
      bob.update(certificateSigningRequests, withCondition(made, 'Approved'), { subresource: 'approval' }),
    ).rejects.toThrow('user not permitted to approve requests with signerName "example.com/web"');
    const approved = await ann.update(certificateSigningRequests, withCondition(made, 'Approved'), {
      subresource: 'approval',
    });
    await expect(
      bob.update(certificateSigningRequests, withCondition(approved, 'Failed'), { subresource: 'status' }),
    ).rejects.toThrow('user not permitted to sign requests with signerName "example.com/web"');
    await ann.update(certificateSigningRequests, withCondition(approved, 'Failed'), {
      subresource: 'status',
    });
  });

  it('never ask for system:masters', async () => {
    const signer = 'kubernetes.io/kube-apiserver-client';
    await expect(
      ann.create(certificateSigningRequests, csr('masters', signer, ['system:masters'])),
    ).rejects.toThrow(
      'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
    );
    await expect(
      ann.create(certificateSigningRequests, {
        ...csr('broken', signer),
        spec: {
          ...(MINIMAL['certificatesigningrequests.certificates.k8s.io']?.[
            'spec'
          ] as CertificateSigningRequest['spec']),
        },
      }),
    ).rejects.toThrow('failed to parse CSR');
    await ann.create(certificateSigningRequests, csr('fine', signer, ['devs']));
  });
});

const { trustBundle } = (MINIMAL['clustertrustbundles.certificates.k8s.io'] as unknown as ClusterTrustBundle)
  .spec;
const bundle = (name: string, signerName?: string, text = trustBundle): ClusterTrustBundle => ({
  metadata: { name },
  spec: { trustBundle: text, ...(signerName === undefined ? {} : { signerName }) },
});

describe('trust bundles', () => {
  it('of a signer are written by those who attest for it', async () => {
    const wanted = bundle('example.com:web:one', 'example.com/web');
    await expect(bob.create(clusterTrustBundles, wanted)).rejects.toThrow(
      'user not permitted to attest for signerName "example.com/web"',
    );
    const made = await ann.create(clusterTrustBundles, wanted);
    await bob.update(clusterTrustBundles, { ...made, metadata: { ...made.metadata, labels: { a: 'b' } } });
  });

  it.each([
    ['bad:name', undefined, undefined, 'must not have ":" in its name'],
    ['plain', 'example.com/web', undefined, 'must be named with prefix example.com:web:'],
    ['empty', undefined, 'nothing here', 'at least one trust anchor must be provided'],
    ['twice', undefined, trustBundle + trustBundle, 'duplicate trust anchor (indices [0 1])'],
    [
      'key',
      undefined,
      '-----BEGIN RSA KEY-----\nAA==\n-----END RSA KEY-----\n',
      'entry 0 has bad block type: RSA KEY',
    ],
    [
      'junk',
      undefined,
      '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n',
      'entry 0 does not parse as X.509',
    ],
  ])('%s is refused', async (name, signer, text, why) => {
    await expect(ann.create(clusterTrustBundles, bundle(name, signer, text))).rejects.toThrow(why);
  });
});

const podRequest = (name: string, more: object): PodCertificateRequest => ({
  metadata: { name, namespace: 'default' },
  spec: {
    ...(MINIMAL['podcertificaterequests.certificates.k8s.io']?.['spec'] as PodCertificateRequest['spec']),
    ...more,
  },
});

describe('pod certificate requests', () => {
  it('are the same objects in both versions, with a day of life by default', async () => {
    const made = await ann.create(podCertificateRequests, podRequest('one', {}));
    expect(made).toMatchObject({
      apiVersion: 'certificates.k8s.io/v1',
      spec: { maxExpirationSeconds: 86_400 },
    });
    const beta = await ann.get(podCertificateRequestsV1beta1, { namespace: 'default', name: 'one' });
    expect(beta).toMatchObject({
      apiVersion: 'certificates.k8s.io/v1beta1',
      metadata: { uid: made.metadata.uid },
    });
  });

  it.each([
    ['short', { maxExpirationSeconds: 60 }, 'must be in the range [3600, 7862400]'],
    ['long', { maxExpirationSeconds: 92 * 86_400 }, 'must be in the range [3600, 7862400]'],
    [
      'own',
      { signerName: 'kubernetes.io/x', maxExpirationSeconds: 100_000 },
      'must be in the range [3600, 86400]',
    ],
    ['uid', { podUID: '' }, 'spec.podUID: Required value: must not be empty'],
    ['request', { stubPKCS10Request: 'AAAA' }, 'spec.stubPKCS10Request: Invalid value'],
  ])('%s is refused', async (name, more, why) => {
    await expect(ann.create(podCertificateRequests, podRequest(name, more))).rejects.toThrow(why);
  });

  it('prove possession of a key by a signature over the UID, too', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const pkixPublicKey = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    const proof = (uid: string) => sign(null, Buffer.from(uid), privateKey).toString('base64');
    const of = (name: string, proofOfPossession: string) =>
      podRequest(name, { stubPKCS10Request: '', pkixPublicKey, proofOfPossession });
    await ann.create(podCertificateRequestsV1beta1, of('proved', proof('p1')));
    await expect(ann.create(podCertificateRequestsV1beta1, of('unproved', proof('p2')))).rejects.toThrow(
      'could not verify proof-of-possession',
    );
  });

  it('end in one condition, written by the signer', async () => {
    const made = await ann.create(podCertificateRequests, podRequest('denied', {}));
    const condition = (type: string) => ({
      type,
      status: 'True',
      reason: 'Test',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    const status = (client: Client, types: string[], more: object = {}) =>
      client.update(
        podCertificateRequests,
        { ...made, status: { conditions: types.map(condition), ...more } },
        { subresource: 'status' },
      );
    await expect(status(bob, ['Denied'])).rejects.toThrow('user not permitted to sign');
    await expect(status(ann, ['Denied', 'Failed'])).rejects.toThrow('There may be at most one condition');
    await expect(status(ann, ['Denied'], { certificateChain: trustBundle })).rejects.toThrow(
      'may only be set together',
    );
    await expect(status(ann, ['Issued'], { certificateChain: trustBundle })).rejects.toThrow(
      'status.notBefore: Required value',
    );
    expect((await status(ann, ['Denied'])).status?.conditions).toHaveLength(1);
  });
});
