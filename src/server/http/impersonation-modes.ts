import type { Attributes, Authorizer } from '../authz/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import { authorizeVerb, forbiddenAttributes } from './authorize.ts';
import type { RequestInfo } from './request-info.ts';

/** Whom a request asks to act as, exactly as its headers say. */
export interface Wanted {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/** One way of being allowed to impersonate (KEP-5284). */
export interface ImpersonationMode {
  /** `associated-node`, …; empty for plain `impersonate`. */
  readonly name: string;
  /** The verb that is needed for the user, its groups, uid and extra values. */
  readonly verb: string;
  readonly constraint: string;
  readonly applies: (wanted: Wanted, sender: UserInfo) => boolean;
}

const AUTHENTICATION = 'authentication.k8s.io';
const NODE_KEY = 'authentication.kubernetes.io/node-name';
const MASTERS = 'system:masters';
/** With so many groups or extra values one question about all of them is tried first, as upstream. */
const MANY = 4;
const SERVICE_ACCOUNT = /^system:serviceaccount:([a-z0-9]([-a-z0-9]*[a-z0-9])?):([^:/%]+)$/;
const NODE = /^system:node:([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$/;

const nodeOf = (name: string): string | undefined => NODE.exec(name)?.[1];
const accountOf = (name: string): { namespace: string; name: string } | undefined => {
  const [, namespace, , account] = SERVICE_ACCOUNT.exec(name) ?? [];
  return namespace === undefined || account === undefined ? undefined : { namespace, name: account };
};
const onlyName = ({ uid, groups, extra }: Wanted): boolean =>
  uid === '' && groups.length === 0 && extra.size === 0;

function constrained(name: string, applies: ImpersonationMode['applies']): ImpersonationMode {
  return { name, verb: `impersonate:${name}`, constraint: `impersonate:${name}`, applies };
}

/** In upstream's order. */
export const CONSTRAINED_MODES: readonly ImpersonationMode[] = [
  constrained('associated-node', (wanted, { name, extra }) => {
    const node = nodeOf(wanted.name);
    const own = extra?.[NODE_KEY];
    return (
      node !== undefined &&
      onlyName(wanted) &&
      accountOf(name) !== undefined &&
      own?.length === 1 &&
      own[0] === node
    );
  }),
  constrained('arbitrary-node', (wanted) => onlyName(wanted) && nodeOf(wanted.name) !== undefined),
  constrained('serviceaccount', (wanted) => onlyName(wanted) && accountOf(wanted.name) !== undefined),
  constrained('user-info', ({ name }) => nodeOf(name) === undefined && accountOf(name) === undefined),
];

export const LEGACY_MODE: ImpersonationMode = {
  name: '',
  verb: 'impersonate',
  constraint: '',
  applies: () => true,
};

interface Asked {
  readonly authorizer: Authorizer;
  readonly sender: UserInfo;
  readonly info: RequestInfo;
}

type Check = (resource: string, name: string, more?: { subresource?: string; namespace?: string }) => void;

/** The user, once everything it needs in this mode is allowed. Throws 403 in upstream's words. */
export function authorizeImpersonation(mode: ImpersonationMode, wanted: Wanted, asked: Asked): UserInfo {
  const { authorizer } = asked;
  const sender = mode.name === 'associated-node' ? withoutExtraValues(asked.sender) : asked.sender;
  if (mode.name !== '') authorizeAction(mode, sender, asked);
  const check: Check = (resource, name, { subresource = '', namespace = '' } = {}) => {
    const group = mode.name !== '' || resource === 'uids' || resource === 'userextras' ? AUTHENTICATION : '';
    const target = { group, version: 'v1', resource, subresource, namespace, name };
    authorizeVerb(authorizer, sender, target, mode.verb);
  };
  const groups = checkName(mode, wanted, check);
  if (wanted.uid !== '') check('uids', wanted.uid);
  checkGroups(mode, wanted.groups, sender, check);
  checkExtra(mode, wanted.extra, sender, check);
  return {
    name: wanted.name,
    groups: withStatus(wanted.name, groups),
    ...(wanted.uid === '' ? {} : { uid: wanted.uid }),
    extra: Object.fromEntries(wanted.extra),
  };
}

/** May the sender do this very request while acting as somebody in this mode? */
function authorizeAction(mode: ImpersonationMode, sender: UserInfo, { authorizer, info }: Asked): void {
  const verb = `impersonate-on:${mode.name}:${info.verb}`;
  if (info.isResource) {
    authorizeVerb(authorizer, sender, info, verb);
    return;
  }
  const attributes: Attributes = { user: sender, verb, path: info.path };
  const decision = authorizer.authorize(attributes);
  if (!decision.allowed) throw forbiddenAttributes(attributes, decision.reason);
}

/** Upstream asks without them, so that one answer holds for an agent on every node. */
function withoutExtraValues(sender: UserInfo): UserInfo {
  const keys = Object.keys(sender.extra ?? {}).sort();
  return { ...sender, extra: { 'authentication.kubernetes.io/associated-node-keys': keys } };
}

/** Returns the groups that go with the name. */
function checkName(mode: ImpersonationMode, wanted: Wanted, check: Check): readonly string[] {
  const node = mode.name === '' ? undefined : nodeOf(wanted.name);
  if (node !== undefined) {
    check('nodes', mode.name === 'associated-node' ? '*' : node);
    return ['system:nodes'];
  }
  const account = accountOf(wanted.name);
  if (account === undefined) {
    check('users', wanted.name);
    return wanted.groups;
  }
  check('serviceaccounts', account.name, { namespace: account.namespace });
  if (wanted.groups.length > 0) return wanted.groups;
  return ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
}

function checkGroups(
  mode: ImpersonationMode,
  groups: readonly string[],
  sender: UserInfo,
  check: Check,
): void {
  if (mode.name !== '') {
    if (groups.includes(''))
      refuse(mode, sender, 'groups', '', 'impersonating the empty string group is not allowed');
    if (groups.includes(MASTERS))
      refuse(mode, sender, 'groups', MASTERS, 'impersonating the system:masters group is not allowed');
    if (groups.length >= MANY && allows(() => check('groups', '*'))) return;
  }
  for (const group of groups) check('groups', group);
}

function checkExtra(mode: ImpersonationMode, extra: Wanted['extra'], sender: UserInfo, check: Check): void {
  if (mode.name !== '') {
    for (const [key, values] of extra) {
      const wrong = extraProblem(key, values);
      if (wrong !== undefined) refuse(mode, sender, 'userextras', '', wrong);
    }
    const count = [...extra.values()].reduce((sum, values) => sum + values.length, 0);
    if (count >= MANY && allows(() => check('userextras', '*', { subresource: '*' }))) return;
  }
  for (const [key, values] of extra)
    for (const value of values) check('userextras', value, { subresource: key });
}

function extraProblem(key: string, values: readonly string[]): string | undefined {
  if (key === '') return 'impersonating the empty string key in extra is not allowed';
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[\w\-~.!$&'()*+,;=:@%]+(\/[\w\-~.!$&'()*+,;=:@%]+)*$/.test(key))
    return `impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ${JSON.stringify(key)}: must be a domain-prefixed path (such as "acme.io/foo")`;
  if (values.includes('')) return 'impersonating the empty string value in extra is not allowed';
  return undefined;
}

function allows(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

function refuse(mode: ImpersonationMode, user: UserInfo, resource: string, name: string, why: string): never {
  const target = { group: AUTHENTICATION, version: 'v1', resource, subresource: '', namespace: '', name };
  throw forbiddenAttributes({ user, verb: mode.verb, ...target }, why);
}

function withStatus(name: string, groups: readonly string[]): string[] {
  const status = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated';
  const has = groups.includes(status) || groups.includes('system:unauthenticated');
  return has ? [...groups] : [...groups, status];
}
