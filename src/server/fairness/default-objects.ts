import type {
  FlowcontrolSubject,
  FlowSchema,
  PriorityLevelConfiguration,
  ResourcePolicyRule,
} from '../../api/types.gen.ts';

/** Keeps an object from being brought up to date when set to `false`. */
export const AUTOUPDATE = 'apf.kubernetes.io/autoupdate-spec';

const meta = (name: string) => ({ name, annotations: { [AUTOUPDATE]: 'true' } });
const group = (name: string): FlowcontrolSubject => ({ kind: 'Group', group: { name } });
const user = (name: string): FlowcontrolSubject => ({ kind: 'User', user: { name } });
const KUBE_SYSTEM: FlowcontrolSubject = {
  kind: 'ServiceAccount',
  serviceAccount: { name: '*', namespace: 'kube-system' },
};
const EVERYBODY = [group('system:unauthenticated'), group('system:authenticated')];

const resources = (
  verbs: string[],
  apiGroups: string[],
  names: string[],
  clusterScope: boolean,
): ResourcePolicyRule => ({
  verbs,
  apiGroups,
  resources: names,
  ...(clusterScope ? { clusterScope } : {}),
  namespaces: ['*'],
});
const ALL = {
  resourceRules: [resources(['*'], ['*'], ['*'], true)],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

function level(
  name: string,
  nominalConcurrencyShares: number,
  lendablePercent: number,
  queuing?: { readonly queues: number; readonly handSize: number },
): PriorityLevelConfiguration {
  const limitResponse = queuing
    ? { type: 'Queue', queuing: { ...queuing, queueLengthLimit: 50 } }
    : { type: 'Reject' };
  return {
    metadata: meta(name),
    spec: { type: 'Limited', limited: { nominalConcurrencyShares, lendablePercent, limitResponse } },
  };
}

/** Precedence, name, level, distinguisher, subjects, rules (all requests by default). */
type Row = readonly [
  precedence: number,
  name: string,
  level: string,
  distinguisher: 'ByUser' | 'ByNamespace' | undefined,
  subjects: FlowcontrolSubject[],
  rules?: Partial<typeof ALL>,
];

const schema = ([matchingPrecedence, name, to, type, subjects, rules = ALL]: Row): FlowSchema => ({
  metadata: meta(name),
  spec: {
    matchingPrecedence,
    priorityLevelConfiguration: { name: to },
    ...(type ? { distinguisherMethod: { type } } : {}),
    rules: [{ subjects, ...rules }],
  },
});

/** These exist whatever anybody does to them, with just this spec. */
export const MANDATORY_LEVELS: readonly PriorityLevelConfiguration[] = [
  {
    metadata: meta('exempt'),
    spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  },
  level('catch-all', 5, 0),
];
export const MANDATORY_SCHEMAS: readonly FlowSchema[] = [
  schema([1, 'exempt', 'exempt', undefined, [group('system:masters')]]),
  schema([10_000, 'catch-all', 'catch-all', 'ByUser', EVERYBODY]),
];

/** What upstream suggests (pkg/apis/flowcontrol/bootstrap): a cluster may change it. */
export const SUGGESTED_LEVELS: readonly PriorityLevelConfiguration[] = [
  level('system', 30, 33, { queues: 64, handSize: 6 }),
  level('node-high', 40, 25, { queues: 64, handSize: 6 }),
  level('leader-election', 10, 0, { queues: 16, handSize: 4 }),
  level('workload-high', 40, 50, { queues: 128, handSize: 6 }),
  level('workload-low', 100, 90, { queues: 128, handSize: 6 }),
  level('global-default', 20, 50, { queues: 128, handSize: 6 }),
];
export const SUGGESTED_SCHEMAS: readonly FlowSchema[] = (
  [
    [500, 'system-nodes', 'system', 'ByUser', [group('system:nodes')]],
    [
      400,
      'system-node-high',
      'node-high',
      'ByUser',
      [group('system:nodes')],
      {
        resourceRules: [
          resources(['*'], [''], ['nodes', 'nodes/status'], true),
          resources(['*'], ['coordination.k8s.io'], ['leases'], false),
        ],
      },
    ],
    [
      2,
      'probes',
      'exempt',
      undefined,
      EVERYBODY,
      { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] },
    ],
    [
      100,
      'system-leader-election',
      'leader-election',
      'ByUser',
      [user('system:kube-controller-manager'), user('system:kube-scheduler'), KUBE_SYSTEM],
      { resourceRules: [resources(['get', 'create', 'update'], ['coordination.k8s.io'], ['leases'], false)] },
    ],
    [
      800,
      'kube-controller-manager',
      'workload-high',
      'ByNamespace',
      [user('system:kube-controller-manager')],
    ],
    [800, 'kube-scheduler', 'workload-high', 'ByNamespace', [user('system:kube-scheduler')]],
    [900, 'kube-system-service-accounts', 'workload-high', 'ByNamespace', [KUBE_SYSTEM]],
    [9000, 'service-accounts', 'workload-low', 'ByUser', [group('system:serviceaccounts')]],
    [9900, 'global-default', 'global-default', 'ByUser', EVERYBODY],
  ] satisfies Row[]
).map(schema);
