import { invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { validateLabelSelector } from '../../../api/labels.ts';
import { dns1123SubdomainProblems, pathSegmentProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { AggregationRule, PolicyRule, RoleRef, Subject } from '../../../api/types.gen.ts';
import { eachOf, problemsOf } from '../field-checks.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

export function validateRules(rules: readonly PolicyRule[] | undefined, namespaced: boolean): FieldError[] {
  return eachOf(rules, 'rules', (rule, at) => {
    const errors: FieldError[] = [];
    const { verbs = [], nonResourceURLs = [], apiGroups = [], resources = [] } = rule;
    if (verbs.length === 0) errors.push(required(`${at}.verbs`, 'verbs must contain at least one value'));
    if (nonResourceURLs.length > 0) {
      if (namespaced) {
        errors.push(
          invalidValue(
            `${at}.nonResourceURLs`,
            nonResourceURLs,
            'namespaced rules cannot apply to non-resource URLs',
          ),
        );
      }
      if (apiGroups.length + resources.length + (rule.resourceNames?.length ?? 0) > 0) {
        errors.push(
          invalidValue(
            `${at}.nonResourceURLs`,
            nonResourceURLs,
            'rules cannot apply to both regular resources and non-resource URLs',
          ),
        );
      }
      return errors;
    }
    if (apiGroups.length === 0)
      errors.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
    if (resources.length === 0)
      errors.push(required(`${at}.resources`, 'resource rules must supply at least one resource'));
    return errors;
  });
}

export function validateAggregation(rule: AggregationRule | undefined): FieldError[] {
  if (rule === undefined) return [];
  const path = 'aggregationRule.clusterRoleSelectors';
  if (!rule.clusterRoleSelectors?.length) {
    return [required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  }
  return eachOf(rule.clusterRoleSelectors, path, validateLabelSelector);
}

/** Groups follow from kinds where they are left out (SetDefaults_Subject, SetDefaults_RoleBinding). */
export function defaultBinding(binding: { roleRef: RoleRef; subjects?: Subject[] }): void {
  if (binding.roleRef !== undefined) binding.roleRef.apiGroup ||= RBAC_GROUP;
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= RBAC_GROUP;
  }
}

export function validateBinding(
  { roleRef, subjects }: { roleRef: RoleRef; subjects?: Subject[] },
  kinds: readonly string[],
): FieldError[] {
  const errors: FieldError[] = [];
  if (roleRef?.apiGroup !== RBAC_GROUP) {
    errors.push(notSupported('roleRef.apiGroup', roleRef?.apiGroup ?? '', [RBAC_GROUP]));
  }
  if (!kinds.includes(roleRef?.kind)) errors.push(notSupported('roleRef.kind', roleRef?.kind ?? '', kinds));
  if (!roleRef?.name) errors.push(required('roleRef.name'));
  else errors.push(...problemsOf('roleRef.name', roleRef.name, pathSegmentProblems));
  return [...errors, ...eachOf(subjects, 'subjects', (subject, at) => validateSubject(subject, at))];
}

function validateSubject({ kind, name, namespace, apiGroup = '' }: Subject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  switch (kind) {
    case 'ServiceAccount':
      if (name) errors.push(...problemsOf(`${path}.name`, name, dns1123SubdomainProblems));
      if (apiGroup !== '') errors.push(notSupported(`${path}.apiGroup`, apiGroup, ['']));
      if (!namespace) errors.push(required(`${path}.namespace`));
      return errors;
    case 'User':
    case 'Group':
      if (apiGroup !== RBAC_GROUP) errors.push(notSupported(`${path}.apiGroup`, apiGroup, [RBAC_GROUP]));
      return errors;
    default:
      return [...errors, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  }
}

/** What a binding grants is fixed; only to whom may change. */
export function validateBindingUpdate(
  binding: { roleRef: RoleRef },
  old: { roleRef: RoleRef },
): FieldError[] {
  return equalJson(binding.roleRef, old.roleRef)
    ? []
    : [invalidValue('roleRef', binding.roleRef, 'cannot change roleRef')];
}
