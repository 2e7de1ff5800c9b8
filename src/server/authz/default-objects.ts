import type { KubeObject, Resource } from '../../api/resource.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../api/resources.gen.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../api/types.gen.ts';
import { CONTROLLER_ROLES } from './controller-roles.ts';
import { AGGREGATED_ROLES, CLUSTER_ROLES, ROLE_LABELS } from './default-roles.ts';
import { CREATE, EVENTS, READ, rule } from './policy-rule.ts';

const GROUP = 'rbac.authorization.k8s.io';
const CONTROLLER = 'system:controller:';
/** Keeps an object from being brought up to date at start when set to `false`. */
export const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

export interface DefaultObject<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  readonly object: T;
}

const meta = (name: string, namespace?: string, labels: readonly string[] = []): KubeObject['metadata'] => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  annotations: { [AUTOUPDATE]: 'true' },
  labels: {
    'kubernetes.io/bootstrapping': 'rbac-defaults',
    ...Object.fromEntries(labels.map((label) => [label, 'true'])),
  },
});
const group = (name: string): Subject => ({ apiGroup: GROUP, kind: 'Group', name });
const user = (name: string): Subject => ({ apiGroup: GROUP, kind: 'User', name });
const account = (name: string): Subject => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' });
const roleRef = (kind: RoleRef['kind'], name: string): RoleRef => ({ apiGroup: GROUP, kind, name });

/** Whom the ClusterRole of the same name is given to. */
const CLUSTER_BINDINGS: Readonly<Record<string, readonly Subject[]>> = {
  'cluster-admin': [group('system:masters')],
  'system:monitoring': [group('system:monitoring')],
  'system:discovery': [group('system:authenticated')],
  'system:basic-user': [group('system:authenticated')],
  'system:public-info-viewer': [group('system:authenticated'), group('system:unauthenticated')],
  'system:node-proxier': [user('system:kube-proxy')],
  'system:kube-controller-manager': [user('system:kube-controller-manager')],
  'system:kube-dns': [account('kube-dns')],
  'system:kube-scheduler': [user('system:kube-scheduler')],
  'system:volume-scheduler': [user('system:kube-scheduler')],
  // The Node authorizer decides about nodes; this binding stays empty, as upstream's.
  'system:node': [],
  'system:service-account-issuer-discovery': [group('system:serviceaccounts')],
  'system:cluster-trust-bundle-discovery': [group('system:serviceaccounts')],
  'kedge:agent': [group('system:nodes')],
  'kedge:ca-viewer': [group('system:authenticated'), group('system:unauthenticated')],
};

/** Whoever may have a node join: the cluster's own tokens, and bootstrap tokens that are in it. */
export const NODE_BOOTSTRAPPERS = 'system:bootstrappers:kedge:default-node-token';

/** Bindings of another name than their ClusterRole's, as kubeadm makes them: binding, role, subjects. */
const JOIN_BINDINGS: readonly (readonly [string, string, readonly Subject[]])[] = [
  ['kedge:node-bootstrapper', 'system:node-bootstrapper', [group(NODE_BOOTSTRAPPERS)]],
  [
    'kedge:node-autoapprove-bootstrap',
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    [group(NODE_BOOTSTRAPPERS)],
  ],
  [
    'kedge:node-autoapprove-certificate-rotation',
    'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    [group('system:nodes')],
  ],
];

const leases = (name: string): readonly [string, readonly PolicyRule[], readonly Subject[]] => [
  `system::leader-locking-${name}`,
  [
    rule(['create', 'get', 'list', 'update', 'watch'], ['coordination.k8s.io'], ['leases']),
    rule(['create', 'get', 'list', 'update', 'watch'], ['coordination.k8s.io'], ['leasecandidates']),
  ],
  [user(`system:${name}`), account(name)],
];

/** Namespaced roles: namespace, name, rules. */
const ROLES: readonly (readonly [string, string, readonly PolicyRule[]])[] = [
  [
    'kube-system',
    'extension-apiserver-authentication-reader',
    [rule(READ, [''], ['configmaps'], ['extension-apiserver-authentication'])],
  ],
  ['kube-system', 'system:controller:bootstrap-signer', [rule(READ, [''], ['secrets'])]],
  ['kube-system', 'system:controller:cloud-provider', [rule([...CREATE, ...READ], [''], ['configmaps'])]],
  ['kube-system', 'system:controller:token-cleaner', [rule([...READ, 'delete'], [''], ['secrets']), EVENTS]],
  ['kube-system', ...roleOf(leases('kube-controller-manager'))],
  ['kube-system', ...roleOf(leases('kube-scheduler'))],
  [
    'kube-public',
    'system:controller:bootstrap-signer',
    [rule(READ, [''], ['configmaps']), rule(['update'], [''], ['configmaps'], ['cluster-info']), EVENTS],
  ],
];

