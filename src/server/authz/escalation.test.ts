import { describe, expect, it } from 'vitest';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../api/resources.gen.ts';
import { ApiError } from '../../api/status.ts';
import type { ClusterRole, PolicyRule } from '../../api/types.gen.ts';
import type { AdmissionAttributes } from '../admission/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import { defaultRbacObjects } from './default-objects.ts';
import { createEscalationPlugin } from './escalation.ts';
import { rbacAuthorizer } from './rbac-authorizer.ts';
import { RbacIndex, type RbacResource } from './rbac-index.ts';
import { reconcile } from './reconcile.ts';
import { uncoveredRules } from './rules.ts';

const index = new RbacIndex();
for (const { resource, object } of defaultRbacObjects()) index.put(resource.resource as RbacResource, object);
const grant = (user: string, role: string, namespace: string): void =>
  index.put('rolebindings', {
    metadata: { name: `${user}-${role}`, namespace },
    roleRef: { apiGroup: '', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'User', name: user }],
  });
const rbac = rbacAuthorizer(index);
const plugin = createEscalationPlugin({ rbac, authorizer: rbac });

const jane: UserInfo = { name: 'jane', groups: ['devs', 'system:authenticated'] };
grant('jane', 'admin', 'shop');

function write(
  resource: Resource,
  object: KubeObject,
  more: { old?: KubeObject; user?: UserInfo } = {},
): string {
  const attributes = {
    operation: more.old ? 'UPDATE' : 'CREATE',
    resource,
    subresource: '',
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name ?? '',
    object,
    ...(more.old ? { oldObject: more.old } : {}),
    user: more.user ?? jane,
    dryRun: false,
  } as unknown as AdmissionAttributes;
  try {
    if (plugin.handles?.(attributes)) plugin.validate?.(attributes);
  } catch (error) {
    if (error instanceof ApiError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}
const pods: PolicyRule = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] };
const everything: PolicyRule = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
const role = (rules: PolicyRule[], namespace = 'shop'): KubeObject & { rules: PolicyRule[] } => ({
  metadata: { name: 'r', namespace },
  rules,
});
const binding = (name: string, kind = 'ClusterRole', namespace = 'shop') => ({
  metadata: { name: 'b', namespace },
  roleRef: { kind, name },
  subjects: [{ kind: 'User', name: 'joe' }],
});

describe('privilege escalation', () => {
  it("is refused in upstream's words", () => {
    expect(write(roles, role([pods]))).toBe('accepted');
    expect(
      write(roles, role([pods, { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'delete'] }])),
    ).toBe(
      '403 roles.rbac.authorization.k8s.io "r" is forbidden: user "jane" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get" "delete"]}',
    );
    expect(write(roles, role([pods], 'other'))).toMatch(/^403 /);
  });

  it('is refused through bindings, aggregation and later changes', () => {
    expect(write(roleBindings, binding('view'))).toBe('accepted');
    expect(write(roleBindings, binding('cluster-admin'))).toMatch(/^403 rolebindings.* "b" is forbidden/);
    expect(write(roleBindings, binding('nothing'))).toBe(
      '404 clusterroles.rbac.authorization.k8s.io "nothing" not found',
    );
    expect(
      write(clusterRoleBindings, {
        metadata: { name: 'b' },
        roleRef: { kind: 'ClusterRole', name: 'view' },
      } as KubeObject),
    ).toMatch(/^403 /);
    expect(write(clusterRoles, { metadata: { name: 'r' }, aggregationRule: {} } as KubeObject)).toMatch(
      /^403 /,
    );
    expect(write(roles, role([everything]), { old: role([pods]) })).toMatch(/^403 /);
  });

  it('is no matter where nothing is granted, to masters, and with escalate or bind', () => {
    expect(
      write(
        roles,
        { ...role([everything]), metadata: { name: 'r', namespace: 'shop', labels: { a: 'b' } } },
        { old: role([everything]) },
      ),
    ).toBe('accepted');
    expect(
      write(clusterRoles, { metadata: { name: 'r' }, rules: [everything] } as KubeObject, {
        user: { name: 'root', groups: ['system:masters'] },
      }),
    ).toBe('accepted');
    index.put('clusterroles', {
      metadata: { name: 'granter' },
      rules: [
        { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['escalate'] },
        {
          apiGroups: ['rbac.authorization.k8s.io'],
          resources: ['clusterroles'],
          resourceNames: ['cluster-admin'],
          verbs: ['bind'],
        },
      ],
    });
    const joe: UserInfo = { name: 'joe', groups: [] };
    expect(write(roles, role([everything]), { user: joe })).toMatch(/^403 /);
    grant('joe', 'granter', 'shop');
    expect(write(roles, role([everything]), { user: joe })).toBe('accepted');
    expect(write(roleBindings, binding('cluster-admin'), { user: joe })).toBe('accepted');
    expect(write(roleBindings, binding('admin'), { user: joe })).toMatch(/^403 /);
  });
});

