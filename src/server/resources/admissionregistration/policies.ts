import { required } from '../../../api/field-errors.ts';
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../../api/resources.gen.ts';
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';

/** CEL policies: stored and served, so that tools which manage them work. */

function defaultMatch(match: MatchResources | undefined): void {
  if (match === undefined) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])])
    rule.scope ??= '*';
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
  strategy: {
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.failurePolicy ??= 'Fail';
      defaultMatch(spec.matchConstraints);
    },
    validate: ({ spec }) => {
      const errors = [];
      if (spec?.matchConstraints === undefined) errors.push(required('spec.matchConstraints'));
      if (!spec?.validations?.length && !spec?.auditAnnotations?.length) {
        errors.push(
          required('spec.validations', 'validations or auditAnnotations must contain at least one item'),
        );
      }
      return errors;
    },
  },
  subresources: [{ name: 'status' }],
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
  strategy: {
    default: ({ spec }) => defaultMatch(spec?.matchResources),
    validate: ({ spec }) => [
      ...(spec?.policyName ? [] : [required('spec.policyName')]),
      ...(spec?.validationActions?.length
        ? []
        : [required('spec.validationActions', 'at least one validation action is required')]),
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
  strategy: {
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.failurePolicy ??= 'Fail';
      spec.reinvocationPolicy ??= 'Never';
      defaultMatch(spec.matchConstraints);
    },
    validate: ({ spec }) => (spec?.matchConstraints === undefined ? [required('spec.matchConstraints')] : []),
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
  strategy: {
    default: ({ spec }) => defaultMatch(spec?.matchResources),
    validate: ({ spec }) => (spec?.policyName ? [] : [required('spec.policyName')]),
  },
};
