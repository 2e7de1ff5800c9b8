import { describe, expect, it } from 'vitest';
import type { ClusterRoleBinding, Pod, Role, RoleBinding } from '../../api/types.gen.ts';
import type { UserInfo } from '../registry/definition.ts';
import { defaultRbacObjects } from './default-objects.ts';
import { createNodeAuthorizer } from './node-authorizer.ts';
import { PodGraph } from './node-graph.ts';
import type { Attributes } from './port.ts';
import { rbacAuthorizer } from './rbac-authorizer.ts';
import { RbacIndex, type RbacResource } from './rbac-index.ts';
import { unionAuthorizer } from './union-authorizer.ts';

const index = new RbacIndex();
for (const { resource, object } of defaultRbacObjects()) index.put(resource.resource as RbacResource, object);
const rbac = rbacAuthorizer(index);

const user = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, 'system:authenticated'],
});
const jane = user('jane', 'devs');
const ANONYMOUS: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** `get pods`, `get secrets.x in ns`, `create deployments.apps/scale in ns`. */
function ask(who: UserInfo, verb: string, what: string, namespace = '', name = ''): Attributes {
  const [full = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = full.split('.');
  return { user: who, verb, resource, group: group.join('.'), version: 'v1', subresource, namespace, name };
}
const may = (attributes: Attributes): boolean => rbac.authorize(attributes).allowed;
const bind = (namespace: string | undefined, role: string, kind = 'ClusterRole'): void =>
  index.put(namespace === undefined ? 'clusterrolebindings' : 'rolebindings', {
    metadata: { name: `${role}-for-tests`, ...(namespace === undefined ? {} : { namespace }) },
    roleRef: { kind, name: role },
    subjects: [
      { kind: 'User', name: 'jane' },
      { kind: 'ServiceAccount', name: 'builder', namespace: 'ci' },
      { kind: 'Group', name: 'ops' },
    ],
  } as RoleBinding | ClusterRoleBinding);

describe('role-based access control', () => {
  it('lets anybody see whether the server lives, and signed-in users discover the API', () => {
    for (const path of ['/healthz', '/livez', '/readyz', '/version']) {
      expect(may({ user: ANONYMOUS, verb: 'get', path })).toBe(true);
      expect(may({ user: ANONYMOUS, verb: 'post', path })).toBe(false);
    }
    expect(may({ user: ANONYMOUS, verb: 'get', path: '/api/v1' })).toBe(false);
    for (const path of ['/api', '/apis/apps/v1', '/openapi/v3'])
      expect(may({ user: jane, verb: 'get', path })).toBe(true);
    expect(may(ask(jane, 'create', 'selfsubjectaccessreviews.authorization.k8s.io'))).toBe(true);
    expect(may(ask(jane, 'list', 'pods', 'default'))).toBe(false);
  });

  it('follows bindings as they come and go', () => {
    expect(may(ask(jane, 'list', 'pods', 'shop'))).toBe(false);
    bind('shop', 'view');
    expect(rbac.authorize(ask(jane, 'list', 'pods', 'shop'))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "view-for-tests/shop" of ClusterRole "view" to User "jane"',
    });
    expect(may(ask(jane, 'list', 'pods', 'other'))).toBe(false);
    expect(may(ask(jane, 'list', 'pods'))).toBe(false);
    expect(may(ask(jane, 'get', 'secrets', 'shop', 'x'))).toBe(false);
    expect(may(ask(jane, 'create', 'pods', 'shop'))).toBe(false);
    expect(may(ask(user('system:serviceaccount:ci:builder'), 'list', 'pods', 'shop'))).toBe(true);
    expect(may(ask(user('root', 'ops'), 'get', 'pods/log', 'shop', 'p'))).toBe(true);
    index.delete('rolebindings', 'shop', 'view-for-tests');
    expect(may(ask(jane, 'list', 'pods', 'shop'))).toBe(false);
  });

  it('knows view, edit and admin as users know them', () => {
    bind('one', 'edit');
    bind('two', 'admin');
    expect(may(ask(jane, 'create', 'deployments.apps', 'one'))).toBe(true);
    expect(may(ask(jane, 'patch', 'deployments.apps/scale', 'one', 'web'))).toBe(true);
    expect(may(ask(jane, 'get', 'secrets', 'one', 'x'))).toBe(true);
    expect(may(ask(jane, 'create', 'rolebindings.rbac.authorization.k8s.io', 'one'))).toBe(false);
    expect(may(ask(jane, 'create', 'rolebindings.rbac.authorization.k8s.io', 'two'))).toBe(true);
    expect(may(ask(jane, 'create', 'pods/exec', 'two', 'p'))).toBe(true);
    expect(may(ask(jane, 'update', 'resourcequotas', 'two', 'q'))).toBe(false);
  });

  it('matches names, wildcards and subresources of everything', () => {
    const role = (rules: Role['rules']): Role => ({
      metadata: { name: 'r', namespace: 'ns' },
      ...(rules && { rules }),
    });
    index.put(
      'roles',
      role([
        { apiGroups: [''], resources: ['configmaps'], resourceNames: ['only'], verbs: ['get'] },
        { apiGroups: ['*'], resources: ['*/scale'], verbs: ['update'] },
        { apiGroups: ['batch'], resources: ['*'], verbs: ['*'] },
      ]),
    );
    bind('ns', 'r', 'Role');
    expect(may(ask(jane, 'get', 'configmaps', 'ns', 'only'))).toBe(true);
    expect(may(ask(jane, 'get', 'configmaps', 'ns', 'other'))).toBe(false);
    expect(may(ask(jane, 'list', 'configmaps', 'ns'))).toBe(false);
    expect(may(ask(jane, 'update', 'deployments.apps/scale', 'ns', 'x'))).toBe(true);
    expect(may(ask(jane, 'update', 'deployments.apps', 'ns', 'x'))).toBe(false);
    expect(may(ask(jane, 'frob', 'jobs.batch/status', 'ns', 'x'))).toBe(true);
  });

  it('says which role a binding misses', () => {
    bind('void', 'no-such-role');
    expect(rbac.authorize(ask(jane, 'list', 'pods', 'void'))).toEqual({
      allowed: false,
      reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "no-such-role" not found',
    });
  });

  it('lists what somebody may do', () => {
    bind('listed', 'view');
    const { resource, nonResource } = rbac.rulesFor(jane, 'listed');
    expect(resource).toContainEqual({
      apiGroups: [''],
      resources: ['namespaces'],
      verbs: ['get', 'list', 'watch'],
    });
    expect(nonResource.length).toBeGreaterThan(0);
  });

  it.each([
    ['create', 'pods/binding', true],
    ['patch', 'pods/status', true],
    ['delete', 'pods', true],
    ['patch', 'persistentvolumeclaims', true],
    ['patch', 'persistentvolumes', true],
    ['create', 'events', true],
    ['create', 'pods', false],
    ['get', 'secrets', false],
    ['patch', 'nodes', false],
  ])('lets our scheduler %s %s: %s', (verb, what, expected) => {
    expect(may(ask(user('system:kube-scheduler', 'system:authenticated'), verb, what, 'ns', 'x'))).toBe(
      expected,
    );
  });

  it('lets system:masters in when nothing else does', () => {
    const empty = unionAuthorizer(rbacAuthorizer(new RbacIndex()));
    expect(empty.authorize(ask(user('root', 'system:masters'), 'delete', 'nodes', '', 'x')).allowed).toBe(
      true,
    );
    expect(empty.authorize(ask(jane, 'delete', 'nodes', '', 'x')).allowed).toBe(false);
  });

  it('is cheap enough to stand on every request', () => {
    bind(undefined, 'view');
    const attributes = ask(user('jane', 'a', 'b', 'c'), 'list', 'ingresses.networking.k8s.io', 'ns');
    // Of the processor, not of the clock: others may use it, too.
    const start = process.threadCpuUsage();
    for (let round = 0; round < 20_000; round++) rbac.authorize(attributes);
    expect(process.threadCpuUsage(start).user / 1000 / 20_000).toBeLessThan(0.05);
    index.delete('clusterrolebindings', '', 'view-for-tests');
  });
});

