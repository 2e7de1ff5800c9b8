import {
  createHash,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { isObject, type JsonObject } from '../../api/json-value.ts';

/** A key of an ES256 token (RFC 7518) and the id that tokens carry, as upstream derives it. */
export interface TokenKey {
  readonly id: string;
  readonly publicKey: KeyObject;
}

export function tokenKey(pem: string): TokenKey {
  const publicKey = createPublicKey(pem);
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { id: createHash('sha256').update(der).digest('base64url'), publicKey };
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Makes a function that signs claims with a P-256 key, which is read only once. */
export function tokenSigner(privatePem: string): (claims: object) => string {
  const key = createPrivateKey(privatePem);
  const header = encode({ alg: 'ES256', kid: tokenKey(privatePem).id });
  return (claims) => {
    const body = `${header}.${encode(claims)}`;
    return `${body}.${sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
}

/** The claims of a token, unchecked: to find out whose token it claims to be. `undefined` for what is no token. */
export function unverifiedClaims(token: string): JsonObject | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  return decode(parts[1] ?? '');
}

/** The claims of a token that one of the keys signed. Only ES256 is accepted, whatever the token says. */
function verifiedClaims(token: string, keys: readonly TokenKey[]): JsonObject | undefined {
  const [header = '', body = '', signature = '', ...rest] = token.split('.');
  const decoded = decode(header);
  if (rest.length > 0 || decoded?.['alg'] !== 'ES256' || decoded['crit'] !== undefined) return undefined;
  const named = keys.filter(({ id }) => id === decoded['kid']);
  const bytes = Buffer.from(signature, 'base64url');
  const input = Buffer.from(`${header}.${body}`);
  const isSigned = (named.length > 0 ? named : keys).some(({ publicKey }) =>
    verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes),
  );
  return isSigned ? decode(body) : undefined;
}

function decode(part: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Remembers which tokens were signed, since a check costs a millisecond on a small board and the answer never changes.
 * Bounded; holds digests, not tokens.
 */
export class VerifiedTokens {
  readonly #known = new Map<string, JsonObject>();
  readonly #keys: readonly TokenKey[];
  readonly #size: number;

  constructor(keys: readonly TokenKey[], size: number) {
    this.#keys = keys;
    this.#size = size;
  }
  claims(token: string): JsonObject | undefined {
    const digest = hash('sha256', token, 'base64');
    const known = this.#known.get(digest);
    if (known) return known;
    const claims = verifiedClaims(token, this.#keys);
    if (claims === undefined) return undefined;
    if (this.#known.size >= this.#size) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(digest, claims);
    return claims;
  }
}
