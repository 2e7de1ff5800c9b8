import { expect } from 'vitest';
import type { CertificateSigningRequest, PodCertificateRequest } from '../../../../src/api/types.gen.ts';
import { createCertificateRequest } from '../../../../src/lib/pki/certificate-request.ts';
import { generateKeyPem } from '../../../../src/lib/pki/key.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import { everyVerb } from '../every-verb.ts';
import type { SpecContext } from '../spec-context.ts';
import { testAuthority } from './test-authority.ts';

const request = (commonName: string): string =>
  createCertificateRequest({ subject: { commonName }, keyPem: generateKeyPem() });
const condition = (type: string) => ({
  type,
  status: 'True',
  reason: 'Test',
  message: 'Set from an e2e test',
  lastTransitionTime: new Date().toISOString().replace(/\.\d+Z/, 'Z'),
});

async function signingRequests(context: SpecContext): Promise<void> {
  const V1 = 'certificates.k8s.io/v1';
  const requests = context.cluster.resource<CertificateSigningRequest>(V1, 'certificatesigningrequests');
  const body = {
    spec: {
      request: Buffer.from(request('e2e')).toString('base64'),
      signerName: 'example.com/e2e',
      expirationSeconds: 3600,
      usages: ['digital signature', 'key encipherment', 'server auth'],
    },
  };
  await everyVerb<CertificateSigningRequest>(context, {
    groupVersion: V1,
    plural: 'certificatesigningrequests',
    kind: 'CertificateSigningRequest',
    body,
    change: ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, updated: 'true' };
    },
    changed: ({ metadata }) => metadata.annotations?.['updated'],
  });
  const { metadata } = await requests.create({ metadata: { generateName: 'e2e-csr-' }, ...body });
  const name = metadata.name ?? '';
  context.defer(async () => await requests.delete(name));

  expect((await requests.get(name, 'approval')).metadata.uid).toBe(metadata.uid);
  const patched = await requests.patch(
    name,
    {
      metadata: { annotations: { patchedapproval: 'true' } },
      status: { conditions: [condition('ApprovalPatch')] },
    },
    { subresource: 'approval' },
  );
  expect(patched.status?.conditions?.map(({ type }) => type)).toEqual(['ApprovalPatch']);
  expect(patched.metadata.annotations).toMatchObject({ patchedapproval: 'true' });
  const approved = await requests.modify(
    name,
    ({ status }) => {
      status?.conditions?.push(condition('Approved'));
    },
    'approval',
  );
  expect(approved.status?.conditions?.map(({ type }) => type)).toEqual(['ApprovalPatch', 'Approved']);

  expect((await requests.get(name, 'status')).metadata.uid).toBe(metadata.uid);
  const certificate = Buffer.from(testAuthority('issued')).toString('base64');
  const issued = await requests.patch(
    name,
    { metadata: { annotations: { patchedstatus: 'true' } }, status: { certificate } },
    { subresource: 'status' },
  );
  expect(issued.status?.certificate).toBe(certificate);
  expect(issued.metadata.annotations).toMatchObject({ patchedstatus: 'true' });
  const updated = await requests.modify(
    name,
    ({ status }) => {
      status?.conditions?.push(condition('StatusUpdate'));
    },
    'status',
  );
  expect(updated.status?.conditions?.map(({ type }) => type)).toContain('StatusUpdate');
}

async function podCertificateRequests(context: SpecContext): Promise<void> {
  const V1 = 'certificates.k8s.io/v1';
  const requests = context.resource<PodCertificateRequest>(V1, 'podcertificaterequests');
  const stub = request('').replace(/-----[^-]*-----|\s/g, '');
  const body = {
    spec: {
      signerName: 'example.com/e2e',
      podName: 'pod',
      podUID: 'pod-uid',
      serviceAccountName: 'default',
      serviceAccountUID: 'account-uid',
      nodeName: 'node',
      nodeUID: 'node-uid',
      maxExpirationSeconds: 86_400,
      stubPKCS10Request: stub,
    },
  };
  await everyVerb<PodCertificateRequest>(context, {
    groupVersion: V1,
    plural: 'podcertificaterequests',
    kind: 'PodCertificateRequest',
    namespaced: true,
    body,
    change: ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, updated: 'true' };
    },
    changed: ({ metadata }) => metadata.annotations?.['updated'],
  });
  await requests.create({ metadata: { name: 'status' }, ...body });
  expect((await requests.get('status', 'status')).status ?? {}).toEqual({});
  const denied = await requests.modify(
    'status',
    (object) => {
      object.status = { conditions: [condition('Denied')] };
    },
    'status',
  );
  expect(denied.status?.conditions).toMatchObject([{ type: 'Denied', status: 'True', reason: 'Test' }]);
  // A status route of this kind leaves metadata alone.
  const annotated = await requests.patch(
    'status',
    { metadata: { annotations: { patchedstatus: 'true' } } },
    { subresource: 'status' },
  );
  expect(annotated.metadata.annotations).toBeUndefined();
  const { code, reason } = await refusal(
    requests.modify('status', ({ spec }) => {
      spec.podName = 'other';
    }),
  );
  expect([code, reason]).toEqual([422, 'Invalid']);
}

area('sig-auth', '', (spec) => {
  spec('Certificates API [Privileged:ClusterAdmin] should support CSR API operations', signingRequests);
  spec(
    'PodCertificateRequest API [Privileged:ClusterAdmin] should support PodCertificateRequest API operations',
    podCertificateRequests,
  );
});

area(
  'sig-auth',
  'Projected PodCertificate [FeatureGate:PodCertificateRequest] [FeatureGate:ClusterTrustBundle] [FeatureGate:ClusterTrustBundleProjection] MaxExpirationSeconds validations',
  (spec) => {
    const refused = async ({ pods }: SpecContext, maxExpirationSeconds: number): Promise<string> => {
      const podCertificate = {
        signerName: 'example.com/e2e',
        keyType: 'ED25519',
        credentialBundlePath: 'credentials.pem',
        maxExpirationSeconds,
      };
      const error = await refusal(
        pods.create({
          metadata: { name: 'refused' },
          spec: {
            containers: [{ name: 'main', image: 'busybox' }],
            volumes: [{ name: 'certificate', projected: { sources: [{ podCertificate }] } }],
          },
        }),
      );
      expect([error.code, error.reason]).toEqual([422, 'Invalid']);
      return error.status.message ?? '';
    };
    spec(
      'should reject pod creation when MaxExpirationSeconds exceeds maximum (91d) [MinimumKubeletVersion:1.37]',
      async (context) => {
        expect(await refused(context, 91 * 86_400 + 1)).toContain(
          'if provided, maxExpirationSeconds must be <= 7862400',
        );
      },
    );
    spec(
      'should reject pod creation when MaxExpirationSeconds is less than minimum (1h) [MinimumKubeletVersion:1.37]',
      async (context) => {
        expect(await refused(context, 3599)).toContain('if provided, maxExpirationSeconds must be >= 3600');
      },
    );
  },
);
