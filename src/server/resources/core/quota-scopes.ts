import { invalidValue, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { ResourceQuotaSpec } from '../../../api/types.gen.ts';

const PODS = ['pods'];
const COMPUTE = [
  ...PODS,
  ...['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'],
];

/** What may be counted of only those objects that a scope selects, among the names of quotas without a slash. */
const COUNTED: Readonly<Record<string, readonly string[]>> = {
  BestEffort: PODS,
  CrossNamespacePodAffinity: COMPUTE,
  NotBestEffort: COMPUTE,
  NotTerminating: COMPUTE,
  PriorityClass: COMPUTE,
  Terminating: COMPUTE,
  VolumeAttributesClass: ['persistentvolumeclaims', 'requests.storage'],
};
const OPPOSITES = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;
/** These have values to choose from; the others are there or not. */
const WITH_VALUES: ReadonlySet<string> = new Set(['PriorityClass', 'VolumeAttributesClass']);

const ONLY_EXISTS =
  "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, " +
  'ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity';

/** Scopes of a quota, listed or selected, and whether what it counts is theirs. */
export function validateQuotaScopes(spec: ResourceQuotaSpec | undefined): FieldError[] {
  if (spec === undefined) return [];
  return [...validateListed(spec), ...validateSelected(spec)];
}

/** How many of the names that a quota counts a scope has no say in. */
function foreign(scope: string, { hard }: ResourceQuotaSpec): string[] {
  const counted = COUNTED[scope];
  if (counted === undefined) return [];
  return Object.keys(hard ?? {}).filter((name) => !name.includes('/') && !counted.includes(name));
}

function areOpposite(scopes: readonly string[]): boolean {
  return OPPOSITES.some(([one, other]) => scopes.includes(one) && scopes.includes(other));
}

function validateListed(spec: ResourceQuotaSpec): FieldError[] {
  const { scopes = [] } = spec;
  const field = 'spec.scopes';
  const errors: FieldError[] = [];
  for (const scope of scopes) {
    if (COUNTED[scope] === undefined) errors.push(invalidValue(field, scopes, 'unsupported scope'));
    for (const _ of foreign(scope, spec))
      errors.push(invalidValue(field, scopes, 'unsupported scope applied to resource'));
  }
  if (areOpposite(scopes)) errors.push(invalidValue(field, scopes, 'conflicting scopes'));
  return errors;
}

function validateSelected(spec: ResourceQuotaSpec): FieldError[] {
  const { scopeSelector, scopes = [] } = spec;
  const field = 'spec.scopeSelector.matchExpressions';
  const errors: FieldError[] = [];
  const expressions = scopeSelector?.matchExpressions ?? [];
  for (const { scopeName, operator, values = [] } of expressions) {
    if (COUNTED[scopeName] === undefined)
      errors.push(invalidValue(`${field}.scopeName`, scopeName, 'unsupported scope'));
    for (const _ of foreign(scopeName, spec))
      errors.push(invalidValue(field, scopeSelector, 'unsupported scope applied to resource'));
    if (COUNTED[scopeName] !== undefined && !WITH_VALUES.has(scopeName) && operator !== 'Exists')
      errors.push(invalidValue(`${field}.operator`, operator, ONLY_EXISTS));
    errors.push(...validateOperator(field, operator, values));
  }
  if (areOpposite(expressions.map(({ scopeName }) => scopeName)))
    errors.push(invalidValue(field, scopes, 'conflicting scopes'));
  return errors;
}

function validateOperator(field: string, operator: string, values: readonly string[]): FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn': {
      const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
      return values.length === 0 ? [required(`${field}.values`, why)] : [];
    }
    case 'Exists':
    case 'DoesNotExist': {
      const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      return values.length === 0 ? [] : [invalidValue(`${field}.values`, values, why)];
    }
    default:
      return [invalidValue(`${field}.operator`, operator, 'not a valid selector operator')];
  }
}
