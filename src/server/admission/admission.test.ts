import { afterEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { Pod, PodSpec } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import type { ApiServer } from '../api-server.ts';
import { definition, establish, resourceOf, version } from '../custom-resources/test-definitions.fake.ts';
import type { UserInfo } from '../registry/definition.ts';
import { startTestServer } from '../test-server.fake.ts';
import { violations } from './pod-security-levels.ts';
import { createAdmission } from './table.ts';

const admin: UserInfo = { name: 'admin', groups: ['system:masters'] };
const servers: ApiServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A server with the named plugins only, so that each test shows one of them. */
async function serve(...names: string[]): Promise<{ server: ApiServer; client: Client }> {
  const { server } = await startTestServer({
    admission: (context) => createAdmission(context).filter(({ name }) => names.includes(name)),
  });
  servers.push(server);
  const client = server.client(admin);
  return { server, client };
}

const pod = (spec: Partial<PodSpec> = {}, name = 'web'): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'a', image: 'busybox:1' }], ...spec },
});
const refusal = (message: string | RegExp) => ({
  status: { code: 403, message: typeof message === 'string' ? message : expect.stringMatching(message) },
});

describe('NamespaceLifecycle', () => {
  it('lets nothing into a missing or dying namespace, and keeps the important ones', async () => {
    const { client } = await serve('NamespaceLifecycle');
    const into = (namespace: string) =>
      client.create(resources.configMaps, { metadata: { name: 'a', namespace } });
    await expect(into('nowhere')).rejects.toMatchObject({
      status: { code: 404, message: 'namespaces "nowhere" not found' },
    });
    await client.create(resources.namespaces, { metadata: { name: 'dying' } });
    await into('dying');
    await client.delete(resources.namespaces, { name: 'dying' });
    await expect(
      client.create(resources.configMaps, { metadata: { name: 'b', namespace: 'dying' } }),
    ).rejects.toMatchObject({
      status: {
        message:
          'configmaps "b" is forbidden: unable to create new content in namespace dying because it is being terminated',
        details: { causes: [{ reason: 'NamespaceTerminating' }] },
      },
    });
    await expect(client.delete(resources.namespaces, { name: 'default' })).rejects.toMatchObject(
      refusal('namespaces "default" is forbidden: this namespace may not be deleted'),
    );
  });
});

describe('ServiceAccount', () => {
  it('gives a pod its account, token and pull secrets', async () => {
    const { client } = await serve('ServiceAccount');
    await client.create(resources.serviceAccounts, {
      metadata: { name: 'default', namespace: 'default' },
      imagePullSecrets: [{ name: 'registry' }],
    });
    const { spec } = await client.create(resources.pods, pod());
    const volume = spec?.volumes?.[0];
    expect(spec).toMatchObject({
      serviceAccountName: 'default',
      serviceAccount: 'default',
      imagePullSecrets: [{ name: 'registry' }],
      containers: [
        {
          volumeMounts: [
            {
              name: volume?.name,
              readOnly: true,
              mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
            },
          ],
        },
      ],
    });
    expect(volume).toEqual({
      name: expect.stringMatching(/^kube-api-access-[a-z0-9]{5}$/),
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    });
    const plain = await client.create(resources.pods, pod({ automountServiceAccountToken: false }, 'plain'));
    expect(plain.spec?.volumes).toBeUndefined();
    await expect(
      client.create(resources.pods, pod({ serviceAccountName: 'other' }, 'lost')),
    ).rejects.toMatchObject(
      refusal(
        'pods "lost" is forbidden: error looking up service account default/other: serviceaccount "other" not found',
      ),
    );
  });
});

it('Priority: turns classes into numbers', async () => {
  const { client } = await serve('Priority');
  await client.create(resources.priorityClasses, { metadata: { name: 'high' }, value: 1000 });
  await client.create(resources.priorityClasses, {
    metadata: { name: 'usual' },
    value: 10,
    globalDefault: true,
  });
  const high = await client.create(resources.pods, pod({ priorityClassName: 'high' }));
  expect(high.spec).toMatchObject({ priority: 1000, preemptionPolicy: 'PreemptLowerPriority' });
  expect((await client.create(resources.pods, pod({}, 'b'))).spec).toMatchObject({
    priorityClassName: 'usual',
    priority: 10,
  });
  await expect(client.create(resources.pods, pod({ priorityClassName: 'no' }, 'c'))).rejects.toMatchObject(
    refusal('pods "c" is forbidden: no PriorityClass with name no was found'),
  );
  await expect(
    client.create(resources.priorityClasses, { metadata: { name: 'second' }, value: 1, globalDefault: true }),
  ).rejects.toMatchObject(refusal(/PriorityClass usual is already marked as default/));
});

