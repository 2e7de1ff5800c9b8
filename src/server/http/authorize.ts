import { type ApiError, apiError, forbidden } from '../../api/status.ts';
import type { Attributes, Authorizer } from '../authz/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { RequestInfo, ResourceRequest } from './request-info.ts';

/** Throws 403 in upstream's words unless the user may send this request; returns why it may. */
export function authorizeRequest(authorizer: Authorizer, user: UserInfo, info: RequestInfo): string {
  const attributes: Attributes = info.isResource
    ? attributesOf(user, info.verb, info)
    : { user, verb: info.verb, path: info.path };
  const decision = authorizer.authorize(attributes);
  if (!decision.allowed) throw forbiddenAttributes(attributes, decision.reason);
  return decision.reason;
}

/** What a resource request is about, as far as authorization goes. */
export type Target = Pick<
  ResourceRequest,
  'group' | 'version' | 'resource' | 'subresource' | 'namespace' | 'name'
>;

/** Throws 403 in upstream's words unless the user may do `verb` to the target. */
export function authorizeVerb(authorizer: Authorizer, user: UserInfo, target: Target, verb: string): void {
  const attributes = attributesOf(user, verb, target);
  const decision = authorizer.authorize(attributes);
  if (!decision.allowed) throw forbiddenAttributes(attributes, decision.reason);
}

function attributesOf(user: UserInfo, verb: string, target: Target): Attributes {
  const { group, version, resource, subresource, namespace, name } = target;
  return { user, verb, group, version, resource, subresource, namespace, name };
}

/** 403 as upstream words it; `why` comes from the authorizer. */
export function forbiddenAttributes(attributes: Attributes, why: string): ApiError {
  const text = `${plain(sentence(attributes))}${why === '' ? '' : `: ${why}`}`;
  if ('path' in attributes) return apiError('Forbidden', `forbidden: ${text}`, { details: {} });
  const { group, resource, name } = attributes;
  return forbidden({ group, resource }, name, text);
}

function sentence(attributes: Attributes): string {
  const { user, verb } = attributes;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if ('path' in attributes) return `${who} path ${JSON.stringify(attributes.path)}`;
  const { group, resource, subresource, namespace } = attributes;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `${who} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${where}`;
}

/** Nothing that a browser might take for HTML. */
function plain(text: string): string {
  return /[&<>]/.test(text)
    ? text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
    : text;
}
