import { createPrivateKey } from 'node:crypto';
import { createLocalJWKSet, decodeJwt, jwtVerify, SignJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../api/status.ts';
import type { Secret, ServiceAccount, TokenRequest } from '../../api/types.gen.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { generateKeyPem } from '../../lib/pki/key.ts';
import { createAuthenticator, type TokenAuthenticator } from './authenticator.ts';
import type { Identity, IdentityLookups, PodIdentity } from './identity-lookups.ts';
import { legacyTokenSigner } from './legacy-tokens.ts';
import { jsonWebKeySet } from './openid.ts';
import { createServiceAccountTokens, type ServiceAccountTokens } from './service-account-tokens.ts';

const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const keyPem = generateKeyPem();
let clock: FakeClock;
let accounts: Map<string, Identity>;
let pods: Map<string, PodIdentity>;
let secrets: Map<string, Secret>;
let nodes: Map<string, Identity>;
let tokens: ServiceAccountTokens;
let authenticator: TokenAuthenticator;
const alive = (uid: string): Identity => ({ uid, deletionTimestamp: undefined });

beforeEach(() => {
  clock = new FakeClock(Date.UTC(2026, 5, 1));
  accounts = new Map([['ns/web', alive('sa-1')]]);
  pods = new Map([['ns/web-0', { ...alive('pod-1'), serviceAccountName: 'web', nodeName: 'pi' }]]);
  secrets = new Map();
  nodes = new Map([['pi', alive('node-1')]]);
  const lookups: IdentityLookups = {
    serviceAccount: (namespace, name) => accounts.get(`${namespace}/${name}`),
    pod: (namespace, name) => pods.get(`${namespace}/${name}`),
    secret: (namespace, name) => secrets.get(`${namespace}/${name}`),
    node: (name) => nodes.get(name),
  };
  tokens = createServiceAccountTokens({ signingKeyPem: keyPem, issuer: ISSUER, lookups, clock });
  authenticator = createAuthenticator({
    tokens,
    lookups,
    clock,
    staticTokens: new Map([['cluster-secret', { name: 'node', groups: ['system:bootstrappers'] }]]),
  });
});

const account: ServiceAccount = { metadata: { name: 'web', namespace: 'ns', uid: 'sa-1' } };
const issue = (spec: TokenRequest['spec'] = {}): string =>
  tokens.issue({ account, request: { metadata: {}, spec } }).status?.token ?? '';
const bound = { apiVersion: 'v1', kind: 'Pod', name: 'web-0', uid: 'pod-1' };
const who = async (token: string) => authenticator.authenticate({ token })?.name;
const refusal = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    if (error instanceof ApiError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('service account tokens', () => {
  it("carry upstream's claims and verify against the published keys", async () => {
    const answer = tokens.issue({ account, request: { metadata: {}, spec: { boundObjectRef: bound } } });
    const token = answer.status?.token ?? '';
    const now = clock.now() / 1000;
    const keys = createLocalJWKSet(jsonWebKeySet(tokens.keys) as Parameters<typeof createLocalJWKSet>[0]);
    const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, currentDate: new Date(clock.now()) });
    expect(payload).toEqual({
      aud: [ISSUER],
      exp: now + 3600,
      iat: now,
      iss: ISSUER,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      'kubernetes.io': {
        namespace: 'ns',
        node: { name: 'pi', uid: 'node-1' },
        pod: { name: 'web-0', uid: 'pod-1' },
        serviceaccount: { name: 'web', uid: 'sa-1' },
      },
      nbf: now,
      sub: 'system:serviceaccount:ns:web',
    });
    expect(answer.status?.expirationTimestamp).toBe('2026-06-01T01:00:00Z');
  });

  it('identify the account, its groups, pod and node', async () => {
    const token = issue({ boundObjectRef: bound });
    expect(authenticator.authenticate({ token })).toEqual({
      name: 'system:serviceaccount:ns:web',
      uid: 'sa-1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [`JTI=${decodeJwt(token).jti}`],
        'authentication.kubernetes.io/node-name': ['pi'],
        'authentication.kubernetes.io/node-uid': ['node-1'],
        'authentication.kubernetes.io/pod-name': ['web-0'],
        'authentication.kubernetes.io/pod-uid': ['pod-1'],
      },
    });
  });

  it('end in time', async () => {
    const token = issue({ expirationSeconds: 600 });
    clock.jump(600_000 + 59_000);
    expect(await who(token)).toBe('system:serviceaccount:ns:web');
    clock.jump(2000);
    await expect(who(token)).rejects.toThrow('Unauthorized');
  });

  it('survive a clock that is set back, and are dated sensibly before it is set', async () => {
    const token = issue();
    clock.jump(-365 * 86_400_000);
    expect(await who(token)).toBe('system:serviceaccount:ns:web');
    clock.jump(-clock.now());
    expect(decodeJwt(issue()).exp).toBe(Date.UTC(2026, 0, 1) / 1000 + 3600);
  });

  it('of pods last a year for old clients, but say an hour', () => {
    const answer = tokens.issue({
      account,
      request: { metadata: {}, spec: { boundObjectRef: bound, expirationSeconds: 3607 } },
    });
    const claims = decodeJwt(answer.status?.token ?? '');
    expect(claims.exp).toBe((claims.iat ?? 0) + 365 * 86_400);
    expect(claims['kubernetes.io']).toMatchObject({ warnafter: (claims.iat ?? 0) + 3607 });
    expect(answer.status?.expirationTimestamp).toBe('2026-06-01T01:00:07Z');
  });

  it.each([
    ['the account is deleted', () => accounts.clear()],
    ['the account is another one', () => accounts.set('ns/web', alive('sa-2'))],
    ['the pod is deleted', () => pods.clear()],
    [
      'the pod is another one',
      () => pods.set('ns/web-0', { ...alive('pod-2'), serviceAccountName: 'web', nodeName: 'pi' }),
    ],
    [
      'the pod has been going for long',
      () =>
        pods.set('ns/web-0', {
          uid: 'pod-1',
          deletionTimestamp: '2026-05-31T23:00:00Z',
          serviceAccountName: 'web',
          nodeName: 'pi',
        }),
    ],
  ])('stop counting when %s', async (_why, happens) => {
    const token = issue({ boundObjectRef: bound });
    expect(await who(token)).toBe('system:serviceaccount:ns:web');
    happens();
    await expect(who(token)).rejects.toThrow('Unauthorized');
  });

  it('count for their audiences only', async () => {
    const token = issue({ audiences: ['vault', 'other'] });
    await expect(who(token)).rejects.toThrow('Unauthorized');
    expect(authenticator.authenticateToken(token, ['vault', 'x'])?.audiences).toEqual(['vault']);
  });

  it('cannot be forged', async () => {
    const [header = '', body = '', signature = ''] = issue().split('.');
    const claims = { ...decodeJwt(`${header}.${body}.`), sub: 'system:serviceaccount:kube-system:admin' };
    const forged = Buffer.from(JSON.stringify(claims)).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const foreign = await new SignJWT(decodeJwt(`${header}.${body}.`))
      .setProtectedHeader({ alg: 'ES256' })
      .sign(createPrivateKey(generateKeyPem()));
    const symmetric = await new SignJWT(decodeJwt(`${header}.${body}.`))
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(keyPem));
    for (const token of [
      `${header}.${forged}.${signature}`,
      `${none}.${body}.`,
      `${none}.${body}.${signature}`,
      foreign,
      symmetric,
      'a.b.c',
      'x',
    ])
      await expect(who(token)).rejects.toThrow('Unauthorized');
  });

  it.each([
    [
      { expirationSeconds: 60 },
      '422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
    ],
    [
      { boundObjectRef: { ...bound, uid: 'x' } },
      '409 Operation cannot be fulfilled on Pod "web-0": the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated',
    ],
    [{ boundObjectRef: { ...bound, name: 'no' } }, '404 pods "no" not found'],
    [
      { boundObjectRef: { ...bound, kind: 'Service' } },
      '400 cannot bind token to object of type v1, Kind=Service',
    ],
  ])('are refused for %j', (spec, message) => {
    expect(refusal(() => issue(spec))).toBe(message);
  });

  it('are not bound to a pod of another account', () => {
    pods.set('ns/web-0', { ...alive('pod-1'), serviceAccountName: 'other', nodeName: undefined });
    expect(refusal(() => issue({ boundObjectRef: bound }))).toContain(
      'running with different serviceaccount name',
    );
  });
});

