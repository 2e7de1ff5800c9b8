import type { Attributes, Authorizer, Decision } from './port.ts';

/** Members of this group may do everything, whatever roles say: the way back in when bindings were deleted. */
const MASTERS = 'system:masters';

/** An authorizer that says no for good as well: nobody after it is asked. */
export interface VetoingAuthorizer extends Authorizer {
  authorize(attributes: Attributes): Decision & { readonly denied?: boolean };
}

/** Allows what any of them allows; asked in order, `system:masters` first. Refusals keep every reason. */
export function unionAuthorizer(...authorizers: readonly VetoingAuthorizer[]): Authorizer {
  return {
    authorize(attributes) {
      if (attributes.user.groups.includes(MASTERS)) return { allowed: true, reason: '' };
      const reasons: string[] = [];
      for (const authorizer of authorizers) {
        const decision = authorizer.authorize(attributes);
        if (decision.allowed || decision.denied) return decision;
        if (decision.reason !== '') reasons.push(decision.reason);
      }
      return { allowed: false, reason: reasons.join('\n') };
    },
    rulesFor(user, namespace) {
      const all = authorizers.map((authorizer) => authorizer.rulesFor(user, namespace));
      return {
        resource: all.flatMap(({ resource }) => resource),
        nonResource: all.flatMap(({ nonResource }) => nonResource),
      };
    },
  };
}
