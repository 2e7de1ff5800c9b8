import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
} from '../../src/api/types.gen.ts';
import { defaultRbacObjects } from '../../src/server/authz/default-objects.ts';

/**
 * The roles and bindings of Kubernetes 1.36 (plugin/pkg/auth/authorizer/rbac/bootstrappolicy), one line each, rules
 * indented below: verbs, then groups/resources or paths, then names in brackets. Those that feature gates add are
 * there for every kind that is served. Our own begin with `kedge:`.
 */
const golden = readFileSync(new URL('./default-roles.txt', import.meta.url), 'utf8');

it('gives every cluster the roles and bindings that upstream gives it', () => {
  expect(rendered()).toBe(golden);
});

function rendered(): string {
  const lines = defaultRbacObjects().flatMap(({ resource, object }) => {
    const { namespace, name = '', labels = {} } = object.metadata;
    const where = namespace === undefined ? name : `${namespace}/${name}`;
    const aggregated = Object.keys(labels)
      .filter((key) => key.startsWith('rbac.authorization.k8s.io/'))
      .map((key) => ` (${key.slice('rbac.authorization.k8s.io/'.length)})`);
    const head = `${resource.kind} ${where}${aggregated.join('')}`;
    return 'roleRef' in object ? [`${head} ${bindingText(object)}`] : [head, ...ruleLines(object)];
  });
  return `${lines.join('\n')}\n`;
}

function bindingText({ roleRef, subjects = [] }: RoleBinding | ClusterRoleBinding): string {
  const text = subjects.map(
    ({ kind, name, namespace }) => `${kind} ${namespace ? `${namespace}/` : ''}${name}`,
  );
  return `= ${roleRef.kind} ${roleRef.name}: ${text.join(', ')}`;
}

function ruleLines(role: Role | ClusterRole): string[] {
  if ('aggregationRule' in role && role.aggregationRule) {
    const labels = role.aggregationRule.clusterRoleSelectors?.flatMap(({ matchLabels = {} }) =>
      Object.keys(matchLabels),
    );
    return [`  collects ${labels?.join(' ')}`];
  }
  return (role.rules ?? []).map((rule) => `  ${ruleText(rule)}`);
}

function ruleText({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames,
  nonResourceURLs,
}: PolicyRule): string {
  if (nonResourceURLs) return `${verbs.join(' ')}: ${nonResourceURLs.join(' ')}`;
  const names = resourceNames ? ` [${resourceNames.join(' ')}]` : '';
  return `${verbs.join(' ')}: ${apiGroups.map((group) => group || 'core').join(' ')} / ${resources.join(' ')}${names}`;
}
