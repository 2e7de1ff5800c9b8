import { createPrivateKey, createPublicKey } from 'node:crypto';
import { beforeEach, expect, it, vi } from 'vitest';
import { settled } from '../../test/fixtures/settled.ts';
import { podCertificateRequests, serviceAccounts } from '../api/resources.gen.ts';
import type { Pod } from '../api/types.gen.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { parseCertificateRequest } from '../lib/pki/certificate-request.ts';
import { toPem } from '../lib/pki/key.ts';
import { PodCertificates } from './pod-certificates.ts';

const HOUR_MS = 3_600_000;
let clock: FakeClock;
let client: FakeClient;
let certificates: PodCertificates;
const pod: Pod = {
  metadata: { name: 'web', namespace: 'default', uid: 'pod-uid' },
  spec: { nodeName: 'board', containers: [] },
};
const source = {
  signerName: 'example.com/signer',
  keyType: 'ED25519',
  maxExpirationSeconds: 7200,
  userAnnotations: { 'example.com/wish': 'x' },
};
beforeEach(async () => {
  clock = new FakeClock(undefined, settled);
  client = new FakeClient(clock);
  const node = { metadata: { name: 'board', uid: 'node-uid' } };
  certificates = new PodCertificates({ client, clock, node: () => node });
  const metadata = { name: 'default', namespace: 'default', uid: 'account-uid' };
  await client.create(serviceAccounts, { metadata });
});

const requests = async () => (await client.list(podCertificateRequests, { namespace: 'default' })).items;
async function answer(type: string, more = {}): Promise<void> {
  const request = (await requests()).at(-1);
  const conditions = [{ type, status: 'True', reason: 'Test', message: 'said so', lastTransitionTime: '' }];
  await client.update(
    podCertificateRequests,
    { ...request!, status: { conditions, ...more } },
    { subresource: 'status' },
  );
}
const issue = (chain: string) => {
  const at = (ms: number) => new Date(clock.now() + ms).toISOString();
  return answer('Issued', {
    certificateChain: chain,
    beginRefreshAt: at(HOUR_MS),
    notAfter: at(2 * HOUR_MS),
  });
};
/** Until there are so many requests: keys are made outside of the clock's time. */
const asked = async (count: number): Promise<void> =>
  await vi.waitFor(async () => expect(await requests()).toHaveLength(count), { timeout: 20_000 });
/** The promise, while time passes. */
async function settle<T>(promise: Promise<T>): Promise<T> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  promise.then(over, over);
  while (!isOver) await clock.advance(100);
  return await promise;
}
const ask = () => certificates.certificate(pod, 'v/file', source);

it('asks for a certificate for a key of its own and hands out both', async () => {
  const asking = ask();
  await asked(1);
  const [request] = await requests();
  expect(request?.metadata.ownerReferences).toMatchObject([{ kind: 'Pod', name: 'web', uid: 'pod-uid' }]);
  const { stubPKCS10Request, ...spec } = request!.spec;
  expect(spec).toEqual({
    signerName: 'example.com/signer',
    podName: 'web',
    podUID: 'pod-uid',
    serviceAccountName: 'default',
    serviceAccountUID: expect.any(String),
    nodeName: 'board',
    nodeUID: 'node-uid',
    maxExpirationSeconds: 7200,
    unverifiedUserAnnotations: { 'example.com/wish': 'x' },
  });
  await issue('CHAIN');
  const issued = await settle(asking);
  expect(issued.chainPem).toBe('CHAIN');
  const stub = toPem('CERTIFICATE REQUEST', Buffer.from(stubPKCS10Request, 'base64'));
  const key = createPublicKey(createPrivateKey(issued.keyPem));
  expect(parseCertificateRequest(stub).publicKey.equals(key)).toBe(true);
});

it('keeps it until the signer wants it renewed, and beyond while the signer is silent', async () => {
  const asking = ask();
  await asked(1);
  await issue('FIRST');
  const first = await settle(asking);
  expect(await ask()).toBe(first);
  expect(await requests()).toHaveLength(1);
  await clock.advance(HOUR_MS);
  const renewing = ask();
  await asked(2);
  const meanwhile = await settle(renewing);
  expect(meanwhile).toMatchObject({ keyPem: first.keyPem, chainPem: 'FIRST' });
  expect(meanwhile.refreshAtMs).toBeGreaterThan(clock.now());
  await issue('SECOND');
  const second = await settle(ask());
  expect(second.chainPem).toBe('SECOND');
  expect(second.keyPem).not.toBe(first.keyPem);
  certificates.forget('pod-uid');
  const again = ask();
  await asked(3);
  await issue('THIRD');
  await settle(again);
});

it('does not ask twice while the first request waits, and not again after a refusal', async () => {
  await expect(settle(ask())).rejects.toThrow(
    /^PodCertificateRequest "default\/req-web-.*" is not issued yet$/,
  );
  await expect(settle(ask())).rejects.toThrow('is not issued yet');
  expect(await requests()).toHaveLength(1);
  await answer('Denied');
  for (let time = 0; time < 2; time++)
    await expect(settle(ask())).rejects.toThrow('was denied: Test: said so');
  expect(await requests()).toHaveLength(1);
});
