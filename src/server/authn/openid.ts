import type { TokenKey } from './json-web-token.ts';

/** `/.well-known/openid-configuration`: lets others check service account tokens (OpenID Connect Discovery 1.0). */
export function openIdConfiguration(options: { readonly issuer: string; readonly keysUrl: string }): object {
  return {
    issuer: options.issuer,
    jwks_uri: options.keysUrl,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

/** `/openid/v1/jwks` (RFC 7517), media type `application/jwk-set+json`. */
export function jsonWebKeySet(keys: readonly TokenKey[]): object {
  return {
    keys: keys.map(({ id, publicKey }) => {
      const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
      return { use: 'sig', kty, kid: id, crv, alg: 'ES256', x, y };
    }),
  };
}
