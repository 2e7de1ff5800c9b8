import type { Resource } from '../../../api/resource.ts';
import type { RuleWithOperations } from '../../../api/types.gen.ts';
import type { AdmissionOperation } from '../port.ts';

/** What rules are held against. */
export interface RuleTarget {
  readonly operation: AdmissionOperation;
  readonly resource: Pick<Resource, 'group' | 'version' | 'resource'>;
  readonly subresource: string;
  /** As the request has it; of a Namespace its own name. */
  readonly namespace: string;
}

/** Whether the rule covers the request (upstream's rules.Matcher). */
export function matchesRule(rule: RuleWithOperations, target: RuleTarget): boolean {
  return (
    matchesScope(rule.scope ?? '*', target) &&
    isOneOf(rule.operations, target.operation) &&
    isOneOf(rule.apiGroups, target.resource.group) &&
    isOneOf(rule.apiVersions, target.resource.version) &&
    (rule.resources ?? []).some((one) => matchesResource(one, target))
  );
}

export function isNamespaces({ group, resource }: RuleTarget['resource']): boolean {
  return group === '' && resource === 'namespaces';
}

function matchesScope(scope: string, { resource, namespace }: RuleTarget): boolean {
  if (scope === '*') return true;
  const isNamespaced = namespace !== '' && !isNamespaces(resource);
  return scope === 'Namespaced' ? isNamespaced : scope === 'Cluster' && !isNamespaced;
}

function isOneOf(items: readonly string[] | undefined, wanted: string): boolean {
  return items?.some((item) => item === '*' || item === wanted) ?? false;
}

/** A resource, a subresource (`pods/log`), or either half as `*`; without a slash subresources do not count. */
function matchesResource(pattern: string, { resource, subresource }: RuleTarget): boolean {
  const slash = pattern.indexOf('/');
  const [name, below] = slash < 0 ? [pattern, ''] : [pattern.slice(0, slash), pattern.slice(slash + 1)];
  return (name === '*' || name === resource.resource) && (below === '*' || below === subresource);
}
