import { request } from 'node:https';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { issueCertificate } from '../../lib/pki/certificate.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';
import { startTestServer } from '../test-server.fake.ts';
import { testTls } from './test-tls.fake.ts';

const HOUR_MS = 3_600_000;
const times = { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS };

/** An authority of the given name, and what it signs. */
function authority(commonName: string) {
  const key = generateKeyPem();
  const ca = issueCertificate({
    subject: { commonName },
    publicKey: publicKeyOf(key),
    selfSigningKeyPem: key,
    use: 'ca',
    ...times,
  });
  const client = (name: string) => {
    const own = generateKeyPem();
    const cert = issueCertificate({
      subject: { commonName: name, organizations: ['system:masters'] },
      publicKey: publicKeyOf(own),
      issuer: { certificatePem: ca, keyPem: key },
      use: 'client',
      ...times,
    });
    return { cert, key: own };
  };
  return { ca, client };
}

const tls = testTls();
const proxies = authority('request-header-ca');
let port: number;
let close: () => Promise<void>;
beforeAll(async () => {
  const proxy = proxies.client('system:auth-proxy');
  const { server } = await startTestServer({
    allow: (user) => !user.name.startsWith('no'),
    frontProxy: {
      certificate: () => ({ certificatePem: proxy.cert, keyPem: proxy.key }),
      commonName: 'system:auth-proxy',
      requestHeaderCaPem: proxies.ca,
      clientCaPem: tls.ca,
    },
  });
  ({ port } = await server.listen({
    host: '127.0.0.1',
    port: 0,
    tls: { ...tls, requestHeaderCa: proxies.ca },
  }));
  close = () => server.close();
});
afterAll(() => close());

/** Who the server takes the sender for, or the code of its refusal. */
function whoAmI(identity: { cert?: string; key?: string }, headers: Record<string, string | string[]>) {
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  return new Promise<{ code: number; text: string }>((resolve, reject) => {
    const sent = request(
      {
        ...{ port, path, method: 'POST', ca: tls.ca, agent: false, cert: identity.cert, key: identity.key },
        headers: { 'content-type': 'application/json', ...headers },
      },
      async (answer) => {
        let text = '';
        for await (const chunk of answer) text += chunk;
        resolve({ code: answer.statusCode ?? 0, text });
      },
    );
    sent.on('error', reject);
    sent.end('{}');
  });
}

describe('a certificate', () => {
  it('counts until it ends, also on a connection that was opened before', async () => {
    const clock = new FakeClock(Date.now());
    const { server } = await startTestServer({ clock });
    const listening = await server.listen({ host: '127.0.0.1', port: 0, tls });
    const { cert, key } = tls.clientCertificate('somebody');
    const pool = new Pool(`https://127.0.0.1:${listening.port}`, {
      connections: 1,
      connect: { ca: tls.ca, cert, key },
    });
    try {
      const ask = async (path: string): Promise<number> => {
        const { statusCode, body } = await pool.request({ path, method: 'GET' });
        await body.dump();
        return statusCode;
      };
      expect(await ask('/api/v1/namespaces/default')).toBe(200);
      clock.jump(HOUR_MS + 1000);
      expect(await ask('/api/v1/namespaces/default')).toBe(401);
      expect(await ask('/livez')).toBe(200);
    } finally {
      await pool.close();
      await server.close();
    }
  });
});

describe('a proxy in front', () => {
  const headers = { 'X-Remote-User': 'noone', 'X-Remote-Group': ['a', 'b'] };

  it('speaks for its clients', async () => {
    const answer = await whoAmI(proxies.client('system:auth-proxy'), headers);
    expect(answer.code).toBe(403);
    expect(answer.text).toContain('User \\"noone\\" cannot create');
  });

  it('is nobody itself, whatever its certificate says', async () => {
    expect((await whoAmI(proxies.client('system:auth-proxy'), {})).code).toBe(401);
  });

  it('must have the right name', async () => {
    expect((await whoAmI(proxies.client('system:admin'), headers)).code).toBe(401);
  });

  it('is none of those whose certificates are for users: their headers say nothing', async () => {
    const { cert, key } = tls.clientCertificate('nobody');
    const answer = await whoAmI(
      { cert, key },
      { 'X-Remote-User': 'admin', 'X-Remote-Group': 'system:masters' },
    );
    expect(answer.code).toBe(403);
    expect(answer.text).toContain('User \\"nobody\\" cannot create');
  });

  it('is nobody without a certificate', async () => {
    expect((await whoAmI({}, { 'X-Remote-User': 'admin' })).code).toBe(401);
  });
});

it('takes a certificate with two names for whom its signer took it for: the last, as upstream', async () => {
  const both = tls.clientCertificate('nobody', undefined, 'someone');
  expect((await whoAmI(both, {})).text).toContain('User \\"nobody\\" cannot create');
});
