import { describe, expect, it } from 'vitest';
import { podRequests } from '../../api/pod-requests.ts';
import { tolerates } from '../../api/tolerations.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  StorageClass,
} from '../../api/types.gen.ts';
import type { Storage } from '../plugin.ts';
import { aCluster, aNode, aPod, onNode, type PodFields, scheduled } from '../test-objects.fake.ts';

const ZONE = 'topology.kubernetes.io/zone';
const HOSTNAME = 'kubernetes.io/hostname';
const inZone = (name: string, zone: string) => aNode(name, { labels: { [ZONE]: zone } });
const none = (reason: string, nodes = 1): string => `0/${nodes} nodes are available: ${nodes} ${reason}.`;

describe('requests of a pod', () => {
  const container = (cpu: string, restartPolicy?: string) => ({
    name: cpu,
    resources: { requests: { cpu } },
    ...(restartPolicy ? { restartPolicy } : {}),
  });
  const cpuOf = (spec: Partial<PodSpec>): number => podRequests(aPod('p', { spec })).requests.cpuMilli;

  it('are what containers and sidecars need together, or the greediest init container beside earlier sidecars', () => {
    expect(cpuOf({ containers: [container('1'), container('500m')] })).toBe(1500);
    expect(cpuOf({ containers: [container('1')], initContainers: [container('3')] })).toBe(3000);
    const initContainers = [container('200m', 'Always'), container('3'), container('100m', 'Always')];
    expect(cpuOf({ containers: [container('1')], initContainers })).toBe(3200);
    expect(cpuOf({ containers: [container('3')], initContainers })).toBe(3300);
  });
  it('include overhead, and those of the whole pod win', () => {
    expect(cpuOf({ containers: [container('1')], overhead: { cpu: '250m' } })).toBe(1250);
    expect(cpuOf({ containers: [container('1')], resources: { requests: { cpu: '2' } } })).toBe(2000);
  });
  it('count as something when nodes are compared', () => {
    expect(podRequests(aPod('p')).nonZero).toEqual({ cpuMilli: 100, memoryBytes: 200 * 1024 * 1024 });
  });
});

describe('tolerations', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' };
  it.each([
    [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }, true],
    [{ key: 'k', value: 'v' }, true],
    [{ key: 'k', value: 'w' }, false],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
  ])('%j', (toleration, covers) => {
    expect(tolerates(toleration, taint)).toBe(covers);
  });
});

