import type {
  FlowcontrolSubject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '../../api/types.gen.ts';
import type { RequestInfo, ResourceRequest } from '../http/request-info.ts';
import type { UserInfo } from '../registry/definition.ts';

const has = (list: readonly string[] | undefined, wanted: string): boolean =>
  list !== undefined && (list.includes(wanted) || list[0] === '*');

/** The rules of a schema that speak of this user; empty when none do. They depend on nothing but the user. */
export function rulesOfUser({ spec }: FlowSchema, user: UserInfo): readonly PolicyRulesWithSubjects[] {
  return (spec?.rules ?? []).filter(({ subjects }) => subjects.some((subject) => isSubject(subject, user)));
}

function isSubject({ kind, user, group, serviceAccount }: FlowcontrolSubject, who: UserInfo): boolean {
  switch (kind) {
    case 'User':
      return user?.name === '*' || user?.name === who.name;
    case 'Group':
      return group?.name === '*' || who.groups.includes(group?.name ?? '');
    case 'ServiceAccount': {
      const { name = '', namespace = '' } = serviceAccount ?? {};
      const prefix = `system:serviceaccount:${namespace}:`;
      return name === '*' ? who.name.startsWith(prefix) : who.name === prefix + name;
    }
    default:
      return false;
  }
}

/** Whether one of the rules is about this request (upstream's pkg/util/flowcontrol/rule.go). */
export function rulesMatch(rules: readonly PolicyRulesWithSubjects[], info: RequestInfo): boolean {
  return rules.some(({ resourceRules = [], nonResourceRules = [] }) =>
    info.isResource
      ? resourceRules.some((rule) => matchesResource(rule, info))
      : nonResourceRules.some((rule) => matchesPath(rule, info.verb, info.path)),
  );
}

function matchesResource(rule: ResourcePolicyRule, info: ResourceRequest): boolean {
  const { verb, group, resource, subresource, namespace } = info;
  return (
    has(rule.verbs, verb) &&
    has(rule.apiGroups, group) &&
    has(rule.resources, subresource === '' ? resource : `${resource}/${subresource}`) &&
    (namespace === '' ? rule.clusterScope === true : has(rule.namespaces, namespace))
  );
}

function matchesPath({ verbs, nonResourceURLs }: NonResourcePolicyRule, verb: string, path: string): boolean {
  if (!has(verbs, verb)) return false;
  return nonResourceURLs.some(
    (url) => url === '*' || url === path || (url.endsWith('/*') && path.startsWith(url.slice(0, -1))),
  );
}

/** What tells one flow of a schema from another. */
export function flowOf({ metadata, spec }: FlowSchema, user: UserInfo, info: RequestInfo): string {
  const type = spec?.distinguisherMethod?.type;
  if (type === 'ByUser') return `${metadata.name}\n${user.name}`;
  if (type === 'ByNamespace') return `${metadata.name}\n${info.isResource ? info.namespace : ''}`;
  return metadata.name ?? '';
}