describe('coverage of rules', () => {
  it.each([
    [[everything], [pods], true],
    [[pods], [everything], false],
    [[pods], [{ ...pods, resourceNames: ['x'] }], true],
    [[{ ...pods, resourceNames: ['x'] }], [pods], false],
    [[{ ...pods, resources: ['*'] }], [{ ...pods, resources: ['pods/log'] }], true],
    [[pods], [{ ...pods, resources: ['pods/log'] }], false],
    [[{ ...pods, resources: ['*/log'] }], [{ ...pods, resources: ['pods/log'] }], true],
    [[{ verbs: ['get'], nonResourceURLs: ['/a/*'] }], [{ verbs: ['get'], nonResourceURLs: ['/a/b'] }], true],
    [[{ verbs: ['get'], nonResourceURLs: ['/a'] }], [{ verbs: ['get'], nonResourceURLs: ['/a/*'] }], false],
  ] as [PolicyRule[], PolicyRule[], boolean][])('%j covers %j: %s', (held, wanted, expected) => {
    expect(uncoveredRules(held, wanted).length === 0).toBe(expected);
  });
});

describe('reconciling defaults', () => {
  const wanted: ClusterRole = {
    metadata: {
      name: 'r',
      labels: { l: '1' },
      annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
    },
    rules: [pods],
  };
  it('creates, adds what is missing, keeps what was added, and leaves alone what says so', () => {
    expect(reconcile(wanted, undefined)).toEqual({ action: 'create', object: wanted });
    expect(reconcile(wanted, wanted)).toEqual({ action: 'none' });
    const grown: ClusterRole = {
      ...wanted,
      metadata: { ...wanted.metadata, labels: { l: '1', mine: 'x' } },
      rules: [everything],
    };
    expect(reconcile(wanted, grown)).toEqual({ action: 'none' });
    const other: PolicyRule = { apiGroups: ['x'], resources: ['y'], verbs: ['z'] };
    expect(reconcile(wanted, { ...wanted, rules: [other] })).toMatchObject({
      action: 'update',
      object: { rules: [other, pods] },
    });
    const frozen = {
      ...wanted,
      metadata: { name: 'r', annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
      rules: [],
    };
    expect(reconcile(wanted, frozen)).toEqual({ action: 'none' });
  });
  it('adds subjects, and replaces a binding to another role', () => {
    const bindingOf = (name: string, ...users: string[]) => ({
      metadata: { name: 'b', annotations: {}, labels: {} },
      roleRef: { apiGroup: 'g', kind: 'ClusterRole', name },
      subjects: users.map((user) => ({ kind: 'User', name: user })),
    });
    expect(reconcile(bindingOf('r', 'a'), bindingOf('r', 'b'))).toEqual({
      action: 'update',
      object: bindingOf('r', 'b', 'a'),
    });
    expect(reconcile(bindingOf('r', 'a'), bindingOf('other', 'a')).action).toBe('recreate');
  });
});