describe('filters', () => {
  const hostPort = (port: number, hostIP?: string): Partial<PodSpec> => ({
    containers: [
      {
        name: 'c',
        ports: [{ containerPort: 80, hostPort: port, protocol: 'TCP', ...(hostIP ? { hostIP } : {}) }],
      },
    ],
  });

  it('NodeUnschedulable', () => {
    const cluster = aCluster([aNode('n', { unschedulable: true })]);
    expect(scheduled(aPod('p'), cluster)).toBe(none('node(s) were unschedulable'));
    const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }];
    expect(scheduled(aPod('p', { spec: { tolerations } }), cluster)).toBe('n');
  });

  it('TaintToleration', () => {
    const cluster = aCluster([aNode('n', { taints: [{ key: 'k', effect: 'NoExecute' }] })]);
    expect(scheduled(aPod('p'), cluster)).toBe(none('node(s) had untolerated taint(s)'));
    expect(scheduled(aPod('p', { spec: { tolerations: [{ operator: 'Exists' }] } }), cluster)).toBe('n');
    const soft = aCluster([
      aNode('tainted', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }),
      aNode('free', { allocatable: { cpu: '2' } }),
    ]);
    expect(scheduled(aPod('p'), soft)).toBe('free');
  });

  it('NodeAffinity', () => {
    const cluster = aCluster([inZone('a', '1'), inZone('b', '2')]);
    expect(scheduled(aPod('p', { spec: { nodeSelector: { [ZONE]: '2' } } }), cluster)).toBe('b');
    expect(scheduled(aPod('p', { spec: { nodeSelector: { [ZONE]: '3' } } }), cluster)).toBe(
      none("node(s) didn't match Pod's node affinity/selector", 2),
    );
    const affinity = (terms: object[], preferred: object[] = []): Partial<PodSpec> => ({
      affinity: {
        nodeAffinity: {
          ...(terms.length
            ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } }
            : {}),
          preferredDuringSchedulingIgnoredDuringExecution: preferred as never,
        },
      },
    });
    const gt = { matchExpressions: [{ key: ZONE, operator: 'Gt', values: ['1'] }] };
    const byName = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] };
    expect(scheduled(aPod('p', { spec: affinity([gt]) }), cluster)).toBe('b');
    expect(scheduled(aPod('p', { spec: affinity([byName]) }), cluster)).toBe('a');
    expect(scheduled(aPod('p', { spec: affinity([{}]) }), cluster)).toContain('2 node(s)');
    expect(scheduled(aPod('p', { spec: affinity([], [{ weight: 5, preference: gt }]) }), cluster)).toBe('b');
  });

  it('NodePorts', () => {
    const cluster = aCluster([aNode('n')], [onNode('n', aPod('a', { spec: hostPort(80, '10.0.0.1') }))]);
    const taken = none("node(s) didn't have free ports for the requested pod ports");
    expect(scheduled(aPod('p', { spec: hostPort(80) }), cluster)).toBe(taken);
    expect(scheduled(aPod('p', { spec: hostPort(80, '10.0.0.1') }), cluster)).toBe(taken);
    expect(scheduled(aPod('p', { spec: hostPort(80, '10.0.0.2') }), cluster)).toBe('n');
    expect(scheduled(aPod('p', { spec: hostPort(8080) }), cluster)).toBe('n');
  });

  it('NodeResourcesFit names everything that lacks', () => {
    const cluster = aCluster(
      [aNode('n', { allocatable: { pods: '1', 'example.com/gpu': '1' } })],
      [onNode('n', aPod('a', { requests: { cpu: '3', 'example.com/gpu': '1' } }))],
    );
    const requests = { cpu: '2', memory: '5Gi', 'ephemeral-storage': '11Gi', 'example.com/gpu': '1' };
    expect(scheduled(aPod('p', { requests }), cluster)).toBe(
      '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient ephemeral-storage, 1 Insufficient example.com/gpu, 1 Insufficient memory, 1 Too many pods.',
    );
  });

  it('NodeResourcesFit prefers the emptier node', () => {
    const cluster = aCluster(
      [aNode('a'), aNode('b')],
      [onNode('a', aPod('x', { requests: { cpu: '2', memory: '2Gi' } }))],
    );
    expect(scheduled(aPod('p', { requests: { cpu: '1', memory: '1Gi' } }), cluster)).toBe('b');
  });

  it('ImageLocality prefers the node that has a large image', () => {
    const images = [{ names: ['app:latest'], sizeBytes: 900 * 1024 * 1024 }];
    const cluster = aCluster([aNode('a'), aNode('b', { images })]);
    expect(scheduled(aPod('p'), cluster)).toBe('b');
  });
});

