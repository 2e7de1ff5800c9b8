import { beforeEach, describe, expect, it } from 'vitest';
import { certificateSigningRequests } from '../../api/resources.gen.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger } from '../../lib/log.ts';
import { type CertificateAndKey, issueCertificate } from '../../lib/pki/certificate.ts';
import { parseCertificateRequest } from '../../lib/pki/certificate-request.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';
import { CertificateRequests } from './request-certificate.ts';

const NOW_MS = Date.parse('2026-01-02T00:00:00Z');
const caKey = generateKeyPem();
const times = { notBeforeMs: NOW_MS, notAfterMs: NOW_MS + 3_600_000 };
const ca = {
  keyPem: caKey,
  certificatePem: issueCertificate({
    subject: { commonName: 'ca' },
    publicKey: publicKeyOf(caKey),
    selfSigningKeyPem: caKey,
    use: 'ca',
    ...times,
  }),
};
let clock: FakeClock;
let client: FakeClient;
let requests: CertificateRequests;
beforeEach(() => {
  clock = new FakeClock(NOW_MS);
  client = new FakeClient(clock);
  requests = new CertificateRequests();
});

const ask = (): Promise<CertificateAndKey> =>
  requests.request({
    client,
    nodeName: 'pi',
    clock,
    log: silentLogger,
    signal: new AbortController().signal,
  });

/** A try that nobody answers. */
async function askInVain(): Promise<string> {
  const failed = ask().then(
    () => 'signed',
    (error: Error) => error.message,
  );
  await clock.advance(LIMITS.join.certificateMs);
  return await failed;
}

const all = async (): Promise<readonly CertificateSigningRequest[]> =>
  (await client.list(certificateSigningRequests)).items;
async function only(): Promise<CertificateSigningRequest> {
  const [one, ...others] = await all();
  if (one === undefined || others.length > 0) throw new Error(`${others.length + 1} requests`);
  return one;
}

async function answer(csr: CertificateSigningRequest, status: object): Promise<void> {
  await client.update(certificateSigningRequests, { ...csr, status }, { subresource: 'status' });
}

function sign({ spec }: CertificateSigningRequest): object {
  const { publicKey } = parseCertificateRequest(Buffer.from(spec.request, 'base64').toString('utf8'));
  const pem = issueCertificate({
    subject: { commonName: 'system:node:pi', organizations: ['system:nodes'] },
    publicKey,
    issuer: ca,
    use: 'client',
    ...times,
  });
  return { certificate: Buffer.from(pem).toString('base64') };
}

describe('asking for a certificate', () => {
  it('leaves one request behind, however often nobody answers', async () => {
    expect(await askInVain()).toMatch(
      /^nobody approved and signed node-csr-\S+ within 90 s: kubectl get csr$/,
    );
    expect(await askInVain()).toMatch(/^nobody approved and signed/);
    const csr = await only();
    expect(csr.metadata.name).toMatch(/^node-csr-[\w-]{43}$/);
    // Signed between two tries, by somebody who saw it at last.
    await answer(csr, sign(csr));
    const { certificatePem } = await ask();
    expect(certificatePem).toContain('BEGIN CERTIFICATE');
    expect(await all()).toHaveLength(1);
  });

  it('uses a new key for the next certificate', async () => {
    const first = ask();
    await clock.advance(0);
    await answer(await only(), sign(await only()));
    const { keyPem } = await first;
    expect(await askInVain()).toMatch(/^nobody/);
    expect(await all()).toHaveLength(2);
    expect(keyPem).toContain('PRIVATE KEY');
  });

  it('asks anew after a refusal, and after its request was removed', async () => {
    const refused = ask();
    const said = expect(refused).rejects.toMatchObject({ name: 'CertificateRefused', reason: 'NoNeed' });
    await clock.advance(0);
    const condition = { type: 'Denied', status: 'True', reason: 'NoNeed', message: 'go away' };
    await answer(await only(), { conditions: [condition] });
    await said;
    await askInVain();
    expect(await all()).toHaveLength(2);
    for (const { metadata } of await all())
      await client.delete(certificateSigningRequests, { name: metadata.name ?? '' });
    await askInVain();
    expect(await all()).toHaveLength(1);
  });

  it('does not take the request of somebody else for its own', async () => {
    await askInVain();
    const csr = await only();
    await client.update(certificateSigningRequests, { ...csr, spec: { ...csr.spec, request: 'AAAA' } });
    await expect(ask()).rejects.toThrow('is a request of somebody else');
    await askInVain();
    expect(await all()).toHaveLength(2);
  });
});