describe('tokens of Secrets', () => {
  const claims = {
    namespace: 'ns',
    serviceAccountName: 'web',
    serviceAccountUid: 'sa-1',
    secretName: 'web-token',
  };
  const store = (token: string, metadata: Partial<Secret['metadata']> = {}) =>
    secrets.set('ns/web-token', {
      metadata: { name: 'web-token', namespace: 'ns', uid: 's-1', ...metadata },
      type: 'kubernetes.io/service-account-token',
      data: { token: Buffer.from(token).toString('base64') },
    });

  it("carry upstream's claims and no end", () => {
    expect(decodeJwt(legacyTokenSigner(keyPem)(claims))).toEqual({
      iss: 'kubernetes/serviceaccount',
      'kubernetes.io/serviceaccount/namespace': 'ns',
      'kubernetes.io/serviceaccount/secret.name': 'web-token',
      'kubernetes.io/serviceaccount/service-account.name': 'web',
      'kubernetes.io/serviceaccount/service-account.uid': 'sa-1',
      sub: 'system:serviceaccount:ns:web',
    });
  });

  it('count as long as Secret and account are there, for the API server alone', async () => {
    const token = legacyTokenSigner(keyPem)(claims);
    store(token);
    await clock.advance(20 * 365 * 24 * 3600_000);
    expect(authenticator.authenticate({ token })).toMatchObject({
      name: 'system:serviceaccount:ns:web',
      uid: 'sa-1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    });
    expect(() => authenticator.authenticate({ token, audiences: ['vault'] })).toThrow('Unauthorized');
    for (const change of [
      () => store(`${token}x`),
      () => store(token, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      () => store(token, { labels: { 'kubernetes.io/legacy-token-invalid-since': '2026-01-01' } }),
      () => secrets.clear(),
    ]) {
      change();
      await expect(who(token)).rejects.toThrow('Unauthorized');
    }
    store(token);
    accounts.set('ns/web', alive('sa-2'));
    await expect(who(token)).rejects.toThrow('Unauthorized');
  });

  it('cannot be forged or bent', async () => {
    const forged = legacyTokenSigner(generateKeyPem())(claims);
    store(forged);
    await expect(who(forged)).rejects.toThrow('Unauthorized');
    const nameless = legacyTokenSigner(keyPem)({ ...claims, secretName: '' });
    await expect(who(nameless)).rejects.toThrow('Unauthorized');
  });
});

describe('other credentials', () => {
  it('read user and groups from a certificate', async () => {
    const certificate = { commonName: 'jane', organizations: ['devs'] };
    expect(authenticator.authenticate({ certificate })).toEqual({
      name: 'jane',
      groups: ['devs', 'system:authenticated'],
    });
    expect(authenticator.authenticate({})).toBeUndefined();
  });

  it('know static tokens', async () => {
    expect(await who('cluster-secret')).toBe('node');
    await expect(who('cluster-secret2')).rejects.toThrow('Unauthorized');
  });

  const bootstrap = (data: Record<string, string | undefined>): Secret => ({
    metadata: { name: 'bootstrap-token-abcdef' },
    type: 'bootstrap.kubernetes.io/token',
    data: Object.fromEntries(
      Object.entries({
        'token-id': 'abcdef',
        'token-secret': '0123456789abcdef',
        'usage-bootstrap-authentication': 'true',
        ...data,
      }).map(([key, value]) => [key, Buffer.from(value ?? '').toString('base64')]),
    ),
  });

  it('know bootstrap tokens while they last', async () => {
    const token = 'abcdef.0123456789abcdef';
    const put = (data: Record<string, string | undefined>) =>
      secrets.set('kube-system/bootstrap-token-abcdef', bootstrap(data));
    put({ expiration: '2026-06-02T00:00:00Z', 'auth-extra-groups': 'system:bootstrappers:pi' });
    expect(authenticator.authenticate({ token })).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:pi', 'system:authenticated'],
    });
    await expect(who('abcdef.0123456789abcdee')).rejects.toThrow('Unauthorized');
    for (const data of [
      { expiration: '2026-05-01T00:00:00Z' },
      { expiration: 'soon' },
      { 'usage-bootstrap-authentication': 'false' },
      { 'auth-extra-groups': 'system:masters' },
    ]) {
      put(data);
      await expect(who(token)).rejects.toThrow('Unauthorized');
    }
  });
});