describe('InterPodAffinity', () => {
  const term = (labels: Record<string, string>, topologyKey = ZONE) => ({
    topologyKey,
    labelSelector: { matchLabels: labels },
  });
  const near = (...terms: object[]): Partial<PodSpec> => ({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms as never } },
  });
  const away = (...terms: object[]): Partial<PodSpec> => ({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms as never } },
  });
  const nodes = [inZone('a', '1'), inZone('b', '2')];
  const db = onNode('b', aPod('db', { labels: { app: 'db' } }));

  it('goes where its companion is, in its own namespace', () => {
    const spec = near(term({ app: 'db' }));
    expect(scheduled(aPod('p', { spec }), aCluster(nodes, [db]))).toBe('b');
    expect(scheduled(aPod('p', { spec, namespace: 'other' }), aCluster(nodes, [db]))).toBe(
      none("node(s) didn't match pod affinity rules", 2),
    );
  });
  it('finds companions in namespaces by selector', () => {
    const spec = near({ ...term({ app: 'db' }), namespaceSelector: { matchLabels: { team: 'x' } } });
    const namespaces = { default: { team: 'x' } };
    expect(scheduled(aPod('p', { spec, namespace: 'other' }), aCluster(nodes, [db], { namespaces }))).toBe(
      'b',
    );
    expect(scheduled(aPod('p', { spec, namespace: 'other' }), aCluster(nodes, [db]))).toContain('0/2');
  });
  it('lets the first of a group in', () => {
    const spec = near(term({ app: 'web' }));
    expect(scheduled(aPod('p', { spec, labels: { app: 'web' } }), aCluster(nodes))).toBe('a');
    expect(scheduled(aPod('p', { spec }), aCluster(nodes))).toContain("didn't match pod affinity rules");
  });
  it('keeps away from others, and they from it', () => {
    expect(scheduled(aPod('p', { spec: away(term({ app: 'db' })) }), aCluster(nodes, [db]))).toBe('a');
    const lonely = onNode('b', aPod('lonely', { spec: away(term({ app: 'web' })) }));
    expect(scheduled(aPod('p', { labels: { app: 'web' } }), aCluster(nodes, [lonely]))).toBe('a');
    expect(scheduled(aPod('p', { labels: { app: 'web' } }), aCluster([inZone('b', '2')], [lonely]))).toBe(
      none("node(s) didn't satisfy existing pods anti-affinity rules"),
    );
    expect(
      scheduled(aPod('p', { spec: away(term({ app: 'db' })) }), aCluster([inZone('b', '2')], [db])),
    ).toBe(none("node(s) didn't match pod anti-affinity rules"));
  });
  it('prefers company when it only wishes for it', () => {
    const spec: Partial<PodSpec> = {
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 100, podAffinityTerm: term({ app: 'db' }, HOSTNAME) },
          ],
        },
      },
    };
    expect(scheduled(aPod('p', { spec }), aCluster(nodes, [db]))).toBe('b');
  });
});

describe('PodTopologySpread', () => {
  const labels = { app: 'web' };
  const web = (name: string, node: string): Pod => onNode(node, aPod(name, { labels }));
  const spread = (fields: object = {}): PodFields => ({
    labels,
    spec: {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: ZONE,
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: labels },
          ...fields,
        },
      ],
    },
  });

  it('keeps the skew', () => {
    const nodes = [inZone('a', '1'), inZone('b', '2')];
    expect(scheduled(aPod('p', spread()), aCluster(nodes, [web('1', 'a')]))).toBe('b');
    const full = aNode('b', { labels: { [ZONE]: '2' }, unschedulable: true });
    expect(scheduled(aPod('p', spread()), aCluster([inZone('a', '1'), full], [web('1', 'a')]))).toBe(
      "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable.",
    );
  });
  it('needs the label', () => {
    expect(scheduled(aPod('p', spread()), aCluster([aNode('a')]))).toBe(
      none("node(s) didn't match pod topology spread constraints (missing required label)"),
    );
  });
  it('counts missing domains as empty', () => {
    const cluster = aCluster([inZone('a', '1')], [web('1', 'a')]);
    expect(scheduled(aPod('p', spread()), cluster)).toBe('a');
    expect(scheduled(aPod('p', spread({ minDomains: 2 })), cluster)).toContain('0/1');
  });
  it('leaves nodes out that the pod may not use anyway', () => {
    const tainted = aNode('b', { labels: { [ZONE]: '2' }, taints: [{ key: 'k', effect: 'NoSchedule' }] });
    const cluster = aCluster([inZone('a', '1'), tainted], [web('1', 'a')]);
    expect(scheduled(aPod('p', spread()), cluster)).toContain('0/2');
    expect(scheduled(aPod('p', spread({ nodeTaintsPolicy: 'Honor' })), cluster)).toBe('a');
  });
  it('does not count pods that are being deleted', () => {
    const leaving = web('1', 'a');
    leaving.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    const full = aNode('b', { labels: { [ZONE]: '2' }, unschedulable: true });
    expect(scheduled(aPod('p', spread()), aCluster([inZone('a', '1'), full], [leaving]))).toBe('a');
  });
  it('only prefers when it may be violated', () => {
    const nodes = [inZone('a', '1'), inZone('b', '2')];
    const soft = spread({ whenUnsatisfiable: 'ScheduleAnyway' });
    expect(scheduled(aPod('p', soft), aCluster(nodes, [web('1', 'a'), web('2', 'a')]))).toBe('b');
  });
  it('spreads replicas over hosts without being told', () => {
    const replica = (name: string): Pod => aPod(name, { owner: 'rs' });
    const filler = onNode('b', aPod('filler', { requests: { cpu: '100m', memory: '100Mi' } }));
    const cluster = aCluster([aNode('a'), aNode('b')], [onNode('a', replica('1')), filler]);
    expect(scheduled(replica('2'), cluster)).toBe('b');
  });
});

