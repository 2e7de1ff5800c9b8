import { invalidValue, required } from '../../../api/field-errors.ts';
import type { KubeObject } from '../../../api/resource.ts';
import {
  localSubjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
} from '../../../api/resources.gen.ts';
import { type FieldError, invalid } from '../../../api/status.ts';
import type {
  LocalSubjectAccessReview,
  ObjectMeta,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { validateSelectors } from './selector-attributes.ts';

type Question = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

/** A review asks about a resource or about a path. */
function validateQuestion(spec: Question | undefined): FieldError[] {
  const { resourceAttributes, nonResourceAttributes } = spec ?? {};
  if (resourceAttributes && nonResourceAttributes) {
    return [
      invalidValue(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  }
  if (resourceAttributes) return validateSelectors('spec.resourceAttributes', resourceAttributes);
  return nonResourceAttributes
    ? []
    : [
        invalidValue(
          'spec.resourceAttributes',
          null,
          'exactly one of nonResourceAttributes or resourceAttributes must be specified',
        ),
      ];
}

function validateSubject(spec: SubjectAccessReviewSpec | undefined): FieldError[] {
  return spec?.user || spec?.groups?.length
    ? []
    : [invalidValue('spec.user', '', 'at least one of user or group must be specified')];
}

/** A question has no metadata: nothing is ever stored of it. */
function validateNameless(metadata: ObjectMeta | undefined, { butFor }: { butFor?: 'namespace' } = {}) {
  const { managedFields: _, ...rest } = metadata ?? {};
  if (butFor !== undefined) delete rest[butFor];
  if (Object.keys(rest).length === 0) return [];
  const why = butFor === undefined ? 'must be empty' : `must be empty except for ${butFor}`;
  return [invalidValue('metadata', metadata, why)];
}

function refuse(kind: string, body: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) {
    throw invalid({ group: 'authorization.k8s.io', kind }, body.metadata?.name ?? '', errors);
  }
}

export const subjectAccessReview: ResourceDefinition<SubjectAccessReview> = {
  resource: subjectAccessReviews,
  singular: 'subjectaccessreview',
  verbs: ['create'],
  columns: [],
  virtual: {
    create: async ({ body, context }) => {
      refuse('SubjectAccessReview', body, [
        ...validateQuestion(body.spec),
        ...validateSubject(body.spec),
        ...validateNameless(body.metadata),
      ]);
      return context.reviews.subjectAccess(body);
    },
  },
};

/** The same question about one namespace, for those who may only ask there. */
export const localSubjectAccessReview: ResourceDefinition<LocalSubjectAccessReview> = {
  resource: localSubjectAccessReviews,
  singular: 'localsubjectaccessreview',
  verbs: ['create'],
  columns: [],
  virtual: {
    create: async ({ body, namespace, context }) => {
      const errors = [
        ...validateQuestion(body.spec),
        ...validateSubject(body.spec),
        ...validateNameless(body.metadata, { butFor: 'namespace' }),
      ];
      const asked = body.spec?.resourceAttributes;
      if (body.spec?.nonResourceAttributes) {
        errors.push(
          invalidValue(
            'spec.nonResourceAttributes',
            body.spec.nonResourceAttributes,
            'disallowed on this kind of request',
          ),
        );
      }
      if (asked && asked.namespace !== namespace) {
        errors.push(
          invalidValue(
            'spec.resourceAttributes.namespace',
            asked.namespace ?? '',
            'must match metadata.namespace',
          ),
        );
      }
      refuse('LocalSubjectAccessReview', body, errors);
      return context.reviews.subjectAccess(body);
    },
  },
};

/** May I? `kubectl auth can-i`. */
export const selfSubjectAccessReview: ResourceDefinition<SelfSubjectAccessReview> = {
  resource: selfSubjectAccessReviews,
  singular: 'selfsubjectaccessreview',
  verbs: ['create'],
  columns: [],
  virtual: {
    create: async ({ body, context }) => {
      refuse('SelfSubjectAccessReview', body, [
        ...validateQuestion(body.spec),
        ...validateNameless(body.metadata),
      ]);
      return context.reviews.selfSubjectAccess(body, context.user);
    },
  },
};

/** What may I? `kubectl auth can-i --list`. */
export const selfSubjectRulesReview: ResourceDefinition<SelfSubjectRulesReview> = {
  resource: selfSubjectRulesReviews,
  singular: 'selfsubjectrulesreview',
  verbs: ['create'],
  columns: [],
  virtual: {
    create: async ({ body, context }) => {
      if (!body.spec?.namespace) {
        throw invalid({ group: 'authorization.k8s.io', kind: 'SelfSubjectRulesReview' }, '', [
          required('spec.namespace', 'no namespace on request'),
        ]);
      }
      return context.reviews.selfSubjectRules(body, context.user);
    },
  },
};
