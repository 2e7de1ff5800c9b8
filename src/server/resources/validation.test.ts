import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { apiVersionOf, qualifiedResource } from '../../api/resource.ts';
import { ApiError } from '../../api/status.ts';
import type { Client } from '../../client/port.ts';
import type { ApiServer } from '../api-server.ts';
import { startTestServer } from '../test-server.fake.ts';
import { MINIMAL, NAMES } from './minimal-objects.fake.ts';
import { RESOURCES } from './table.ts';

let server: ApiServer;
let client: Client;
beforeAll(async () => {
  ({ server } = await startTestServer());
  client = server.client({ name: 'admin', groups: ['system:masters'] });
});
afterAll(() => server.close());

/** Sets `spec.containers.0.image` and the like in a copy; `undefined` removes. */
function changed(object: unknown, changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy = structuredClone(object) as Record<string, unknown>;
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split('/');
    const last = steps.pop() as string;
    let at = copy;
    for (const step of steps) {
      at[step] ??= {};
      at = at[step] as Record<string, unknown>;
    }
    if (value === undefined) delete at[last];
    else at[last] = value;
  }
  return copy;
}

function definitionOf(key: string) {
  const found = RESOURCES.find((one) => qualifiedResource(one.resource) === key);
  if (found === undefined) throw new Error(`no resource ${key}`);
  return found;
}

let serial = 0;
function build(key: string, changes: Readonly<Record<string, unknown>>): KubeObject {
  const { resource } = definitionOf(key);
  const name = NAMES[key] ?? `object-${++serial}`;
  return changed(
    {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: { name, ...(resource.namespaced && { namespace: 'default' }) },
      ...MINIMAL[key],
    },
    changes,
  ) as unknown as KubeObject;
}

