import { selfSubjectReviews, tokenReviews } from '../../../api/resources.gen.ts';
import { badRequest } from '../../../api/status.ts';
import type { SelfSubjectReview, TokenReview } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';

/** Whose token is this? Asked by kubelets, proxies and webhooks. */
export const tokenReview: ResourceDefinition<TokenReview> = {
  resource: tokenReviews,
  singular: 'tokenreview',
  verbs: ['create'],
  columns: [],
  virtual: {
    create: async ({ body, context }) => {
      if (!body.spec?.token) throw badRequest('token is required for TokenReview in authentication');
      return context.reviews.token(body);
    },
  },
};

/** Who am I? `kubectl auth whoami`. */
export const selfSubjectReview: ResourceDefinition<SelfSubjectReview> = {
  resource: selfSubjectReviews,
  singular: 'selfsubjectreview',
  verbs: ['create'],
  columns: [],
  virtual: { create: async ({ context }) => context.reviews.selfSubject(context.user) },
};
