import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { CertificateSigningRequest, Node, SubjectAccessReview } from '../../api/types.gen.ts';
import { type CertificateAndKey, issueCertificate } from '../../lib/pki/certificate.ts';
import { createCertificateRequest } from '../../lib/pki/certificate-request.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';
import type { AlternativeNames } from '../../lib/pki/names.ts';
import { CA_LIFETIME_MS, LEAF_LIFETIME_MS, validity } from '../../lib/pki/validity.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { approvingController } from './approving-controller.ts';
import { cleanerController } from './cleaner-controller.ts';
import { signingController } from './signing-controller.ts';

const HOUR_MS = 3_600_000;
const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
const keyPem = generateKeyPem();

function authority(): CertificateAndKey {
  const caKeyPem = generateKeyPem();
  const certificatePem = issueCertificate({
    subject: { commonName: 'client-ca' },
    publicKey: publicKeyOf(caKeyPem),
    selfSigningKeyPem: caKeyPem,
    use: 'ca',
    ...validity(0, CA_LIFETIME_MS),
  });
  return { certificatePem, keyPem: caKeyPem };
}

interface Wanted {
  readonly commonName?: string;
  readonly organizations?: readonly string[];
  readonly names?: AlternativeNames;
  readonly spec?: Partial<CertificateSigningRequest['spec']>;
}

const NODE = { commonName: 'system:node:pi', organizations: ['system:nodes'] };
const BOOTSTRAP = { username: 'system:bootstrap:node', groups: ['system:bootstrappers'] };

class Signing extends TestCluster {
  /** Subresources that the requesters may create. */
  readonly allowed = new Set(['nodeclient', 'selfnodeclient']);
  #count = 0;

  constructor() {
    super();
    Object.assign(this.context.cluster, { clientCA: authority() });
    const create = this.client.create.bind(this.client);
    this.client.create = async (resource, object, options) => {
      if (resource.resource !== 'subjectaccessreviews') return await create(resource, object, options);
      const { spec } = object as unknown as SubjectAccessReview;
      const allowed = this.allowed.has(spec.resourceAttributes?.subresource ?? '');
      return { ...object, status: { allowed } };
    };
  }

  async ask(wanted: Wanted): Promise<string> {
    const { commonName = NODE.commonName, organizations = NODE.organizations, names } = wanted;
    const pem = createCertificateRequest({
      ...{ subject: { commonName, organizations }, keyPem },
      ...(names === undefined ? {} : { names }),
    });
    const name = `csr-${this.#count++}`;
    await this.client.create(resources.certificateSigningRequests, {
      metadata: { name },
      spec: {
        request: Buffer.from(pem).toString('base64'),
        signerName: KUBELET_CLIENT,
        usages: ['digital signature', 'client auth'],
        ...BOOTSTRAP,
        ...wanted.spec,
      },
    });
    await this.settle();
    return name;
  }

  async look(name: string): Promise<CertificateSigningRequest> {
    return await this.client.get(resources.certificateSigningRequests, { name });
  }

  async approve(name: string): Promise<void> {
    const csr = await this.look(name);
    const conditions = [{ type: 'Approved', status: 'True', reason: 'KubectlApprove' }];
    await this.client.update(
      resources.certificateSigningRequests,
      { ...csr, status: { conditions } },
      { subresource: 'approval' },
    );
    await this.settle();
  }

  async conditions(name: string): Promise<readonly string[]> {
    const { status } = await this.look(name);
    return (status?.conditions ?? []).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
  }

  async certificate(name: string): Promise<X509Certificate> {
    const { status } = await this.look(name);
    return new X509Certificate(Buffer.from(status?.certificate ?? '', 'base64'));
  }

  async node(status: 'True' | 'False' | 'Unknown'): Promise<void> {
    const node: Node = { metadata: { name: 'pi' }, status: { conditions: [{ type: 'Ready', status }] } };
    await this.client
      .create(resources.nodes, node)
      .catch(() => this.client.update(resources.nodes, node, { subresource: 'status' }));
  }

  async renewLease(): Promise<void> {
    const lease = { metadata: { name: 'pi', namespace: 'kube-node-lease' }, spec: {} };
    await this.client
      .create(resources.leases, lease)
      .catch(() => this.client.update(resources.leases, lease));
  }
}

let cluster: Signing;
const wholeSeconds = (): number => Math.floor(cluster.clock.now() / 1000) * 1000;
beforeEach(async () => {
  cluster = new Signing();
  await cluster.start(approvingController, signingController, cleanerController);
});
afterEach(() => cluster.stop());