it('DefaultTolerationSeconds: five minutes, unless the pod says otherwise', async () => {
  const { client } = await serve('DefaultTolerationSeconds');
  const own = {
    key: 'node.kubernetes.io/not-ready',
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 5,
  };
  const { spec } = await client.create(resources.pods, pod({ tolerations: [own] }));
  expect(spec?.tolerations).toEqual([
    own,
    {
      key: 'node.kubernetes.io/unreachable',
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    },
  ]);
});

it('LimitRanger: fills in and holds to the range', async () => {
  const { client } = await serve('LimitRanger');
  await client.create(resources.limitRanges, {
    metadata: { name: 'range', namespace: 'default' },
    spec: {
      limits: [
        { type: 'Container', max: { cpu: '1' }, min: { cpu: '100m' }, defaultRequest: { cpu: '200m' } },
      ],
    },
  });
  const filled = await client.create(resources.pods, pod());
  expect(filled.spec?.containers[0]?.resources).toEqual({ limits: { cpu: '1' }, requests: { cpu: '200m' } });
  expect(filled.metadata.annotations).toEqual({
    'kubernetes.io/limit-ranger':
      'LimitRanger plugin set: cpu request for container a; cpu limit for container a',
  });
  const greedy = { containers: [{ name: 'a', image: 'busybox', resources: { limits: { cpu: '2' } } }] };
  await expect(client.create(resources.pods, pod(greedy, 'greedy'))).rejects.toMatchObject(
    refusal(
      'pods "greedy" is forbidden: [maximum cpu usage per Container is 1, but limit is 2]'.replace(
        /[[\]]/g,
        '',
      ),
    ),
  );
});

