import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../api/resources.gen.ts';
import type { Security, SecurityContext } from './api-server.ts';
import { createAuthenticator } from './authn/authenticator.ts';
import { createIdentityLookups } from './authn/identity-lookups.ts';
import { tokenKey } from './authn/json-web-token.ts';
import { jsonWebKeySet, openIdConfiguration } from './authn/openid.ts';
import { createServiceAccountTokens } from './authn/service-account-tokens.ts';
import { createRbacAuthorizer } from './authz/rbac-authorizer.ts';
import { unionAuthorizer } from './authz/union-authorizer.ts';
import { sendBytes } from './http/exchange.ts';
import type { Page } from './http/path-pages.ts';
import { EMPTY_CACHE } from './registry/empty-cache.ts';

export interface SecurityOptions {
  /** P-256 key that signs service account tokens, PEM. */
  readonly serviceAccountKeyPem: string;
  /** `iss` of those tokens. */
  readonly issuer: string;
}

/** Who may come in and what they may do, over the cluster's own objects. */
export function createSecurity(options: SecurityOptions & SecurityContext): Security {
  const { cacheOf, clock, log } = options;
  const lookups = createIdentityLookups(cacheOf);
  const tokens = createServiceAccountTokens({
    signingKeyPem: options.serviceAccountKeyPem,
    issuer: options.issuer,
    lookups,
    clock,
  });
  const rbac = createRbacAuthorizer(
    {
      roles: cacheOf(roles) ?? EMPTY_CACHE,
      clusterRoles: cacheOf(clusterRoles) ?? EMPTY_CACHE,
      roleBindings: cacheOf(roleBindings) ?? EMPTY_CACHE,
      clusterRoleBindings: cacheOf(clusterRoleBindings) ?? EMPTY_CACHE,
    },
    log.child('rbac'),
  );
  const authorizer = unionAuthorizer(rbac);
  const refuse = (): never => {
    throw new Error('reviews are not served');
  };
  return {
    authenticator: createAuthenticator({ tokens, lookups, clock }),
    authorizer,
    reviews: {
      token: refuse,
      selfSubject: refuse,
      subjectAccess: refuse,
      selfSubjectAccess: refuse,
      selfSubjectRules: refuse,
      serviceAccountToken: async ({ account, request }) => tokens.issue({ account, request }),
    },
    close: async () => rbac.close(),
  };
}

/** `/.well-known/openid-configuration` and the keys it points to. */
export function securityPages(options: SecurityOptions): ReadonlyMap<string, Page> {
  const { issuer } = options;
  const configuration = openIdConfiguration({ issuer, keysUrl: `${issuer}/openid/v1/jwks` });
  const keys = jsonWebKeySet([tokenKey(options.serviceAccountKeyPem)]);
  const page =
    (type: string, document: object): Page =>
    (exchange) =>
      sendBytes(exchange, 200, type, Buffer.from(JSON.stringify(document)));
  return new Map([
    ['/.well-known/openid-configuration', page('application/json', configuration)],
    ['/openid/v1/jwks', page('application/jwk-set+json', keys)],
  ]);
}
