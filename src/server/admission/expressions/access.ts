import type { AccessAnswer, AccessQuestion, Authorize } from '../../../api/cel/library/authorizer.ts';
import type { Authorizer } from '../../authz/port.ts';
import type { UserInfo } from '../../registry/definition.ts';

/** Answers expressions' questions about access; the same question is asked once. */
export function accessOf(authorizer: Authorizer, user: UserInfo): Authorize {
  const known = new Map<string, AccessAnswer>();
  return (question) => {
    const key = JSON.stringify(question);
    const answer = known.get(key) ?? ask(authorizer, user, question);
    known.set(key, answer);
    return answer;
  };
}

function ask(authorizer: Authorizer, requester: UserInfo, question: AccessQuestion): AccessAnswer {
  const { verb, path, serviceAccount } = question;
  const user = serviceAccount ? accountUser(serviceAccount) : requester;
  const { allowed, reason } = authorizer.authorize(
    path === undefined
      ? {
          user,
          verb,
          group: question.group ?? '',
          version: '*',
          resource: question.resource ?? '',
          subresource: question.subresource ?? '',
          namespace: question.namespace ?? '',
          name: question.name ?? '',
        }
      : { user, verb, path },
  );
  return { allowed, reason };
}

function accountUser({ namespace, name }: { namespace: string; name: string }): UserInfo {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
  };
}