describe('a request for the certificate of a node', () => {
  it('is approved and signed for whoever may have nodes join', async () => {
    const name = await cluster.ask({});
    expect(await cluster.conditions(name)).toEqual([
      'Approved AutoApproved: Auto approving kubelet client certificate after SubjectAccessReview.',
    ]);
    const certificate = await cluster.certificate(name);
    expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:pi');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(
      certificate.verify(new X509Certificate(cluster.context.cluster.clientCA.certificatePem).publicKey),
    ).toBe(true);
    expect(certificate.validToDate.getTime()).toBe(wholeSeconds() + LEAF_LIFETIME_MS);
  });

  it('waits for a person when the requester may not', async () => {
    cluster.allowed.clear();
    const name = await cluster.ask({});
    expect(await cluster.conditions(name)).toEqual([]);
  });

  it('is approved as a renewal when the node itself asks, whether it is alive or not', async () => {
    await cluster.node('True');
    const name = await cluster.ask({ spec: { username: 'system:node:pi', groups: ['system:nodes'] } });
    expect(await cluster.conditions(name)).toEqual([
      'Approved AutoApproved: Auto approving self kubelet client certificate after SubjectAccessReview.',
    ]);
  });

  it.each(['True', 'False'] as const)('waits while a board of the name has Ready %s', async (status) => {
    await cluster.node(status);
    const name = await cluster.ask({});
    await cluster.settle(20_000);
    expect(await cluster.conditions(name)).toEqual([]);
    await cluster.renewLease();
    await cluster.settle(3000);
    expect(await cluster.conditions(name)).toEqual([
      'Denied NodeNameTaken: a board that is at work has the name "pi"',
    ]);
    expect((await cluster.look(name)).status?.certificate).toBeUndefined();
  });

  it('takes the name of a board that has fallen silent', async () => {
    await cluster.renewLease();
    await cluster.node('True');
    const name = await cluster.ask({});
    await cluster.settle(20_000);
    await cluster.node('Unknown');
    await cluster.settle(3000);
    expect(await cluster.conditions(name)).toEqual([expect.stringMatching(/^Approved/)]);
  });

  it.each<[Wanted]>([
    [{ commonName: 'jane' }],
    [{ organizations: ['system:nodes', 'system:masters'] }],
    [{ names: { dnsNames: ['pi'], ips: [] } }],
    [{ spec: { usages: ['client auth'] } }],
    [{ spec: { usages: ['digital signature', 'client auth', 'server auth'] } }],
    [{ spec: { signerName: 'kubernetes.io/kube-apiserver-client' } }],
    [{ spec: { request: Buffer.from('-----BEGIN CERTIFICATE REQUEST-----').toString('base64') } }],
  ])('is approved only in the form of one: %j', async (wanted) => {
    expect(await cluster.conditions(await cluster.ask(wanted))).toEqual([]);
  });
});

describe('an approved request', () => {
  beforeEach(() => cluster.allowed.clear());

  it.each<[string, Wanted]>([
    ['subject organization is not system:nodes', { organizations: ['devs'] }],
    ['subject common name does not begin with system:node:', { commonName: 'pi' }],
    ['IP subjectAltNames are not allowed', { names: { dnsNames: [], ips: ['10.0.0.1'] } }],
    [
      'usages did not match [digital signature key encipherment client auth]',
      { spec: { usages: ['client auth'] } },
    ],
    [
      'DNS or IP subjectAltName is required',
      { spec: { signerName: 'kubernetes.io/kubelet-serving', usages: ['digital signature', 'server auth'] } },
    ],
    [
      'invalid usage for client certificate: server auth',
      {
        spec: {
          signerName: 'kubernetes.io/kube-apiserver-client',
          usages: ['client auth', 'server auth'],
        },
      },
    ],
    [
      'missing required usage for client certificate: client auth',
      { spec: { signerName: 'kubernetes.io/kube-apiserver-client', usages: ['digital signature'] } },
    ],
  ])('fails for good: %s', async (message, wanted) => {
    const name = await cluster.ask(wanted);
    await cluster.approve(name);
    expect(await cluster.conditions(name)).toContain(`Failed SignerValidationFailure: ${message}`);
    expect((await cluster.look(name)).status?.certificate).toBeUndefined();
  });

  it('of a user is signed with its names, usages and time', async () => {
    const name = await cluster.ask({
      commonName: 'jane',
      organizations: ['devs'],
      names: { dnsNames: ['jane.example'], ips: [], emails: ['jane@example.org'] },
      spec: {
        signerName: 'kubernetes.io/kube-apiserver-client',
        usages: ['client auth', 'key encipherment'],
        expirationSeconds: 3600,
      },
    });
    await cluster.approve(name);
    const certificate = await cluster.certificate(name);
    expect(certificate.subject).toBe('O=devs\nCN=jane');
    expect(certificate.subjectAltName).toBe('DNS:jane.example, email:jane@example.org');
    expect(certificate.validToDate.getTime()).toBe(wholeSeconds() + HOUR_MS);
  });

  it('to a signer of somebody else is left alone', async () => {
    const name = await cluster.ask({ spec: { signerName: 'example.com/mine' } });
    await cluster.approve(name);
    expect((await cluster.look(name)).status?.certificate).toBeUndefined();
  });

  it('serves as a kubelet with the names that were asked for', async () => {
    const name = await cluster.ask({
      names: { dnsNames: ['pi'], ips: ['10.0.0.2'] },
      spec: { signerName: 'kubernetes.io/kubelet-serving', usages: ['digital signature', 'server auth'] },
    });
    await cluster.approve(name);
    const certificate = await cluster.certificate(name);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(certificate.subjectAltName).toBe('DNS:pi, IP Address:10.0.0.2');
  });
});

describe('requests', () => {
  const names = async (): Promise<(string | undefined)[]> =>
    (await cluster.list(resources.certificateSigningRequests)).map(({ metadata }) => metadata.name);

  it('go an hour after they were settled, or a day after nobody looked', async () => {
    const issued = await cluster.ask({});
    const waiting = await cluster.ask({ commonName: 'jane' });
    await cluster.settle(HOUR_MS - 60_000);
    expect(await names()).toEqual([issued, waiting]);
    await cluster.settle(120_000);
    expect(await names()).toEqual([waiting]);
    await cluster.settle(23 * HOUR_MS);
    expect(await names()).toEqual([]);
  });
});
