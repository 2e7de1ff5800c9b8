import { equalJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { roles as roleResource } from '../../api/resources.gen.ts';
import { forbidden, notFound } from '../../api/status.ts';
import type { PolicyRule, Role, RoleBinding } from '../../api/types.gen.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Authorizer } from './port.ts';
import type { RbacAuthorizer } from './rbac-authorizer.ts';
import { compactRules, ruleText, uncoveredRules } from './rules.ts';

const GROUP = roleResource.group;

/**
 * Nobody can give away more than they hold: writes to roles and bindings are refused where they would, unless the
 * user may `escalate` the role or `bind` to it, as upstream.
 */
export function createEscalationPlugin(options: {
  readonly rbac: RbacAuthorizer;
  /** Decides about `escalate` and `bind`. */
  readonly authorizer: Authorizer;
}): AdmissionPlugin {
  const { rbac, authorizer } = options;
  return {
    name: 'RBACEscalation',
    concerns: ({ operation, resource }) =>
      resource.group === GROUP && (operation === 'CREATE' || operation === 'UPDATE'),
    handles: ({ user, object }) => object !== undefined && !user.groups.includes('system:masters'),
    validate(attributes) {
      const { resource, object, oldObject } = attributes;
      if (!object) return;
      if (resource.resource.endsWith('bindings')) checkBinding(attributes, object as RoleBinding);
      else checkRole(attributes, object, oldObject);
    },
  };

  function may(attributes: AdmissionAttributes, verb: string, resource: string, name: string): boolean {
    const { user, namespace } = attributes;
    const target = { group: GROUP, version: 'v1', resource, subresource: '', namespace, name };
    return authorizer.authorize({ user, verb, ...target }).allowed;
  }

  function checkRole(
    attributes: AdmissionAttributes,
    object: KubeObject,
    oldObject: KubeObject | undefined,
  ): void {
    const { resource, name } = attributes;
    const rules = (object as Role).rules ?? [];
    if (oldObject && equalJson((oldObject as Role).rules ?? [], rules) && sameAggregation(oldObject, object))
      return;
    if (may(attributes, 'escalate', resource.resource, name)) return;
    // What will be collected is not known yet, so that it counts as everything.
    const isAggregated = 'aggregationRule' in object && object.aggregationRule !== undefined;
    checkHeld(attributes, isAggregated ? EVERYTHING : rules);
  }

  function checkBinding(attributes: AdmissionAttributes, binding: RoleBinding): void {
    const old = attributes.oldObject as RoleBinding | undefined;
    if (
      old &&
      equalJson(old.roleRef, binding.roleRef) &&
      equalJson(old.subjects ?? [], binding.subjects ?? [])
    )
      return;
    const { kind, name } = binding.roleRef;
    if (may(attributes, 'bind', kind === 'Role' ? 'roles' : 'clusterroles', name)) return;
    const rules = rbac.index.rules(kind === 'Role' ? attributes.namespace : '', name);
    if (!rules) throw notFound({ group: GROUP, resource: kind === 'Role' ? 'roles' : 'clusterroles' }, name);
    checkHeld(attributes, rules);
  }

  function checkHeld(attributes: AdmissionAttributes, wanted: readonly PolicyRule[]): void {
    const { user, namespace, resource, name } = attributes;
    const { rules, errors } = rbac.heldRules(user, namespace);
    const missing = uncoveredRules(rules, wanted);
    if (missing.length > 0) throw forbidden(resource, name, escalationText(user, missing, errors));
  }
}

const EVERYTHING: readonly PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

function sameAggregation(old: KubeObject, next: KubeObject): boolean {
  const rule = (object: KubeObject): unknown =>
    'aggregationRule' in object ? object.aggregationRule : undefined;
  return equalJson(rule(old), rule(next));
}

function escalationText(user: UserInfo, missing: readonly PolicyRule[], errors: readonly string[]): string {
  const groups = `[${user.groups.map((group) => JSON.stringify(group)).join(' ')}]`;
  const rules = [...new Set(compactRules(missing).map(ruleText))].sort().join('\n');
  const unresolved = errors.length === 0 ? '' : `; resolution errors: [${errors.join(', ')}]`;
  return `user ${JSON.stringify(user.name)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${rules}${unresolved}`;
}
