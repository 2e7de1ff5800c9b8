import type { JsonObject } from '../../api/json-value.ts';
import { tokenSigner } from './json-web-token.ts';

/** `iss` of tokens that live in Secrets of type `kubernetes.io/service-account-token`; the same in every cluster. */
export const LEGACY_ISSUER = 'kubernetes/serviceaccount';
/** Upstream's clean-up of unused tokens sets it, and so may a person: the token no longer counts. */
const INVALID_SINCE = 'kubernetes.io/legacy-token-invalid-since';
const PREFIX = 'kubernetes.io/serviceaccount/';

export interface LegacyClaims {
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUid: string;
  readonly secretName: string;
}

/** Makes a function that signs the token of a Secret. It never expires: it counts as long as the Secret holds it. */
export function legacyTokenSigner(signingKeyPem: string): (claims: LegacyClaims) => string {
  const sign = tokenSigner(signingKeyPem);
  return ({ namespace, serviceAccountName, serviceAccountUid, secretName }) =>
    sign({
      iss: LEGACY_ISSUER,
      [`${PREFIX}namespace`]: namespace,
      [`${PREFIX}secret.name`]: secretName,
      [`${PREFIX}service-account.name`]: serviceAccountName,
      [`${PREFIX}service-account.uid`]: serviceAccountUid,
      sub: `system:serviceaccount:${namespace}:${serviceAccountName}`,
    });
}

/** What a verified token says; `undefined` when something is missing or its subject is somebody else. */
export function legacyClaims(claims: JsonObject): LegacyClaims | undefined {
  const part = (name: string): string => {
    const value = claims[`${PREFIX}${name}`];
    return typeof value === 'string' ? value : '';
  };
  const found = {
    namespace: part('namespace'),
    serviceAccountName: part('service-account.name'),
    serviceAccountUid: part('service-account.uid'),
    secretName: part('secret.name'),
  };
  const isWhole = Object.values(found).every((value) => value !== '');
  const subject = `system:serviceaccount:${found.namespace}:${found.serviceAccountName}`;
  return isWhole && claims['sub'] === subject ? found : undefined;
}

/** Why the Secret of a token does not stand for it; `undefined` when it does. */
export function secretRefusal(
  secret:
    | { readonly metadata: { readonly labels?: object }; readonly data?: Readonly<Record<string, string>> }
    | undefined,
  token: string,
): string | undefined {
  if (secret === undefined) return 'its Secret is gone';
  if (Buffer.from(secret.data?.['token'] ?? '', 'base64').toString() !== token)
    return 'its Secret holds another token';
  return Object.hasOwn(secret.metadata.labels ?? {}, INVALID_SINCE) ? 'it has been invalidated' : undefined;
}
