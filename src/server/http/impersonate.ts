import type { IncomingHttpHeaders } from 'node:http';
import { apiError } from '../../api/status.ts';
import type { Authorizer } from '../authz/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import { authorizeVerb } from './authorize.ts';

const EXTRA_HEADER = 'impersonate-extra-';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** The user a request acts as (`kubectl --as`): the sender, or whom it names, if it may. Throws 400 or 403. */
export function impersonate(
  authorizer: Authorizer,
  sender: UserInfo,
  headers: IncomingHttpHeaders,
): UserInfo {
  const name = header(headers, 'impersonate-user');
  const groups = all(headers, 'impersonate-group');
  const uid = header(headers, 'impersonate-uid');
  const extra = extraOf(headers);
  if (name === undefined) {
    if (groups.length === 0 && uid === undefined && Object.keys(extra).length === 0) return sender;
    throw apiError(
      'BadRequest',
      'requested to impersonate groups, uid or extra without impersonating a user',
    );
  }
  const check = (resource: string, wanted: string, group = '', subresource = '', namespace = ''): void =>
    authorizeVerb(
      authorizer,
      sender,
      { group, version: 'v1', resource, subresource, namespace, name: wanted },
      'impersonate',
    );
  const account = SERVICE_ACCOUNT.exec(name);
  if (account) check('serviceaccounts', account[2]!, '', '', account[1]!);
  else check('users', name);
  for (const group of groups) check('groups', group);
  for (const [key, values] of Object.entries(extra))
    for (const value of values) check('userextras', value, 'authentication.k8s.io', key);
  if (uid !== undefined) check('uids', uid, 'authentication.k8s.io');
  return {
    name,
    groups: impersonatedGroups(name, groups, account?.[1]),
    ...(uid === undefined ? {} : { uid }),
    extra,
  };
}

function impersonatedGroups(
  name: string,
  groups: readonly string[],
  namespace: string | undefined,
): string[] {
  const found = [...groups];
  if (namespace !== undefined && groups.length === 0)
    found.push('system:serviceaccounts', `system:serviceaccounts:${namespace}`);
  const status = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated';
  return found.includes(status) ? found : [...found, status];
}

function extraOf(headers: IncomingHttpHeaders): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(EXTRA_HEADER)) continue;
    extra[decodeURIComponent(name.slice(EXTRA_HEADER.length))] = all(headers, name);
  }
  return extra;
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Repeated headers arrive joined by commas. */
function all(headers: IncomingHttpHeaders, name: string): string[] {
  const value = headers[name];
  if (value === undefined) return [];
  return [value].flat().flatMap((one) => one.split(',').map((part) => part.trim()));
}