describe('default objects', () => {
  it('are named once, and every binding has its role', () => {
    const names = defaultRbacObjects().map(
      ({ resource, object }) => `${resource.resource}/${object.metadata.namespace}/${object.metadata.name}`,
    );
    expect(new Set(names).size).toBe(names.length);
    for (const { object } of defaultRbacObjects()) {
      if (!('roleRef' in object)) continue;
      expect(index.rulesOf(object), object.metadata.name).toBeDefined();
    }
  });

  it('let view be collected by edit, and edit by admin', () => {
    const labels = (name: string): Record<string, string> => {
      const found = defaultRbacObjects().find(({ object }) => object.metadata.name === name);
      return found?.object.metadata.labels ?? {};
    };
    expect(labels('view')).toHaveProperty(['rbac.authorization.k8s.io/aggregate-to-edit']);
    expect(labels('edit')).toHaveProperty(['rbac.authorization.k8s.io/aggregate-to-admin']);
    expect(labels('system:aggregate-to-view')).toHaveProperty([
      'rbac.authorization.k8s.io/aggregate-to-view',
    ]);
  });
});

describe('the Node authorizer', () => {
  const graph = new PodGraph();
  const pod = (name: string, nodeName: string, more: object = {}, annotations = {}): Pod => ({
    metadata: { name, namespace: 'ns', annotations },
    spec: { nodeName, serviceAccountName: `${name}-account`, containers: [{ name: 'c' }], ...more },
  });
  graph.put(
    pod('web', 'pi', {
      imagePullSecrets: [{ name: 'pull' }],
      volumes: [
        { name: 'v', secret: { secretName: 'volume' } },
        { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
        { name: 'p', projected: { sources: [{ configMap: { name: 'projected' } }] } },
        { name: 'e', ephemeral: {} },
      ],
      containers: [
        { name: 'c', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } }] },
      ],
      initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'init' } }] }],
    }),
  );
  graph.put(pod('other', 'far', { imagePullSecrets: [{ name: 'foreign' }] }));
  graph.put(
    pod('fake', 'pi', { imagePullSecrets: [{ name: 'stolen' }] }, { 'kubernetes.io/config.mirror': 'x' }),
  );
  const authorizer = createNodeAuthorizer({
    graph,
    volumeOf: (namespace, claim) => (`${namespace}/${claim}` === 'ns/data' ? 'pv-1' : undefined),
  });
  const pi = user('system:node:pi', 'system:nodes');
  const can = (verb: string, what: string, namespace = '', name = '', who = pi): boolean =>
    authorizer.authorize(ask(who, verb, what, namespace, name)).allowed;

  it.each([
    ['get', 'secrets', 'ns', 'pull'],
    ['get', 'secrets', 'ns', 'volume'],
    ['watch', 'secrets', 'ns', 'env'],
    ['get', 'configmaps', 'ns', 'projected'],
    ['get', 'configmaps', 'ns', 'init'],
    ['get', 'persistentvolumeclaims', 'ns', 'data'],
    ['get', 'persistentvolumeclaims', 'ns', 'web-e'],
    ['get', 'persistentvolumes', '', 'pv-1'],
    ['watch', 'persistentvolumes', '', 'pv-1'],
    ['list', 'persistentvolumeclaims', 'ns', 'data'],
    ['create', 'serviceaccounts/token', 'ns', 'web-account'],
    ['get', 'nodes', '', 'pi'],
    ['create', 'nodes', '', ''],
    ['patch', 'nodes/status', '', 'pi'],
    ['update', 'leases.coordination.k8s.io', 'kube-node-lease', 'pi'],
    ['patch', 'pods/status', 'ns', 'web'],
    ['delete', 'pods', 'ns', 'web'],
    ['create', 'events', 'ns', ''],
    ['list', 'pods', '', ''],
  ])('lets a node %s %s %s/%s', (verb, what, namespace, name) => {
    expect(can(verb, what, namespace, name)).toBe(true);
  });

  it.each([
    ['get', 'secrets', 'ns', 'foreign'],
    ['get', 'secrets', 'ns', 'stolen'],
    ['get', 'secrets', 'elsewhere', 'pull'],
    ['list', 'secrets', 'ns', ''],
    ['list', 'secrets', '', ''],
    ['update', 'secrets', 'ns', 'pull'],
    ['get', 'configmaps', 'kube-system', 'any'],
    ['get', 'persistentvolumes', '', 'pv-2'],
    ['list', 'persistentvolumes', '', ''],
    ['list', 'persistentvolumeclaims', 'ns', ''],
    ['get', 'persistentvolumeclaims', 'ns', 'foreign'],
    ['deletecollection', 'resourceslices.resource.k8s.io', '', ''],
    ['get', 'volumeattachments.storage.k8s.io', '', 'any'],
    ['create', 'serviceaccounts/token', 'ns', 'other-account'],
    ['create', 'serviceaccounts/token', 'kube-system', 'admin'],
    ['patch', 'nodes/status', '', 'far'],
    ['patch', 'nodes', '', 'far'],
    ['delete', 'nodes', '', 'pi'],
    ['update', 'leases.coordination.k8s.io', 'kube-node-lease', 'far'],
    ['get', 'leases.coordination.k8s.io', 'kube-system', 'pi'],
    ['patch', 'pods/status', 'ns', 'other'],
    ['delete', 'pods', 'ns', 'other'],
    ['create', 'pods/eviction', 'ns', 'other'],
    ['create', 'deployments.apps', 'ns', ''],
    ['create', 'clusterrolebindings.rbac.authorization.k8s.io', '', ''],
  ])('does not let a node %s %s %s/%s', (verb, what, namespace, name) => {
    expect(can(verb, what, namespace, name)).toBe(false);
  });

  it('has no opinion about who is no node', () => {
    expect(can('get', 'secrets', 'ns', 'pull', user('system:node:pi'))).toBe(false);
    expect(can('get', 'secrets', 'ns', 'pull', user('jane', 'system:nodes'))).toBe(false);
  });

  it('takes the right away with the pod', () => {
    graph.put(pod('brief', 'pi', { imagePullSecrets: [{ name: 'brief' }] }));
    expect(can('get', 'secrets', 'ns', 'brief')).toBe(true);
    graph.delete('ns', 'brief');
    expect(can('get', 'secrets', 'ns', 'brief')).toBe(false);
  });
});