/** Namespaced bindings: namespace, name, role, subjects. */
const BINDINGS: readonly (readonly [string, string, string, readonly Subject[]])[] = [
  [
    'kube-system',
    'system::extension-apiserver-authentication-reader',
    'extension-apiserver-authentication-reader',
    [user('system:kube-controller-manager'), user('system:kube-scheduler')],
  ],
  ...['bootstrap-signer', 'cloud-provider', 'token-cleaner'].map(
    (name) => ['kube-system', `${CONTROLLER}${name}`, `${CONTROLLER}${name}`, [account(name)]] as const,
  ),
  ...['kube-controller-manager', 'kube-scheduler'].map((name) => {
    const [role, , subjects] = leases(name);
    return ['kube-system', role, role, subjects] as const;
  }),
  [
    'kube-public',
    `${CONTROLLER}bootstrap-signer`,
    `${CONTROLLER}bootstrap-signer`,
    [account('bootstrap-signer')],
  ],
];

function roleOf([name, rules]: ReturnType<typeof leases>): readonly [string, readonly PolicyRule[]] {
  return [name, rules];
}

/** Roles and bindings every cluster starts with, as upstream's; roles before the bindings that name them. */
export function defaultRbacObjects(): readonly DefaultObject<
  ClusterRole | ClusterRoleBinding | Role | RoleBinding
>[] {
  const clusterRole = (name: string, rules: readonly PolicyRule[]): ClusterRole => ({
    metadata: meta(name, undefined, ROLE_LABELS[name]),
    rules: [...rules],
  });
  const clusterBinding = (name: string, subjects: readonly Subject[], role = name): ClusterRoleBinding => ({
    metadata: meta(name),
    roleRef: roleRef('ClusterRole', role),
    ...(subjects.length === 0 ? {} : { subjects: [...subjects] }),
  });
  const aggregated = ([name, labels]: readonly [string, readonly string[]]): ClusterRole => ({
    metadata: meta(name, undefined, ROLE_LABELS[name]),
    aggregationRule: { clusterRoleSelectors: labels.map((label) => ({ matchLabels: { [label]: 'true' } })) },
    // Filled from the start, so that the roles work before anybody aggregates.
    rules: [...aggregatedDefaults(name)],
  });
  return [
    ...Object.entries(CLUSTER_ROLES).map(([name, rules]) => ({
      resource: clusterRoles,
      object: clusterRole(name, rules),
    })),
    ...Object.entries(AGGREGATED_ROLES).map((entry) => ({
      resource: clusterRoles,
      object: aggregated(entry),
    })),
    ...Object.entries(CONTROLLER_ROLES).map(([name, rules]) => ({
      resource: clusterRoles,
      object: clusterRole(`${CONTROLLER}${name}`, rules),
    })),
    ...ROLES.map(([namespace, name, rules]) => ({
      resource: roles,
      object: { metadata: meta(name, namespace), rules: [...rules] },
    })),
    ...Object.entries(CLUSTER_BINDINGS).map(([name, subjects]) => ({
      resource: clusterRoleBindings,
      object: clusterBinding(name, subjects),
    })),
    ...JOIN_BINDINGS.map(([name, role, subjects]) => ({
      resource: clusterRoleBindings,
      object: clusterBinding(name, subjects, role),
    })),
    ...Object.keys(CONTROLLER_ROLES).map((name) => ({
      resource: clusterRoleBindings,
      object: clusterBinding(`${CONTROLLER}${name}`, [account(name)]),
    })),
    ...BINDINGS.map(([namespace, name, role, subjects]) => ({
      resource: roleBindings,
      object: { metadata: meta(name, namespace), roleRef: roleRef('Role', role), subjects: [...subjects] },
    })),
  ];
}

/** As the aggregation controller will have it: `edit` holds `view`, `admin` holds `edit`. */
function aggregatedDefaults(name: string): readonly PolicyRule[] {
  const own = CLUSTER_ROLES[`system:aggregate-to-${name}`] ?? [];
  if (name === 'edit') return [...own, ...aggregatedDefaults('view')];
  return name === 'admin' ? [...aggregatedDefaults('edit'), ...own] : own;
}
