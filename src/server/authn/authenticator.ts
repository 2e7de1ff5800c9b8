import { hash } from 'node:crypto';
import { apiError } from '../../api/status.ts';
import type { Clock } from '../../lib/clock.ts';
import type { UserInfo } from '../registry/definition.ts';
import { bootstrapTokenUser } from './bootstrap-tokens.ts';
import type { IdentityLookups } from './identity-lookups.ts';
import type { Authenticator } from './port.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';

export interface AuthenticatorOptions {
  readonly tokens: ServiceAccountTokens;
  readonly lookups: IdentityLookups;
  readonly clock: Clock;
  /** Tokens that never change, such as the cluster's own, and whom they stand for. */
  readonly staticTokens?: ReadonlyMap<string, UserInfo>;
}

/** A token's user, and which of the wanted audiences it is good for. */
export interface AuthenticatedToken {
  readonly user: UserInfo;
  readonly audiences: readonly string[];
}

export interface TokenAuthenticator extends Authenticator {
  /** Throws an `Error` that says why a token of ours does not count; `undefined` for a token nobody knows. */
  authenticateToken(token: string, audiences: readonly string[]): AuthenticatedToken | undefined;
}

export const ANONYMOUS: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
const AUTHENTICATED = 'system:authenticated';

/**
 * Client certificates (user from CN, groups from O), then bearer tokens: static ones, service accounts', bootstrap
 * tokens. The certificate decides where both are sent, as upstream.
 */
export function createAuthenticator(options: AuthenticatorOptions): TokenAuthenticator {
  const { tokens, lookups, clock } = options;
  // Looked up by digest, so that the time a lookup takes tells nothing about a token.
  const fixed = new Map([...(options.staticTokens ?? [])].map(([token, user]) => [digest(token), user]));

  const authenticateToken = (token: string, audiences: readonly string[]): AuthenticatedToken | undefined => {
    const wanted = audiences.length === 0 ? tokens.audiences : audiences;
    const result = tokens.check(token, wanted);
    if (result?.error !== undefined) throw new Error(result.error);
    if (result) return { user: authenticated(result.user), audiences: result.audiences };
    const user = fixed.get(digest(token)) ?? bootstrapTokenUser(token, lookups.secret, clock.now());
    // These are meant for the API server alone.
    const own = wanted.filter((one) => tokens.audiences.includes(one));
    return user && own.length > 0 ? { user: authenticated(user), audiences: own } : undefined;
  };

  // A connection shows the same one with each of its requests.
  const owners = new WeakMap<object, UserInfo>();
  return {
    authenticateToken,
    authenticate({ certificate, token, audiences = [] }) {
      if (certificate && certificate.commonName !== '') {
        const known = owners.get(certificate);
        if (known) return known;
        const user = authenticated({ name: certificate.commonName, groups: certificate.organizations });
        owners.set(certificate, user);
        return user;
      }
      if (token === undefined || token === '') return undefined;
      try {
        const found = authenticateToken(token, audiences);
        if (found) return found.user;
      } catch (cause) {
        throw apiError('Unauthorized', 'Unauthorized', { cause });
      }
      throw apiError('Unauthorized', 'Unauthorized');
    },
  };
}

const digest = (token: string): string => hash('sha256', token, 'base64');

/** Everybody who is somebody belongs to `system:authenticated`. */
function authenticated(user: UserInfo): UserInfo {
  if (user.name === ANONYMOUS.name || user.groups.includes(AUTHENTICATED)) return user;
  return { ...user, groups: [...user.groups, AUTHENTICATED] };
}
