import { type ApiError, apiError, forbidden } from '../../api/status.ts';
import type { Authorizer } from '../authz/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { RequestInfo, ResourceRequest } from './request-info.ts';

/** Throws 403 in upstream's words unless the user may send this request. */
export function authorizeRequest(authorizer: Authorizer, user: UserInfo, info: RequestInfo): void {
  if (info.isResource) {
    authorizeVerb(authorizer, user, info, info.verb);
    return;
  }
  const decision = authorizer.authorize({ user, verb: info.verb, path: info.path });
  if (!decision.allowed) throw forbiddenPath(user, info.verb, info.path, decision.reason);
}

/** What a resource request is about, as far as authorization goes. */
export type Target = Pick<
  ResourceRequest,
  'group' | 'version' | 'resource' | 'subresource' | 'namespace' | 'name'
>;

/** Throws 403 in upstream's words unless the user may do `verb` to the target. */
export function authorizeVerb(authorizer: Authorizer, user: UserInfo, target: Target, verb: string): void {
  const { group, version, resource, subresource, namespace, name } = target;
  const decision = authorizer.authorize({
    user,
    verb,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
  });
  if (!decision.allowed) throw forbiddenResource(user, verb, target, decision.reason);
}

function forbiddenResource(user: UserInfo, verb: string, target: Target, reason: string): ApiError {
  const { group, resource, subresource, namespace, name } = target;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const why = reason === '' ? '' : `: ${reason}`;
  const text = `User "${user.name}" cannot ${verb} resource "${full}" in API group "${group}" ${where}${why}`;
  return forbidden({ group, resource }, name, text);
}

function forbiddenPath(user: UserInfo, verb: string, path: string, reason: string): ApiError {
  const why = reason === '' ? '' : `: ${reason}`;
  return apiError('Forbidden', `forbidden: User "${user.name}" cannot ${verb} path "${path}"${why}`, {
    details: {},
  });
}
