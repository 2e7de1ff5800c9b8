import { duplicate, invalidValue, required } from '../../../api/field-errors.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicyBindingSpec,
} from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';
import { eachOf, problemsOf } from '../field-checks.ts';
import {
  MUTATING_OPERATIONS,
  validateMatchResources,
  validateOperations,
  validateParamRef,
} from './match-resources-validation.ts';
import { validateMutatingPolicy, validateValidatingPolicy } from './policy-validation.ts';
import { oneOf } from './webhook-validation.ts';

/** Policies written in CEL; `src/server/admission/policy` holds requests to them. */

function defaultMatch(match: MatchResources | undefined): void {
  if (match === undefined) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])])
    rule.scope ??= '*';
}

type Binding = Partial<
  Pick<ValidatingAdmissionPolicyBindingSpec, 'policyName' | 'paramRef' | 'matchResources'>
>;

function validateBinding(spec: Binding | undefined): FieldError[] {
  const name = spec?.policyName;
  return [
    ...(name ? problemsOf('spec.policyName', name, dns1123SubdomainProblems) : [required('spec.policyName')]),
    ...validateParamRef(spec?.paramRef, 'spec.paramRef'),
    ...validateMatchResources(spec?.matchResources, 'spec.matchResources'),
  ];
}

const ACTIONS = ['Audit', 'Deny', 'Warn'];

function validateActions(actions: readonly string[] = [], path: string): FieldError[] {
  const seen = new Set<string>();
  const errors = eachOf(actions, path, (action, at) => {
    const found = oneOf(action, ACTIONS, at);
    if (seen.has(action)) found.push(duplicate(at, action));
    seen.add(action);
    return found;
  });
  if (seen.has('Deny') && seen.has('Warn')) {
    const why =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    errors.push(invalidValue(path, actions, why));
  }
  if (seen.size === 0) errors.push(required(path, 'at least one validation action is required'));
  return errors;
}

const paramText = (kind: ParamKind | undefined): string =>
  kind ? `${kind.apiVersion}/${kind.kind}` : '<unset>';
const paramRefText = (ref: { namespace?: string; name?: string; selector?: unknown } | undefined): string => {
  if (ref === undefined) return '<unset>';
  if (ref.selector !== undefined) return 'selector';
  return ref.namespace ? `${ref.namespace}/${ref.name}` : (ref.name ?? '');
};

export const validatingAdmissionPolicy: ResourceDefinition<ValidatingAdmissionPolicy> = {
  resource: validatingAdmissionPolicies,
  singular: 'validatingadmissionpolicy',
  categories: ['api-extensions'],
  columns: [
    nameColumn,
    integerColumn(
      'Validations',
      'How many expressions.',
      ({ spec }: ValidatingAdmissionPolicy) => spec?.validations?.length,
    ),
    textColumn('ParamKind', 'Kind of its parameters.', ({ spec }: ValidatingAdmissionPolicy) =>
      paramText(spec?.paramKind),
    ),
    ageColumn,
  ],
  anyFinalizer: true,
  strategy: {
    allowUnconditionalUpdate: false,
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.failurePolicy ??= 'Fail';
      defaultMatch(spec.matchConstraints);
    },
    validate: validateValidatingPolicy,
  },
  subresources: [{ name: 'status', keeps: 'metadata' }],
};

export const validatingAdmissionPolicyBinding: ResourceDefinition<ValidatingAdmissionPolicyBinding> = {
  resource: validatingAdmissionPolicyBindings,
  singular: 'validatingadmissionpolicybinding',
  categories: ['api-extensions'],
  columns: [
    nameColumn,
    textColumn('PolicyName', 'The policy.', ({ spec }: ValidatingAdmissionPolicyBinding) => spec?.policyName),
    textColumn('ParamRef', 'Its parameters.', ({ spec }: ValidatingAdmissionPolicyBinding) =>
      paramRefText(spec?.paramRef),
    ),
    ageColumn,
  ],
  anyFinalizer: true,
  strategy: {
    allowUnconditionalUpdate: false,
    default: ({ spec }) => defaultMatch(spec?.matchResources),
    validate: ({ spec }) => [
      ...validateBinding(spec),
      ...validateActions(spec?.validationActions, 'spec.validationActions'),
    ],
  },
};

export const mutatingAdmissionPolicy: ResourceDefinition<MutatingAdmissionPolicy> = {
  resource: mutatingAdmissionPolicies,
  singular: 'mutatingadmissionpolicy',
  categories: ['api-extensions'],
  columns: [
    nameColumn,
    integerColumn(
      'Mutations',
      'How many mutations.',
      ({ spec }: MutatingAdmissionPolicy) => spec?.mutations?.length,
    ),
    textColumn('ParamKind', 'Kind of its parameters.', ({ spec }: MutatingAdmissionPolicy) =>
      paramText(spec?.paramKind),
    ),
    ageColumn,
  ],
  anyFinalizer: true,
  strategy: {
    allowUnconditionalUpdate: false,
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.failurePolicy ??= 'Fail';
      defaultMatch(spec.matchConstraints);
    },
    validate: validateMutatingPolicy,
  },
};

export const mutatingAdmissionPolicyBinding: ResourceDefinition<MutatingAdmissionPolicyBinding> = {
  resource: mutatingAdmissionPolicyBindings,
  singular: 'mutatingadmissionpolicybinding',
  categories: ['api-extensions'],
  columns: [
    nameColumn,
    textColumn('PolicyName', 'The policy.', ({ spec }: MutatingAdmissionPolicyBinding) => spec?.policyName),
    textColumn('ParamRef', 'Its parameters.', ({ spec }: MutatingAdmissionPolicyBinding) =>
      paramRefText(spec?.paramRef),
    ),
    ageColumn,
  ],
  anyFinalizer: true,
  strategy: {
    allowUnconditionalUpdate: false,
    default: ({ spec }) => defaultMatch(spec?.matchResources),
    validate: ({ spec }) => [
      ...validateBinding(spec),
      ...validateOperations(spec?.matchResources, 'spec.matchResources', MUTATING_OPERATIONS),
    ],
  },
};