it('ResourceQuota: counts what is there, and asks for what it limits', async () => {
  const { client } = await serve('ResourceQuota');
  await client.create(resources.resourceQuotas, {
    metadata: { name: 'q', namespace: 'default' },
    spec: { hard: { pods: '2', 'requests.cpu': '1', configmaps: '1' } },
  });
  const asking = (cpu: string, name: string): Pod =>
    pod({ containers: [{ name: 'a', image: 'busybox', resources: { requests: { cpu } } }] }, name);
  await expect(client.create(resources.pods, pod({}, 'silent'))).rejects.toMatchObject(
    refusal('pods "silent" is forbidden: failed quota: q: must specify requests.cpu for: a'),
  );
  await client.create(resources.pods, asking('600m', 'one'));
  await expect(client.create(resources.pods, asking('600m', 'two'))).rejects.toMatchObject(
    refusal(
      'pods "two" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1',
    ),
  );
  const many = await Promise.allSettled(
    ['x', 'y', 'z'].map((name) =>
      client.create(resources.configMaps, { metadata: { name, namespace: 'default' } }),
    ),
  );
  expect(many.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

it('default classes: storage and ingress', async () => {
  const { client } = await serve(
    'DefaultStorageClass',
    'DefaultIngressClass',
    'StorageObjectInUseProtection',
  );
  await client.create(resources.storageClasses, {
    metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'example.com/local',
  });
  await client.create(resources.ingressClasses, {
    metadata: { name: 'edge', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
    spec: { controller: 'example.com/edge' },
  });
  const claim = await client.create(resources.persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  expect(claim).toMatchObject({
    spec: { storageClassName: 'local' },
    metadata: { finalizers: ['kubernetes.io/pvc-protection'] },
  });
  const ingress = await client.create(resources.ingresses, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  });
  expect(ingress.spec?.ingressClassName).toBe('edge');
  // Kinds of others with the same name are none of their business.
  for (const plural of ['ingresses', 'persistentvolumeclaims']) {
    const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as const;
    const names = { plural, singular: plural.slice(0, -1), kind: `Own${plural}` };
    const own = definition([version('v1', schema)], { names });
    await establish(client, own);
    const created = await client.create(resourceOf(own), {
      metadata: { name: 'web', namespace: 'default' },
      spec: {},
    });
    expect(created['spec']).toEqual({});
    expect(created.metadata.finalizers).toBeUndefined();
  }
});

it('TaintNodesByCondition and NodeRestriction: a node starts tainted and minds its own business', async () => {
  const { server, client } = await serve('TaintNodesByCondition', 'NodeRestriction');
  const agent = server.client({ name: 'system:node:n1', groups: ['system:nodes'] });
  const node = await agent.create(resources.nodes, { metadata: { name: 'n1' } });
  expect(node.spec?.taints).toEqual([{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }]);
  await expect(agent.create(resources.nodes, { metadata: { name: 'n2' } })).rejects.toMatchObject(
    refusal('nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"'),
  );
  const role = { ...node.metadata, labels: { 'node-role.kubernetes.io/control-plane': '' } };
  await expect(agent.update(resources.nodes, { ...node, metadata: role })).rejects.toMatchObject(
    refusal(/is not allowed to modify labels: node-role.kubernetes.io\/control-plane/),
  );
  await client.create(resources.pods, pod({ nodeName: 'n2' }));
  const other = await client.get(resources.pods, { name: 'web', namespace: 'default' });
  await expect(
    agent.update(resources.pods, { ...other, status: { phase: 'Running' } }, { subresource: 'status' }),
  ).rejects.toMatchObject(
    refusal(/node "n1" can only update pod status for pods with spec.nodeName set to itself/),
  );
});

it('RuntimeClass: brings its overhead', async () => {
  const { client } = await serve('RuntimeClass');
  await client.create(resources.runtimeClasses, {
    metadata: { name: 'vm' },
    handler: 'vm',
    overhead: { podFixed: { memory: '64Mi' } },
    scheduling: { nodeSelector: { vm: 'yes' } },
  });
  expect((await client.create(resources.pods, pod({ runtimeClassName: 'vm' }))).spec).toMatchObject({
    overhead: { memory: '64Mi' },
    nodeSelector: { vm: 'yes' },
  });
  await expect(client.create(resources.pods, pod({ runtimeClassName: 'no' }, 'b'))).rejects.toMatchObject(
    refusal('pods "b" is forbidden: pod rejected: RuntimeClass "no" not found'),
  );
});

it('PersistentVolumeClaimResize: only where the class allows', async () => {
  const { client } = await serve('PersistentVolumeClaimResize');
  const claim = await client.create(resources.persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'fixed',
      resources: { requests: { storage: '1Gi' } },
    },
  });
  const bound = await client.update(
    resources.persistentVolumeClaims,
    { ...claim, status: { phase: 'Bound' } },
    { subresource: 'status' },
  );
  const grown = { ...bound, spec: { ...bound.spec, resources: { requests: { storage: '2Gi' } } } };
  await expect(client.update(resources.persistentVolumeClaims, grown)).rejects.toMatchObject(
    refusal(/only dynamically provisioned pvc can be resized/),
  );
});

describe('PodSecurity', () => {
  it('says what restricted forbids, in upstream words', () => {
    expect(violations({ containers: [{ name: 'a' }] }, 'restricted').join(', ')).toBe(
      'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });

  it('says what baseline forbids', () => {
    const spec: PodSpec = {
      hostNetwork: true,
      volumes: [{ name: 'root', hostPath: { path: '/' } }],
      containers: [
        { name: 'a', securityContext: { privileged: true, capabilities: { add: ['NET_ADMIN'] } } },
        { name: 'b', ports: [{ containerPort: 80, hostPort: 80 }] },
      ],
    };
    expect(violations(spec, 'baseline')).toEqual([
      'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)',
      'host namespaces (hostNetwork=true)',
      'hostPath volumes (volume "root")',
      'hostPort (container "b" uses hostPort 80)',
      'privileged (container "a" must not set securityContext.privileged=true)',
    ]);
    expect(violations(spec, 'privileged')).toEqual([]);
  });

  it('enforces the level of the namespace', async () => {
    const { client } = await serve('PodSecurity');
    await client.create(resources.pods, pod({ hostNetwork: true }, 'free'));
    await client.patch(
      resources.namespaces,
      { name: 'default' },
      { type: 'merge', body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } } },
    );
    await expect(client.create(resources.pods, pod({ hostNetwork: true }))).rejects.toMatchObject(
      refusal(
        'pods "web" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
      ),
    );
    const ref = { name: 'free', namespace: 'default' };
    const change = (spec: object, subresource?: string) =>
      client.patch(
        resources.pods,
        ref,
        { type: 'strategic', body: { spec } },
        subresource ? { subresource } : {},
      );
    const tolerations = [{ key: 'a', operator: 'Exists' }];
    expect((await change({ tolerations })).spec?.tolerations).toContainEqual(tolerations[0]);
    const refused = refusal(/^pods "free" is forbidden: violates PodSecurity/);
    // Nothing new may run in it, not even what would be allowed in another pod.
    await expect(change({ containers: [{ name: 'a', image: 'busybox:2' }] })).rejects.toMatchObject(refused);
    const debug = { name: 'debug', image: 'busybox:1', terminationMessagePolicy: 'File' };
    await expect(change({ ephemeralContainers: [debug] }, 'ephemeralcontainers')).rejects.toMatchObject(
      refused,
    );
  });

  it('does not look into kinds of others that have the name of a workload', async () => {
    const { client } = await serve('PodSecurity');
    const labels = { 'pod-security.kubernetes.io/warn': 'restricted' };
    await client.create(resources.namespaces, { metadata: { name: 'held', labels } });
    const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as const;
    const own = definition([version('v1', schema)], {
      names: { plural: 'jobs', singular: 'job', kind: 'Job' },
    });
    await establish(client, own);
    const job = {
      metadata: { name: 'web', namespace: 'held' },
      spec: { containers: { first: { image: 'a' } } },
    };
    expect(await client.create(resourceOf(own), job)).toMatchObject(job);
  });
});
