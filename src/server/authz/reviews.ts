import { apiVersionOf } from '../../api/resource.ts';
import { selfSubjectReviews } from '../../api/resources.gen.ts';
import { badRequest, type FieldError, invalid } from '../../api/status.ts';
import type {
  NonResourceRule,
  ResourceRule,
  UserInfo as ReviewedUser,
  SelfSubjectAccessReviewSpec,
  SubjectAccessReviewSpec,
  SubjectAccessReviewStatus,
} from '../../api/types.gen.ts';
import { type Clock, rfc3339 } from '../../lib/clock.ts';
import type { TokenAuthenticator } from '../authn/authenticator.ts';
import type { ServiceAccountTokens } from '../authn/service-account-tokens.ts';
import type { Reviews, UserInfo } from '../registry/definition.ts';
import type { Attributes, Authorizer } from './port.ts';

export interface ReviewsOptions {
  readonly authenticator: TokenAuthenticator;
  readonly authorizer: Authorizer;
  readonly tokens: ServiceAccountTokens;
  readonly clock: Clock;
}

/** Answers TokenReview, SelfSubjectReview, the SubjectAccessReview family and TokenRequest as upstream does. */
export function createReviews({ authenticator, authorizer, tokens, clock }: ReviewsOptions): Reviews {
  const answer = (attributes: Attributes): SubjectAccessReviewStatus => {
    const { allowed, reason } = authorizer.authorize(attributes);
    return { allowed, ...(reason === '' ? {} : { reason }) };
  };
  return {
    async token(review) {
      const { token, audiences = [] } = review.spec;
      if (token === undefined || token === '')
        throw badRequest('token is required for TokenReview in authentication');
      try {
        const found = authenticator.authenticateToken(token, audiences);
        if (!found) return { ...review, status: { user: {}, error: 'invalid bearer token' } };
        return {
          ...review,
          status: { authenticated: true, user: reviewed(found.user), audiences: [...found.audiences] },
        };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { ...review, status: { user: {}, error: `[invalid bearer token, ${why}]` } };
      }
    },
    selfSubject: (user) => ({
      kind: selfSubjectReviews.kind,
      apiVersion: apiVersionOf(selfSubjectReviews),
      metadata: { creationTimestamp: rfc3339(clock.now()) },
      status: { userInfo: reviewed(user) },
    }),
    subjectAccess(review) {
      checkSpec(review.kind ?? 'SubjectAccessReview', review.spec, true);
      return { ...review, status: answer(attributesOf(review.spec, userOf(review.spec))) };
    },
    selfSubjectAccess(review, user) {
      checkSpec('SelfSubjectAccessReview', review.spec, false);
      return { ...review, status: answer(attributesOf(review.spec, user)) };
    },
    selfSubjectRules(review, user) {
      const { namespace = '' } = review.spec;
      if (namespace === '') throw badRequest('no namespace on request');
      const { resource, nonResource } = authorizer.rulesFor(user, namespace);
      return {
        ...review,
        status: {
          resourceRules: resource as ResourceRule[],
          nonResourceRules: nonResource as NonResourceRule[],
          incomplete: false,
        },
      };
    },
    serviceAccountToken: async (options) => tokens.issue(options),
  };
}

function reviewed(user: UserInfo): ReviewedUser {
  return {
    username: user.name,
    ...(user.uid === undefined || user.uid === '' ? {} : { uid: user.uid }),
    ...(user.groups.length === 0 ? {} : { groups: [...user.groups] }),
    ...(user.extra && Object.keys(user.extra).length > 0
      ? { extra: Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]])) }
      : {}),
  };
}

const userOf = (spec: SubjectAccessReviewSpec): UserInfo => ({
  name: spec.user ?? '',
  groups: spec.groups ?? [],
  ...(spec.uid === undefined ? {} : { uid: spec.uid }),
  ...(spec.extra === undefined ? {} : { extra: spec.extra }),
});

function attributesOf(spec: SelfSubjectAccessReviewSpec, user: UserInfo): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (path) return { user, verb: path.verb ?? '', path: path.path ?? '' };
  return {
    user,
    verb: resource?.verb ?? '',
    group: resource?.group ?? '',
    version: resource?.version ?? '',
    resource: resource?.resource ?? '',
    subresource: resource?.subresource ?? '',
    namespace: resource?.namespace ?? '',
    name: resource?.name ?? '',
  };
}

/** Upstream's validation of the specs. */
function checkSpec(kind: string, spec: SubjectAccessReviewSpec, needsUser: boolean): void {
  const errors: FieldError[] = [];
  const { resourceAttributes, nonResourceAttributes, user = '', groups = [] } = spec;
  if (resourceAttributes && nonResourceAttributes)
    errors.push({
      field: 'spec.nonResourceAttributes',
      reason: 'FieldValueInvalid',
      message: 'Invalid value: cannot be specified in combination with resourceAttributes',
    });
  if (!resourceAttributes && !nonResourceAttributes)
    errors.push({
      field: 'spec.resourceAttributes',
      reason: 'FieldValueInvalid',
      message: `Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified`,
    });
  if (needsUser && user === '' && groups.length === 0)
    errors.push({
      field: 'spec.user',
      reason: 'FieldValueInvalid',
      message: 'Invalid value: "": at least one of user or group must be specified',
    });
  if (errors.length > 0) throw invalid({ group: 'authorization.k8s.io', kind }, '', errors);
}