describe('VolumeBinding', () => {
  const withClaim: PodFields = {
    spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] },
  };
  const claim = (
    fields: Partial<PersistentVolumeClaim['spec']> = {},
    bound = false,
  ): PersistentVolumeClaim => ({
    metadata: {
      name: 'data',
      namespace: 'default',
      uid: 'c1',
      ...(bound ? { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } } : {}),
    },
    spec: {
      storageClassName: 'local',
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...fields,
    },
  });
  const volume = (name: string, node: string, size: string): PersistentVolume => ({
    metadata: { name },
    spec: {
      storageClassName: 'local',
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: size },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME, operator: 'In', values: [node] }] }],
        },
      },
    },
    status: { phase: 'Available' },
  });
  const local = (fields: Partial<StorageClass> = {}): StorageClass => ({
    metadata: { name: 'local' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...fields,
  });
  const storage = (
    claims: PersistentVolumeClaim[],
    volumes: PersistentVolume[] = [],
    storageClass = local(),
  ): Partial<Storage> => ({
    claim: (_namespace, name) => claims.find(({ metadata }) => metadata.name === name),
    volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
    volumes: () => volumes,
    storageClass: () => storageClass,
  });
  const place = (options: Partial<Storage>): string =>
    scheduled(aPod('p', withClaim), aCluster([aNode('a'), aNode('b')], [], { storage: options }));

  it('waits for claims that do not exist or are not bound', () => {
    expect(place(storage([]))).toBe('0/2 nodes are available: persistentvolumeclaim "data" not found.');
    const immediate = local({ volumeBindingMode: 'Immediate' });
    expect(place(storage([claim()], [], immediate))).toBe(
      '0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.',
    );
  });
  it('follows a bound volume to its node', () => {
    const bound = claim({ volumeName: 'pv' }, true);
    expect(place(storage([bound], [volume('pv', 'b', '1Gi')]))).toBe('b');
    expect(place(storage([bound], [volume('pv', 'c', '1Gi')]))).toBe(
      none("node(s) didn't match PersistentVolume's node affinity", 2),
    );
    expect(place(storage([bound]))).toBe(
      none('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)', 2),
    );
  });
  it('finds a volume that is large enough, or lets one be provisioned', () => {
    expect(place(storage([claim()], [volume('small', 'a', '1Mi'), volume('pv', 'b', '1Gi')]))).toBe('b');
    expect(place(storage([claim()], [volume('small', 'a', '1Mi')]))).toBe(
      none("node(s) didn't find available persistent volumes to bind", 2),
    );
    const dynamic = local({
      provisioner: 'example.com/x',
      allowedTopologies: [{ matchLabelExpressions: [{ key: HOSTNAME, values: ['b'] }] }],
    });
    expect(place(storage([claim()], [], dynamic))).toBe('b');
  });
});
