import type { UserInfo } from '../registry/definition.ts';

export interface Authorizer {
  /** Synchronous and cheap: it stands on every request. */
  authorize(attributes: Attributes): Decision;
  /** For SelfSubjectRulesReview. */
  rulesFor(
    user: UserInfo,
    namespace: string,
  ): { readonly resource: readonly object[]; readonly nonResource: readonly object[] };
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

export type Attributes = {
  readonly user: UserInfo;
  /** Lower-case API verb (`get`, `list`, `deletecollection`, …) or HTTP verb for non-resource paths. */
  readonly verb: string;
} & (
  | {
      readonly resource: string;
      readonly group: string;
      readonly version: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
    }
  | { readonly path: string }
);
