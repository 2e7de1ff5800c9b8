import { createPublicKey, verify, type webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';

/**
 * `verify-token <file> <audience>` looks at a service account token as somebody who knows only its issuer's discovery: the
 * issuer of the token, its keys, the signature. Asks the API server with the pod's own credentials.
 */
const [, , file = '', audience = ''] = process.argv;
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const ca = readFileSync(`${ACCOUNT}/ca.crt`);
const headers = { authorization: `Bearer ${readFileSync(`${ACCOUNT}/token`, 'utf8')}` };

function get<T>(url: URL, options: RequestOptions = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca, headers, ...options }, (answer) => {
      text(answer).then((body) => {
        if (answer.statusCode !== 200) reject(new Error(`${url}: ${answer.statusCode} ${body}`));
        else resolve(JSON.parse(body) as T);
      }, reject);
    });
    sent.once('error', reject);
    sent.end();
  });
}

const [head = '', body = '', signature = ''] = readFileSync(file, 'utf8').trim().split('.');
const decode = <T>(part: string): T => JSON.parse(Buffer.from(part, 'base64url').toString()) as T;
const { kid, alg } = decode<{ kid: string; alg: string }>(head);
const claims = decode<{ iss: string; aud: string[]; exp: number; sub: string }>(body);

interface Discovery {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly id_token_signing_alg_values_supported: string[];
}
const server = 'https://kubernetes.default.svc';
const discovery = await get<Discovery>(new URL('/.well-known/openid-configuration', server));
if (discovery.issuer !== claims.iss) throw new Error(`issuer ${discovery.issuer} is not ${claims.iss}`);
if (!discovery.id_token_signing_alg_values_supported.includes(alg))
  throw new Error(`${alg} is not announced`);
const { keys } = await get<{ keys: (webcrypto.JsonWebKey & { kid: string })[] }>(
  new URL(new URL(discovery.jwks_uri).pathname, server),
);
const jwk = keys.find((key) => key.kid === kid);
if (!jwk) throw new Error(`no key ${kid}`);
const key = createPublicKey({ key: jwk, format: 'jwk' } as never);
const isSigned = verify(
  'sha256',
  Buffer.from(`${head}.${body}`),
  { key, dsaEncoding: 'ieee-p1363' },
  Buffer.from(signature, 'base64url'),
);
if (!isSigned) throw new Error('the signature is not of that key');
if (!claims.aud.includes(audience)) throw new Error(`for ${claims.aud}`);
if (claims.exp * 1000 < Date.now()) throw new Error('expired');
console.log(`completed OIDC token validation of ${claims.sub}`);
