import { describe, expect, it } from 'vitest';
import type { Attributes, Authorizer } from '../authz/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import { impersonate } from './impersonate.ts';
import { parseRequest, type RequestInfo } from './request-info.ts';

const PODS = parseRequest('GET', '/api/v1/namespaces/shop/pods', new URLSearchParams()) as RequestInfo;
const SENDER: UserInfo = { name: 'ann', groups: ['system:authenticated'] };

/** `verb group/resource[/sub] namespace/name`, all of which must be allowed. */
function questionOf(attributes: Attributes): string {
  if ('path' in attributes) return `${attributes.verb} ${attributes.path}`;
  const { verb, group, resource, subresource, namespace, name } = attributes;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  return `${verb} ${group}|${full} ${namespace}/${name}`;
}

function authorizerOf(allowed: readonly string[], asked: string[] = []): Authorizer {
  return {
    authorize(attributes) {
      asked.push(questionOf(attributes));
      return { allowed: allowed.includes(questionOf(attributes)), reason: '' };
    },
    rulesFor: () => ({ resource: [], nonResource: [] }),
  };
}

const as = (allowed: readonly string[], rawHeaders: readonly string[], sender = SENDER, info = PODS) =>
  impersonate({ authorizer: authorizerOf(allowed), sender, rawHeaders, info });

const AUTHN = 'authentication.k8s.io|';

describe('plain impersonate', () => {
  it('asks for user, groups, uid and extra values one by one', () => {
    const headers = ['Impersonate-User', 'bob', 'Impersonate-Group', 'a,b', 'Impersonate-Group', 'c'];
    headers.push('Impersonate-Uid', '7', 'Impersonate-Extra-Acme.com%2Fscopes', 'view');
    const allowed = [
      'impersonate |users /bob',
      'impersonate |groups /a,b',
      'impersonate |groups /c',
      `impersonate ${AUTHN}uids /7`,
      `impersonate ${AUTHN}userextras/acme.com/scopes /view`,
    ];
    expect(as(allowed, headers)).toEqual({
      user: {
        name: 'bob',
        uid: '7',
        groups: ['a,b', 'c', 'system:authenticated'],
        extra: { 'acme.com/scopes': ['view'] },
      },
      constraint: '',
    });
    for (const missing of allowed)
      expect(() =>
        as(
          allowed.filter((one) => one !== missing),
          headers,
        ),
      ).toThrow(/cannot impersonate/);
  });

  it('gives service accounts their groups, and anonymous its own', () => {
    const account = as(
      ['impersonate |serviceaccounts shop/web'],
      ['impersonate-user', 'system:serviceaccount:shop:web'],
    );
    expect(account?.user.groups).toEqual([
      'system:serviceaccounts',
      'system:serviceaccounts:shop',
      'system:authenticated',
    ]);
    const nobody = as(['impersonate |users /system:anonymous'], ['impersonate-user', 'system:anonymous']);
    expect(nobody?.user.groups).toEqual(['system:unauthenticated']);
  });

  it('needs a name', () => {
    expect(as([], [])).toBeUndefined();
    expect(() => as([], ['Impersonate-Group', 'a'])).toThrow(/without impersonating a user name/);
  });
});

describe('constrained impersonation', () => {
  it('of a user needs the identity and the action', () => {
    const allowed = ['impersonate-on:user-info:list |pods shop/', `impersonate:user-info ${AUTHN}users /bob`];
    const headers = ['Impersonate-User', 'bob'];
    expect(as(allowed, headers)).toMatchObject({
      user: { name: 'bob' },
      constraint: 'impersonate:user-info',
    });
    expect(() => as(allowed.slice(1), headers)).toThrow(
      'pods is forbidden: User "ann" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "shop"',
    );
    expect(() => as(allowed.slice(0, 1), headers)).toThrow(
      'users.authentication.k8s.io "bob" is forbidden: User "ann" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope',
    );
  });

  it('never makes anybody system:masters', () => {
    const headers = ['Impersonate-User', 'bob', 'Impersonate-Group', 'system:masters'];
    const allowed = [
      'impersonate-on:user-info:list |pods shop/',
      `impersonate:user-info ${AUTHN}users /bob`,
      `impersonate:user-info ${AUTHN}groups /system:masters`,
    ];
    expect(() => as(allowed, headers)).toThrow(/impersonating the system:masters group is not allowed/);
  });

  it('of service accounts and nodes takes the name alone and knows their groups', () => {
    const account = ['Impersonate-User', 'system:serviceaccount:shop:web'];
    expect(
      as(
        [
          'impersonate-on:serviceaccount:list |pods shop/',
          `impersonate:serviceaccount ${AUTHN}serviceaccounts shop/web`,
        ],
        account,
      ),
    ).toMatchObject({ constraint: 'impersonate:serviceaccount' });
    const node = [
      'impersonate-on:arbitrary-node:list |pods shop/',
      `impersonate:arbitrary-node ${AUTHN}nodes /pi`,
    ];
    const headers = ['Impersonate-User', 'system:node:pi'];
    expect(as(node, headers)?.user.groups).toEqual(['system:nodes', 'system:authenticated']);
    expect(() => as(node, [...headers, 'Impersonate-Group', 'x'])).toThrow();
  });

  it('lets an agent act as the node that it runs on, and no other', () => {
    const agent: UserInfo = {
      name: 'system:serviceaccount:kube-system:agent',
      groups: [],
      extra: { 'authentication.kubernetes.io/node-name': ['pi'] },
    };
    const allowed = [
      'impersonate-on:associated-node:list |pods shop/',
      `impersonate:associated-node ${AUTHN}nodes /*`,
    ];
    const node = as(allowed, ['Impersonate-User', 'system:node:pi'], agent);
    expect(node).toMatchObject({
      user: { name: 'system:node:pi' },
      constraint: 'impersonate:associated-node',
    });
    expect(() => as(allowed, ['Impersonate-User', 'system:node:other'], agent)).toThrow();
  });

  it('asks about all groups at once where there are many', () => {
    const asked: string[] = [];
    const groups = ['a', 'b', 'c', 'd'];
    const authorizer = authorizerOf(
      [
        'impersonate-on:user-info:list |pods shop/',
        `impersonate:user-info ${AUTHN}users /bob`,
        `impersonate:user-info ${AUTHN}groups /*`,
      ],
      asked,
    );
    const rawHeaders = ['Impersonate-User', 'bob', ...groups.flatMap((one) => ['Impersonate-Group', one])];
    expect(impersonate({ authorizer, sender: SENDER, rawHeaders, info: PODS })?.user.groups).toContain('d');
    expect(asked).toHaveLength(3);
  });
});
