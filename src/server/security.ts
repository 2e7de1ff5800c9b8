import type { KubeObject, Resource } from '../api/resource.ts';
import {
  clusterRoleBindings,
  clusterRoles,
  persistentVolumeClaims,
  pods,
  roleBindings,
  roles,
} from '../api/resources.gen.ts';
import { isNotFound } from '../api/status.ts';
import type { PersistentVolumeClaim } from '../api/types.gen.ts';
import type { Client } from '../client/port.ts';
import type { TokenUser } from '../lib/join-token.ts';
import { certificateApproval } from './admission/certificate-approval.ts';
import { certificateSigning } from './admission/certificate-signing.ts';
import { clusterTrustBundleAttest } from './admission/cluster-trust-bundle-attest.ts';
import { resourceClaimStatus } from './admission/resource-claim-status.ts';
import type { Security, SecurityContext } from './api-server.ts';
import { createAuthenticator } from './authn/authenticator.ts';
import { createIdentityLookups } from './authn/identity-lookups.ts';
import { tokenKey } from './authn/json-web-token.ts';
import { jsonWebKeySet, openIdConfiguration } from './authn/openid.ts';
import { createServiceAccountTokens } from './authn/service-account-tokens.ts';
import { type DefaultObject, defaultRbacObjects, NODE_BOOTSTRAPPERS } from './authz/default-objects.ts';
import { createEscalationPlugin } from './authz/escalation.ts';
import { createNodeAuthorizer } from './authz/node-authorizer.ts';
import { createNodeGraph } from './authz/node-graph.ts';
import { createRbacAuthorizer } from './authz/rbac-authorizer.ts';
import { reconcile } from './authz/reconcile.ts';
import { createReviews } from './authz/reviews.ts';
import { unionAuthorizer } from './authz/union-authorizer.ts';
import { sendBytes } from './http/exchange.ts';
import type { Page } from './http/path-pages.ts';
import type { UserInfo } from './registry/definition.ts';
import { EMPTY_CACHE } from './registry/empty-cache.ts';
import type { WatchCache } from './watchcache/port.ts';

export interface SecurityOptions {
  /** P-256 key that signs service account tokens, PEM. */
  readonly serviceAccountKeyPem: string;
  /** `iss` of those tokens. */
  readonly issuer: string;
  /** Secrets that boards show when they join: they open nothing but asking for a certificate. */
  readonly joinSecrets: Readonly<Record<TokenUser, string>>;
}

const joining = (user: TokenUser): UserInfo => ({
  name: `system:bootstrap:${user}`,
  groups: ['system:bootstrappers', NODE_BOOTSTRAPPERS],
});

/** Who may come in and what they may do, over the cluster's own objects. Default roles exist when it resolves. */
export async function createSecurity(options: SecurityOptions & SecurityContext): Promise<Security> {
  const { cacheOf, client, clock, log } = options;
  const cacheOr = (resource: Resource): WatchCache => cacheOf(resource) ?? EMPTY_CACHE;
  await ensureDefaultRoles(client, (resource) => cacheOf(resource) !== undefined);
  const lookups = createIdentityLookups(cacheOf);
  const { serviceAccountKeyPem: signingKeyPem, issuer } = options;
  const tokens = createServiceAccountTokens({ signingKeyPem, issuer, lookups, clock });
  const authenticator = createAuthenticator({
    tokens,
    lookups,
    clock,
    staticTokens: new Map([
      [options.joinSecrets.node, joining('node')],
      [options.joinSecrets.server, joining('server')],
    ]),
  });
  const rbac = createRbacAuthorizer(
    {
      roles: cacheOr(roles),
      clusterRoles: cacheOr(clusterRoles),
      roleBindings: cacheOr(roleBindings),
      clusterRoleBindings: cacheOr(clusterRoleBindings),
    },
    log.child('rbac'),
  );
  const graph = createNodeGraph(cacheOr(pods), log.child('node-authorizer'));
  const volumeOf = (namespace: string, name: string): string | undefined =>
    (cacheOr(persistentVolumeClaims).get(namespace, name)?.object() as PersistentVolumeClaim | undefined)
      ?.spec?.volumeName;
  const authorizer = unionAuthorizer(createNodeAuthorizer({ graph, volumeOf }), rbac);
  return {
    authenticator,
    authorizer,
    reviews: createReviews({ authenticator, authorizer, tokens, clock }),
    nodeGraph: graph,
    admission: [
      certificateApproval(authorizer),
      certificateSigning(authorizer),
      clusterTrustBundleAttest(authorizer),
      resourceClaimStatus(authorizer),
      createEscalationPlugin({ rbac, authorizer }),
    ],
    async close() {
      rbac.close();
      graph.close();
    },
  };
}

/** Creates default roles and bindings, and gives back what was taken from them, unless they say to be left alone. */
async function ensureDefaultRoles(client: Client, serves: (resource: Resource) => boolean): Promise<void> {
  const wanted = defaultRbacObjects().filter(({ resource }) => serves(resource));
  await Promise.all(wanted.map((one) => ensureDefault(client, one as DefaultObject)));
}

async function ensureDefault(client: Client, { resource, object }: DefaultObject): Promise<void> {
  const { name = '', namespace } = object.metadata;
  const found = await client.get(resource, { name, namespace }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  const step = reconcile<KubeObject>(object, found);
  if (step.action === 'none') return;
  if (step.action === 'recreate') await client.delete(resource, { name, namespace });
  if (step.action === 'update') await client.update(resource, step.object);
  else await client.create(resource, step.object);
}

/** `/.well-known/openid-configuration` and the keys it points to. */
export function securityPages(
  options: Pick<SecurityOptions, 'issuer' | 'serviceAccountKeyPem'>,
): ReadonlyMap<string, Page> {
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
