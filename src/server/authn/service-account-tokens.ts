import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject } from '../../api/json-value.ts';
import { apiError, badRequest, conflict, invalid, notFound } from '../../api/status.ts';
import type { ServiceAccount, TokenRequest } from '../../api/types.gen.ts';
import { type Clock, rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { EARLIEST_NOW_MS } from '../../lib/pki/validity.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Identity, IdentityLookups } from './identity-lookups.ts';
import { tokenKey, tokenSigner, unverifiedClaims, VerifiedTokens } from './json-web-token.ts';
import { LEGACY_ISSUER, legacyClaims, secretRefusal } from './legacy-tokens.ts';

export interface ServiceAccountTokensOptions {
  /** P-256 key that signs. */
  readonly signingKeyPem: string;
  /** Older keys whose tokens still count. */
  readonly olderKeyPems?: readonly string[];
  /** `iss` of new tokens, such as `https://kubernetes.default.svc.cluster.local`. */
  readonly issuer: string;
  /** What tokens are for when nothing else is asked; the issuer by default. */
  readonly audiences?: readonly string[];
  readonly lookups: IdentityLookups;
  readonly clock: Clock;
}

/** Issues and checks the tokens of service accounts (KEP-1205, KEP-2799, KEP-4193). */
export interface ServiceAccountTokens {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: readonly ReturnType<typeof tokenKey>[];
  /** Fills in `status`. Throws 400, 404, 409 or 422 in upstream's words. */
  issue(options: { readonly account: ServiceAccount; readonly request: TokenRequest }): TokenRequest;
  /** `undefined`: not a token of this issuer. `error`: it is, but does not count; for logs, not for the sender. */
  check(token: string, audiences: readonly string[]): TokenResult | undefined;
}

export type TokenResult =
  | { readonly user: UserInfo; readonly audiences: readonly string[]; readonly error?: undefined }
  | { readonly error: string };

/** What a kubelet asks for in a pod; such a token is made to last a year, so that old clients go on working. */
const POD_TOKEN_SECONDS = 3607;
const EXTENDED_SECONDS = 365 * 24 * 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
/** Clock skew that is forgiven, and how long an object that is being deleted keeps its tokens. */
const LEEWAY_MS = 60_000;
const PRIVATE_CLAIM = 'kubernetes.io';

interface Ref {
  readonly name: string;
  readonly uid: string;
}
interface Binding {
  readonly pod?: Ref;
  readonly secret?: Ref;
  readonly node?: Ref;
}

export function createServiceAccountTokens(options: ServiceAccountTokensOptions): ServiceAccountTokens {
  const { issuer, lookups, clock } = options;
  const audiences = options.audiences ?? [issuer];
  const keys = [options.signingKeyPem, ...(options.olderKeyPems ?? [])].map(tokenKey);
  const sign = tokenSigner(options.signingKeyPem);
  const verified = new VerifiedTokens(keys, LIMITS.authn.verifiedTokens);
  return {
    issuer,
    audiences,
    keys,
    issue({ account, request }) {
      const spec = validated(request, audiences);
      const bound = binding(account, spec.boundObjectRef, lookups);
      // Seconds since the epoch; a clock that has not been set yet must not date tokens into 1970.
      const now = Math.floor(Math.max(clock.now(), EARLIEST_NOW_MS) / 1000);
      const isExtended =
        spec.expirationSeconds === POD_TOKEN_SECONDS &&
        bound.pod !== undefined &&
        spec.audiences.every((one) => audiences.includes(one));
      const { namespace = '', name = '', uid = '' } = account.metadata;
      const claims = {
        aud: spec.audiences,
        exp: now + (isExtended ? EXTENDED_SECONDS : spec.expirationSeconds),
        iat: now,
        iss: issuer,
        jti: randomUUID(),
        [PRIVATE_CLAIM]: {
          namespace,
          ...bound,
          serviceaccount: { name, uid },
          ...(isExtended ? { warnafter: now + spec.expirationSeconds } : {}),
        },
        nbf: now,
        sub: `system:serviceaccount:${namespace}:${name}`,
      };
      return {
        ...request,
        metadata: { ...request.metadata, name, namespace },
        spec,
        status: {
          token: sign(claims),
          expirationTimestamp: rfc3339((now + spec.expirationSeconds) * 1000),
        },
      };
    },
    check(token, wanted) {
      const claimed = unverifiedClaims(token)?.['iss'];
      if (claimed !== issuer && claimed !== LEGACY_ISSUER) return undefined;
      const claims = verified.claims(token);
      if (claims === undefined) return { error: 'the signature does not match' };
      if (claimed === LEGACY_ISSUER) {
        // These tokens name no audience: they are for the API server.
        const own = audiences.filter((one) => wanted.length === 0 || wanted.includes(one));
        if (own.length === 0) return { error: 'a token of a Secret is only for the API server' };
        return checkLegacy({ token, claims, audiences: own }, lookups, clock.now());
      }
      return checkClaims(claims, wanted.length === 0 ? audiences : wanted, lookups, clock.now());
    },
  };
}

type ValidSpec = NonNullable<TokenRequest['spec']> & { audiences: string[]; expirationSeconds: number };

function validated(request: TokenRequest, audiences: readonly string[]): ValidSpec {
  const spec = request.spec ?? {};
  const expirationSeconds = spec.expirationSeconds ?? 3600;
  const why =
    expirationSeconds < MIN_SECONDS
      ? 'may not specify a duration less than 10 minutes'
      : expirationSeconds > MAX_SECONDS
        ? 'may not specify a duration larger than 2^32 seconds'
        : undefined;
  if (why !== undefined)
    throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
      {
        field: 'spec.expirationSeconds',
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${expirationSeconds}: ${why}`,
      },
    ]);
  const asked = spec.audiences ?? [];
  return { ...spec, expirationSeconds, audiences: asked.length === 0 ? [...audiences] : asked };
}

function binding(
  account: ServiceAccount,
  ref: NonNullable<TokenRequest['spec']>['boundObjectRef'],
  lookups: IdentityLookups,
): Binding {
  if (ref === undefined) return {};
  const { kind = '', apiVersion = '', name = '' } = ref;
  const { namespace = '' } = account.metadata;
  const checked = (resource: string, found: Identity | undefined): Ref => {
    if (found === undefined) throw notFound({ group: '', resource }, name);
    if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== found.uid)
      throw conflict(
        { group: '', resource: kind },
        name,
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    return { name, uid: found.uid };
  };
  if (apiVersion === 'v1' && kind === 'Pod') {
    const pod = lookups.pod(namespace, name);
    const result = checked('pods', pod);
    if (pod?.serviceAccountName !== account.metadata.name)
      throw badRequest(
        `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`,
      );
    const node = pod?.nodeName ? lookups.node(pod.nodeName) : undefined;
    return { ...(node && pod?.nodeName ? { node: { name: pod.nodeName, uid: node.uid } } : {}), pod: result };
  }
  if (apiVersion === 'v1' && kind === 'Secret') {
    const secret = lookups.secret(namespace, name);
    return {
      secret: checked('secrets', secret && { uid: secret.metadata.uid ?? '', deletionTimestamp: undefined }),
    };
  }
  if (apiVersion === 'v1' && kind === 'Node') return { node: checked('nodes', lookups.node(name)) };
  throw apiError('BadRequest', `cannot bind token to object of type ${apiVersion}, Kind=${kind}`);
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function refOf(value: unknown): Ref | undefined {
  return isObject(value) ? { name: text(value['name']), uid: text(value['uid']) } : undefined;
}

function checkClaims(
  claims: JsonObject,
  wanted: readonly string[],
  lookups: IdentityLookups,
  nowMs: number,
): TokenResult {
  const aud = claims['aud'];
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((one) => typeof one === 'string');
  const matching = audiences.filter((one) => wanted.includes(one));
  if (matching.length === 0)
    return {
      error: `token audiences ${JSON.stringify(audiences)} is invalid for the target audiences ${JSON.stringify(wanted)}`,
    };
  // `nbf` is our own clock's word: a clock set back would lock every pod out until it caught up.
  if (typeof claims['exp'] !== 'number' || nowMs > claims['exp'] * 1000 + LEEWAY_MS)
    return { error: 'service account token has expired' };
  const own = isObject(claims[PRIVATE_CLAIM]) ? claims[PRIVATE_CLAIM] : {};
  const namespace = text(own['namespace']);
  const account = refOf(own['serviceaccount']);
  if (!account || claims['sub'] !== `system:serviceaccount:${namespace}:${account.name}`)
    return { error: 'the subject does not match the claims' };
  const pod = refOf(own['pod']);
  const secret = refOf(own['secret']);
  const node = refOf(own['node']);
  const error =
    gone('service account', account, lookups.serviceAccount(namespace, account.name), nowMs) ??
    (pod && gone('pod', pod, lookups.pod(namespace, pod.name), nowMs)) ??
    (secret && gone('secret', secret, secretIdentity(lookups, namespace, secret.name), nowMs)) ??
    // With a pod the node is only told, not a condition.
    (node && pod === undefined ? gone('node', node, lookups.node(node.name), nowMs) : undefined);
  if (error !== undefined) return { error };
  return { audiences: matching, user: userOf(namespace, account, { pod, node, id: text(claims['jti']) }) };
}

function checkLegacy(
  { token, claims, audiences }: { token: string; claims: JsonObject; audiences: readonly string[] },
  lookups: IdentityLookups,
  nowMs: number,
): TokenResult {
  const said = legacyClaims(claims);
  if (said === undefined) return { error: 'the subject does not match the claims' };
  const { namespace, serviceAccountName, serviceAccountUid, secretName } = said;
  const account = { name: serviceAccountName, uid: serviceAccountUid };
  const secret = lookups.secret(namespace, secretName);
  const error =
    secretRefusal(secret, token) ??
    (secret &&
      gone(
        'secret',
        { name: secretName, uid: secret.metadata.uid ?? '' },
        secretIdentity(lookups, namespace, secretName),
        nowMs,
      )) ??
    gone('service account', account, lookups.serviceAccount(namespace, serviceAccountName), nowMs);
  if (error !== undefined) return { error };
  return { audiences, user: userOf(namespace, account, { pod: undefined, node: undefined, id: '' }) };
}

function secretIdentity(lookups: IdentityLookups, namespace: string, name: string): Identity | undefined {
  const secret = lookups.secret(namespace, name);
  return secret && { uid: secret.metadata.uid ?? '', deletionTimestamp: secret.metadata.deletionTimestamp };
}

function gone(what: string, ref: Ref, found: Identity | undefined, nowMs: number): string | undefined {
  if (found === undefined) return `${what} ${ref.name} is gone`;
  if (found.uid !== ref.uid) return `${what} ${ref.name} is another one by now`;
  const { deletionTimestamp } = found;
  if (deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + LEEWAY_MS < nowMs)
    return `${what} ${ref.name} has been deleted`;
  return undefined;
}

function userOf(
  namespace: string,
  account: Ref,
  bound: { readonly pod: Ref | undefined; readonly node: Ref | undefined; readonly id: string },
): UserInfo {
  const extra: Record<string, string[]> = {};
  if (bound.id !== '') extra['authentication.kubernetes.io/credential-id'] = [`JTI=${bound.id}`];
  for (const kind of ['node', 'pod'] as const) {
    const ref = bound[kind];
    if (!ref) continue;
    extra[`authentication.kubernetes.io/${kind}-name`] = [ref.name];
    extra[`authentication.kubernetes.io/${kind}-uid`] = [ref.uid];
  }
  return {
    name: `system:serviceaccount:${namespace}:${account.name}`,
    uid: account.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra,
  };
}
