import { duplicate, forbiddenField, notSupported, required } from '../../../api/field-errors.ts';
import { validateLabelSelector } from '../../../api/labels.ts';
import { pathSegmentProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { MatchResources, NamedRuleWithOperations, ParamRef } from '../../../api/types.gen.ts';
import { eachOf, problemsOf } from '../field-checks.ts';
import { oneOf, validateRule } from './webhook-validation.ts';

/** What a mutation can apply to: there is nothing to change when something is deleted. */
export const MUTATING_OPERATIONS = ['*', 'CONNECT', 'CREATE', 'UPDATE'];

/** `matchConstraints` of a policy: there has to be a rule. */
export function validateMatchConstraints(
  match: MatchResources | undefined,
  path: string,
  operations?: readonly string[],
): FieldError[] {
  if (match === undefined) return [required(path)];
  return [
    ...validateMatchResources(match, path),
    ...(match.resourceRules?.length ? [] : [required(`${path}.resourceRules`)]),
    ...validateOperations(match, path, operations),
  ];
}

/** Rules and selectors of policies and bindings. */
export function validateMatchResources(match: MatchResources | undefined, path: string): FieldError[] {
  if (match === undefined) return [];
  const { matchPolicy, namespaceSelector, objectSelector, resourceRules, excludeResourceRules } = match;
  return [
    ...oneOf(matchPolicy, ['Equivalent', 'Exact'], `${path}.matchPolicy`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(objectSelector, `${path}.objectSelector`),
    ...eachOf(resourceRules, `${path}.resourceRules`, validateNamedRule),
    ...eachOf(excludeResourceRules, `${path}.excludeResourceRules`, validateNamedRule),
  ];
}

export function validateOperations(
  match: MatchResources | undefined,
  path: string,
  allowed: readonly string[] | undefined,
): FieldError[] {
  if (!allowed) return [];
  return (match?.resourceRules ?? []).flatMap(({ operations = [] }) =>
    operations
      .filter((one) => !allowed.includes(one))
      .map((one) => notSupported(`${path}.resourceRules.operations`, one, allowed)),
  );
}

function validateNamedRule(rule: NamedRuleWithOperations, path: string): FieldError[] {
  const names = new Set<string>();
  const errors = eachOf(rule.resourceNames, `${path}.resourceNames`, (name, at) => {
    const problems = problemsOf(at, name, pathSegmentProblems);
    if (names.has(name)) problems.push(duplicate(at, name));
    names.add(name);
    return problems;
  });
  return [...errors, ...validateRule(rule, path)];
}

/** Which parameters a binding uses. */
export function validateParamRef(ref: ParamRef | undefined, path: string): FieldError[] {
  if (ref === undefined) return [];
  const { name, selector, parameterNotFoundAction } = ref;
  const errors: FieldError[] = [];
  const both = 'name and selector are mutually exclusive';
  if (name) {
    errors.push(...problemsOf(`${path}.name`, name, pathSegmentProblems));
    if (selector !== undefined) errors.push(forbiddenField(`${path}.name`, both));
  }
  if (selector !== undefined) {
    errors.push(...validateLabelSelector(selector, `${path}.selector`));
    if (name) errors.push(forbiddenField(`${path}.selector`, both));
  }
  if (!name && selector === undefined)
    errors.push(required(path, 'one of name or selector must be specified'));
  const action = `${path}.parameterNotFoundAction`;
  if (!parameterNotFoundAction) errors.push(required(action));
  else errors.push(...oneOf(parameterNotFoundAction, ['Allow', 'Deny'], action));
  return errors;
}
