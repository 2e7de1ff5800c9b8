import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../api/resources.gen.ts';
import type { ClusterRoleBinding, PolicyRule, RoleBinding, Subject } from '../../api/types.gen.ts';
import type { Logger } from '../../lib/log.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { followCache } from './follow-cache.ts';
import type { Attributes, Authorizer, Decision } from './port.ts';
import { RbacIndex, type RbacObject, type RbacResource } from './rbac-index.ts';
import { ruleAllows } from './rules.ts';

/** Role-based access control over an index of roles and bindings. */
export interface RbacAuthorizer extends Authorizer {
  readonly index: RbacIndex;
  /** Everything a user holds in a namespace (`''`: at cluster scope), and why some of it could not be found out. */
  heldRules(
    user: UserInfo,
    namespace: string,
  ): { readonly rules: readonly PolicyRule[]; readonly errors: readonly string[] };
}

export function rbacAuthorizer(index: RbacIndex): RbacAuthorizer {
  const held = (user: UserInfo, namespace: string) => {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const scope of namespace === '' ? [''] : ['', namespace])
      for (const { binding } of index.grants(scope, user)) {
        const found = index.rulesOf(binding);
        if (found) rules.push(...found);
        else errors.push(missingRole(binding));
      }
    return { rules, errors };
  };
  return {
    index,
    heldRules: held,
    authorize: (attributes) => authorize(index, attributes),
    rulesFor(user, namespace) {
      const { rules } = held(user, namespace);
      return {
        resource: rules
          .filter((rule) => (rule.resources ?? []).length > 0)
          .map(({ verbs, apiGroups, resources, resourceNames }) => ({
            verbs,
            apiGroups: apiGroups ?? [],
            resources: resources ?? [],
            ...(resourceNames && resourceNames.length > 0 ? { resourceNames } : {}),
          })),
        nonResource: rules
          .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
          .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs: nonResourceURLs ?? [] })),
      };
    },
  };
}

function authorize(index: RbacIndex, attributes: Attributes): Decision {
  const namespace = 'path' in attributes ? '' : attributes.namespace;
  const errors: string[] = [];
  for (let scope = ''; ; scope = namespace) {
    for (const { binding, subject } of index.grants(scope, attributes.user)) {
      const rules = index.rulesOf(binding);
      if (rules === undefined) errors.push(missingRole(binding));
      else if (rules.some((rule) => ruleAllows(rule, attributes)))
        return {
          allowed: true,
          reason: `RBAC: allowed by ${bindingText(binding)} to ${subjectText(subject, scope)}`,
        };
    }
    if (scope === namespace) break;
  }
  return { allowed: false, reason: errors.length === 0 ? '' : `RBAC: ${aggregate(errors)}` };
}

const aggregate = (errors: readonly string[]): string => {
  const distinct = [...new Set(errors)];
  return distinct.length === 1 ? (distinct[0] ?? '') : `[${distinct.join(', ')}]`;
};

function missingRole({ roleRef }: RoleBinding | ClusterRoleBinding): string {
  return `${roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(roleRef.name)} not found`;
}

function bindingText({ metadata, roleRef }: RoleBinding | ClusterRoleBinding): string {
  const { name = '', namespace } = metadata;
  const which =
    namespace === undefined
      ? `ClusterRoleBinding ${JSON.stringify(name)}`
      : `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`;
  return `${which} of ${roleRef.kind} ${JSON.stringify(roleRef.name)}`;
}

function subjectText(subject: Subject, scope: string): string {
  const name =
    subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace ?? scope}` : subject.name;
  return `${subject.kind} ${JSON.stringify(name)}`;
}

type Cache = Pick<WatchCache, 'list' | 'watch' | 'revision'>;

export interface RbacCaches {
  readonly roles: Cache;
  readonly clusterRoles: Cache;
  readonly roleBindings: Cache;
  readonly clusterRoleBindings: Cache;
}

/**
 * An RBAC authorizer that follows the caches: a change counts for the next request. When a cache gives the watch
 * up, everything it holds is read again. `close` ends the watches.
 */
export function createRbacAuthorizer(caches: RbacCaches, log: Logger): RbacAuthorizer & { close(): void } {
  const index = new RbacIndex();
  const stops = [
    follow(index, roles.resource, caches.roles, log),
    follow(index, clusterRoles.resource, caches.clusterRoles, log),
    follow(index, roleBindings.resource, caches.roleBindings, log),
    follow(index, clusterRoleBindings.resource, caches.clusterRoleBindings, log),
  ];
  return {
    ...rbacAuthorizer(index),
    close: () => {
      for (const stop of stops) stop();
    },
  };
}

function follow(index: RbacIndex, name: string, cache: Cache, log: Logger): () => void {
  const resource = name as RbacResource;
  return followCache({
    cache,
    log,
    name,
    clear: () => index.clear(resource),
    put: (object) => index.put(resource, object as RbacObject),
    remove: (namespace, object) => index.delete(resource, namespace, object),
  });
}