async function causesOf(write: Promise<unknown>): Promise<string[]> {
  try {
    await write;
    return [];
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'Invalid') throw error;
    return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

type Case = readonly [key: string, changes: Readonly<Record<string, unknown>>, cause: string];
const container = 'spec/containers/0';

const REFUSED: readonly Case[] = [
  [
    'flowschemas.flowcontrol.apiserver.k8s.io',
    { 'spec/matchingPrecedence': 1 },
    "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
  ],
  [
    'flowschemas.flowcontrol.apiserver.k8s.io',
    { 'spec/distinguisherMethod': { type: 'ByFoot' } },
    'spec.distinguisherMethod: Unsupported value: {"type":"ByFoot"}: supported values: "ByNamespace", "ByUser"',
  ],
  [
    'flowschemas.flowcontrol.apiserver.k8s.io',
    { 'spec/rules': [{ subjects: [{ kind: 'User', user: { name: 'a' } }] }] },
    'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
  ],
  [
    'flowschemas.flowcontrol.apiserver.k8s.io',
    {
      'spec/rules': [
        { subjects: [{ kind: 'Group' }], nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['/a*'] }] },
      ],
    },
    "spec.rules[0].subjects[0].group: Required value: group is required when subject kind is 'Group'",
  ],
  [
    'flowschemas.flowcontrol.apiserver.k8s.io',
    {
      'spec/rules': [
        {
          subjects: [{ kind: 'Group', group: { name: 'g' } }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['/a*'] }],
        },
      ],
    },
    'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*": wildcard can only do suffix matching, and must be preceded by \'/\'',
  ],
  [
    'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
    { 'spec/type': 'Exempt', 'spec/limited': undefined },
    "spec.type: Invalid value: \"Exempt\": must be 'Limited' if and only if `name` is not 'exempt'",
  ],
  [
    'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
    {
      'spec/limited/limitResponse': {
        type: 'Queue',
        queuing: { queues: 8, handSize: 9, queueLengthLimit: 5 },
      },
    },
    'spec.limited.limitResponse.queuing.handSize: Invalid value: 9: should not be greater than queues (8)',
  ],
  [
    'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
    { 'spec/limited/lendablePercent': 101 },
    'spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive',
  ],
  [
    'configmaps',
    { 'data/a b': 'x' },
    "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
  ],
  [
    'configmaps',
    { 'binaryData/a': 'MQ==' },
    'data[a]: Invalid value: "a": duplicate of key present in binaryData',
  ],
  ['secrets', { type: 'kubernetes.io/tls' }, 'data[tls.crt]: Required value'],
  ['secrets', { type: 'kubernetes.io/dockerconfigjson' }, 'data[.dockerconfigjson]: Required value'],
  ['pods', { 'spec/containers': [] }, 'spec.containers: Required value'],
  ['pods', { [`${container}/image`]: '' }, 'spec.containers[0].image: Required value'],
  [
    'pods',
    { [`${container}/image`]: ' busybox' },
    'spec.containers[0].image: Invalid value: " busybox": must not have leading or trailing whitespace',
  ],
  [
    'pods',
    { [`${container}/volumeMounts`]: [{ name: 'data', mountPath: '/d' }] },
    'spec.containers[0].volumeMounts[0].name: Not found: "data"',
  ],
  [
    'pods',
    { [`${container}/ports`]: [{ containerPort: 70000 }] },
    'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ],
  [
    'pods',
    { [`${container}/resources`]: { requests: { cpu: '2' }, limits: { cpu: '1' } } },
    'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
  ],
  [
    'pods',
    { [`${container}/livenessProbe`]: {} },
    'spec.containers[0].livenessProbe: Required value: must specify a handler type',
  ],
  [
    'pods',
    { [`${container}/env`]: [{ name: 'A', valueFrom: {} }] },
    'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
  ],
  [
    'pods',
    { 'spec/volumes': [{ name: 'a', emptyDir: {}, hostPath: { path: '/' } }] },
    'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
  ],
  [
    'pods',
    { 'spec/tolerations': [{ operator: 'Equal' }] },
    'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
  ],
  [
    'pods',
    { 'spec/initContainers': [{ name: 'main', image: 'busybox' }] },
    'spec.initContainers[0].name: Duplicate value: "main"',
  ],
  [
    'pods',
    { 'spec/dnsPolicy': 'None' },
    'spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None',
  ],
  ['services', { 'spec/ports': undefined }, 'spec.ports: Required value'],
  ['services', { 'spec/ports': [{ port: 80 }, { port: 81 }] }, 'spec.ports[0].name: Required value'],
  [
    'services',
    { 'spec/ports/0/nodePort': 30080 },
    "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
  ],
  [
    'services',
    { 'spec/clusterIP': '10.99.0.1' },
    'spec.clusterIPs: Invalid value: ["10.99.0.1"]: failed to allocate IP 10.99.0.1: the provided IP (10.99.0.1) is not in the valid range. The range of valid IPs is 10.43.0.0/16',
  ],
  [
    'services',
    { 'spec/type': 'NodePort', 'spec/ports/0/nodePort': 80 },
    'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  ],
  [
    'services',
    { 'spec/ipFamilyPolicy': 'RequireDualStack' },
    'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  ],
  ['deployments.apps', { 'spec/selector': undefined }, 'spec.selector: Required value'],
  [
    'deployments.apps',
    { 'spec/template/metadata/labels': { app: 'b' } },
    'spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`',
  ],
  [
    'deployments.apps',
    { 'spec/replicas': -1 },
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    'deployments.apps',
    { 'spec/strategy': { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
    'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
  ],
  [
    'deployments.apps',
    { 'spec/template/spec/restartPolicy': 'Never' },
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ],
  [
    'daemonsets.apps',
    { 'spec/updateStrategy': { rollingUpdate: { maxUnavailable: 0 } } },
    'spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0',
  ],
  [
    'jobs.batch',
    { 'spec/template/spec/restartPolicy': undefined },
    'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  ],
  [
    'jobs.batch',
    { 'spec/managedBy': 'me' },
    'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
  ],
  [
    'jobs.batch',
    { 'spec/successPolicy': { rules: [{ succeededCount: 1 }] } },
    'spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode',
  ],
  ...(
    [
      [
        { succeededIndexes: '0-5' },
        '.succeededIndexes',
        '"0-5": error parsing succeededIndexes: too large index: "5"',
      ],
      [
        { succeededIndexes: '2,1' },
        '.succeededIndexes',
        '"2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1',
      ],
      [
        { succeededIndexes: '0-1', succeededCount: 3 },
        '.succeededCount',
        '3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)',
      ],
    ] as const
  ).map(([rule, field, problem]): [string, Record<string, unknown>, string] => [
    'jobs.batch',
    { 'spec/completionMode': 'Indexed', 'spec/completions': 3, 'spec/successPolicy': { rules: [rule] } },
    `spec.successPolicy.rules[0]${field}: Invalid value: ${problem}`,
  ]),
  [
    'jobs.batch',
    { 'spec/completionMode': 'Indexed', 'spec/parallelism': 2 },
    'spec.completions: Required value: when completion mode is Indexed',
  ],
  [
    'cronjobs.batch',
    { 'spec/schedule': '61 * * * *' },
    'spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
  ],
  [
    'cronjobs.batch',
    { 'spec/timeZone': 'Mars/Olympus' },
    'spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus',
  ],
  [
    'horizontalpodautoscalers.autoscaling',
    { 'spec/minReplicas': 5 },
    'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
  ],
  [
    'ingresses.networking.k8s.io',
    { 'spec/defaultBackend': undefined },
    'spec: Invalid value: []: either `defaultBackend` or `rules` must be specified',
  ],
  [
    'networkpolicies.networking.k8s.io',
    { 'spec/ingress': [{ from: [{}] }] },
    'spec.ingress[0].from[0]: Required value: must specify a peer',
  ],
  [
    'poddisruptionbudgets.policy',
    { 'spec/maxUnavailable': '110%' },
    'spec.maxUnavailable: Invalid value: "110%": must not be greater than 100%',
  ],
  [
    'roles.rbac.authorization.k8s.io',
    { 'rules/0/verbs': [] },
    'rules[0].verbs: Required value: verbs must contain at least one value',
  ],
  [
    'clusterrolebindings.rbac.authorization.k8s.io',
    { 'roleRef/kind': 'Role' },
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
  ],
  [
    'persistentvolumeclaims',
    { 'spec/accessModes': [] },
    'spec.accessModes: Required value: at least 1 access mode is required',
  ],
  ['persistentvolumes', { 'spec/hostPath': undefined }, 'spec: Required value: must specify a volume type'],
  [
    'priorityclasses.scheduling.k8s.io',
    { value: 2_000_000_000 },
    'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
  ],
  [
    'limitranges',
    { 'spec/limits/0/min': { cpu: '2' } },
    'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
  ],
  [
    'resourcequotas',
    { 'spec/hard': { nonsense: '1' } },
    'spec.hard[nonsense]: Invalid value: "nonsense": must be a standard resource type or fully qualified',
  ],
  [
    'resourcequotas',
    { 'spec/hard': { services: '1', 'count/secrets': '1', cpu: '1' }, 'spec/scopes': ['NotTerminating'] },
    'spec.scopes: Invalid value: ["NotTerminating"]: unsupported scope applied to resource',
  ],
  [
    'resourcequotas',
    { 'spec/hard': { pods: '1' }, 'spec/scopes': ['Odd'] },
    'spec.scopes: Invalid value: ["Odd"]: unsupported scope',
  ],
  [
    'resourcequotas',
    { 'spec/hard': { pods: '1' }, 'spec/scopes': ['Terminating', 'NotTerminating'] },
    'spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes',
  ],
  [
    'resourcequotas',
    {
      'spec/hard': { pods: '1' },
      'spec/scopeSelector': { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In' }] },
    },
    "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
  ],
  [
    'resourcequotas',
    {
      'spec/hard': { 'requests.storage': '1Gi' },
      'spec/scopeSelector': {
        matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }],
      },
    },
    'spec.scopeSelector.matchExpressions: Invalid value: {"matchExpressions":[{"scopeName":"PriorityClass","operator":"In","values":["high"]}]}: unsupported scope applied to resource',
  ],
  [
    'leases.coordination.k8s.io',
    { 'spec/leaseDurationSeconds': 0 },
    'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { 'endpoints/0/addresses': ['nowhere'] },
    'endpoints[0].addresses[0]: Invalid value: "nowhere": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { 'endpoints/0/addresses': ['169.254.169.254'] },
    'endpoints[0].addresses[0]: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { 'endpoints/0/addresses': ['fd00::1'] },
    'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'IPv6' },
    'endpoints[0].addresses[0]: Invalid value: "10.0.0.1": must be an IPv6 address',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'IPv6', 'endpoints/0/addresses': ['::ffff:10.0.0.1'] },
    'endpoints[0].addresses[0]: Invalid value: "::ffff:10.0.0.1": must be an IPv6 address',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'FQDN', 'endpoints/0/addresses': ['alone'] },
    'endpoints[0].addresses[0]: Invalid value: "alone": should be a domain with at least two segments separated by dots',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'FQDN', 'endpoints/0/addresses': [''] },
    'endpoints[0].addresses[0]: Required value',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { 'endpoints/0/hints': { forZones: [{ name: 'a' }, { name: 'a' }] } },
    'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { 'endpoints/0/hints': { forNodes: Array(9).fill({ name: 'a' }) } },
    'endpoints[0].hints.forNodes: Too many: 9: must have at most 8 items',
  ],
  [
    'endpoints',
    { subsets: [{ addresses: [{ ip: '127.0.0.1' }] }] },
    'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
  ],
  [
    'endpoints',
    { subsets: [{ addresses: [{ ip: '10.0.0.1', nodeName: 'a_b' }] }] },
    `subsets[0].addresses[0].nodeName: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
  ],
  [
    'apiservices.apiregistration.k8s.io',
    { 'spec/versionPriority': 0 },
    'spec.versionPriority: Invalid value: 0: must be positive and less than 1000',
  ],
];

describe('refuses in upstream words', () => {
  it.each(REFUSED)('%s %j', async (key, changes, cause) => {
    const causes = await causesOf(client.create(definitionOf(key).resource, build(key, changes)));
    expect(causes).toContain(cause);
  });

  it('a selector of a Job that no pod of the Job has', async () => {
    const changes = { 'spec/selector': { matchLabels: { a: 'b' } } };
    const causes = await causesOf(
      client.create(definitionOf('jobs.batch').resource, build('jobs.batch', changes)),
    );
    expect(causes).toContainEqual(
      expect.stringMatching(/^spec\.selector: Invalid value: .*: `selector` not auto-generated$/),
    );
  });
});

const IMMUTABLES: readonly Case[] = [
  ['secrets', { type: 'other' }, 'type: Invalid value: "other": field is immutable'],
  [
    'deployments.apps',
    { 'spec/selector/matchLabels/tier': 'x', 'spec/template/metadata/labels/tier': 'x' },
    'spec.selector: Invalid value: {"matchLabels":{"app":"a","tier":"x"}}: field is immutable',
  ],
  [
    'statefulsets.apps',
    { 'spec/serviceName': 'other' },
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ],
  ['jobs.batch', { 'spec/completions': 4 }, 'spec.completions: Invalid value: 4: field is immutable'],
  [
    'services',
    { 'spec/clusterIP': '10.43.77.77', 'spec/clusterIPs': ['10.43.77.77'] },
    'spec.clusterIPs[0]: Invalid value: ["10.43.77.77"]: may not change once set',
  ],
  [
    'rolebindings.rbac.authorization.k8s.io',
    { 'roleRef/name': 'admin' },
    'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"admin"}: cannot change roleRef',
  ],
  [
    'storageclasses.storage.k8s.io',
    { provisioner: 'other.example.com/x' },
    'provisioner: Forbidden: updates to provisioner are forbidden.',
  ],
  ['priorityclasses.scheduling.k8s.io', { value: 5 }, 'value: Forbidden: may not be changed in an update.'],
  ['runtimeclasses.node.k8s.io', { handler: 'kata' }, 'handler: Invalid value: "kata": field is immutable'],
];

describe('refuses to change what is settled', () => {
  it.each(IMMUTABLES)('%s %j', async (key, changes, cause) => {
    const { resource } = definitionOf(key);
    const created = await client.create(resource, build(key, {}));
    const causes = await causesOf(
      client.update(resource, changed(created, changes) as unknown as KubeObject),
    );
    expect(causes).toContain(cause);
  });
});
