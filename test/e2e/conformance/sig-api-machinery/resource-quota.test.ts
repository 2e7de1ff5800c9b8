import { expect } from 'vitest';
import type {
  Pod,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Service,
} from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import { pod, podTemplate } from '../pods.ts';
import type { ResourceClient } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';

type Amounts = Record<string, string>;

const HARD = {
  pods: '5',
  services: '10',
  'services.nodeports': '1',
  'services.loadbalancers': '1',
  replicationcontrollers: '10',
  resourcequotas: '1',
  cpu: '1',
  memory: '500Mi',
  configmaps: '10',
  secrets: '10',
  persistentvolumeclaims: '10',
  'requests.storage': '10Gi',
  'requests.ephemeral-storage': '50Gi',
  'count/replicasets.apps': '5',
  'requests.example.com/dongle': '3',
};

const quotasOf = (context: SpecContext): ResourceClient<ResourceQuota> =>
  context.resource('v1', 'resourcequotas');

/** Waits until the quota's status tells of all these amounts. */
async function waitUsed(context: SpecContext, name: string, used: Amounts): Promise<void> {
  let last: Amounts | undefined;
  await context
    .until(`quota ${name}`, async () => {
      const { spec, status } = await quotasOf(context).get(name);
      last = status?.used;
      const isCounted = Object.keys(spec?.hard ?? {}).every((key) => status?.hard?.[key] !== undefined);
      return isCounted && Object.entries(used).every(([key, amount]) => last?.[key] === amount);
    })
    .catch((error: Error) => {
      throw new Error(`${error.message}: wanted ${JSON.stringify(used)}, got ${JSON.stringify(last)}`);
    });
}

async function createQuota(
  context: SpecContext,
  hard: Amounts = HARD,
  name = 'test-quota',
  scope = '',
): Promise<void> {
  await quotasOf(context).create({
    metadata: { name },
    spec: { hard, ...(scope === '' ? {} : { scopes: [scope] }) },
  });
}

const withResources = (name: string, requests: Amounts, limits: Amounts = {}, more = {}) =>
  pod(name, { resources: { requests, limits } }, more);

async function expectExceeded(request: Promise<unknown>, ...resources: string[]): Promise<void> {
  const error = await refusal(request);
  expect(error.code).toBe(403);
  expect(error.reason).toBe('Forbidden');
  expect(error.status.message).toMatch(/is forbidden: exceeded quota: test-quota, requested: /);
  for (const resource of resources) expect(error.status.message).toContain(`requested: ${resource}`);
}

area('sig-api-machinery', 'ResourceQuota', (spec) => {
  spec('should create a ResourceQuota and ensure its status is promptly calculated.', async (context) => {
    await createQuota(context);
    await waitUsed(context, 'test-quota', { resourcequotas: '1', pods: '0', cpu: '0' });
    expect((await quotasOf(context).get('test-quota')).status?.hard).toEqual(HARD);
  });

  spec('should create a ResourceQuota and capture the life of a service.', async (context) => {
    const { services } = context;
    const service = (name: string, type: string, more: Partial<Service['spec']> = {}) => ({
      metadata: { name },
      spec: { type, ports: [{ port: 80, targetPort: 80 }], ...more },
    });
    await createQuota(context);
    await waitUsed(context, 'test-quota', { resourcequotas: '1' });
    await services.create(service('plain', 'ClusterIP'));
    await services.create(service('node-port', 'NodePort'));
    await expectExceeded(
      services.create(service('balancer', 'LoadBalancer', { allocateLoadBalancerNodePorts: true })),
      'services.nodeports=1',
    );
    await waitUsed(context, 'test-quota', {
      resourcequotas: '1',
      services: '2',
      'services.nodeports': '1',
      'services.loadbalancers': '0',
    });
    for (const name of ['plain', 'node-port']) await services.delete(name);
    await waitUsed(context, 'test-quota', { services: '0', 'services.nodeports': '0' });
  });

  spec('should create a ResourceQuota and capture the life of a secret.', async (context) => {
    const before = (await context.secrets.list()).items.length;
    await createQuota(context, { ...HARD, secrets: String(before + 1) });
    await waitUsed(context, 'test-quota', { resourcequotas: '1', secrets: String(before) });
    await context.secrets.create({ metadata: { name: 'counted' }, data: { key: 'dmFsdWU=' } });
    await waitUsed(context, 'test-quota', { secrets: String(before + 1) });
    await expectExceeded(context.secrets.create({ metadata: { name: 'too-many' } }), 'secrets=1');
    await context.secrets.delete('counted');
    await waitUsed(context, 'test-quota', { secrets: String(before) });
  });

  spec('should create a ResourceQuota and capture the life of a configMap.', async (context) => {
    // The root certificate's map comes by itself.
    await context.until('the map of the root certificate', () => context.configMaps.find('kube-root-ca.crt'));
    const before = (await context.configMaps.list()).items.length;
    await createQuota(context, { ...HARD, configmaps: String(before + 1) });
    await waitUsed(context, 'test-quota', { resourcequotas: '1', configmaps: String(before) });
    await context.configMaps.create({ metadata: { name: 'counted' }, data: { key: 'value' } });
    await waitUsed(context, 'test-quota', { configmaps: String(before + 1) });
    await expectExceeded(context.configMaps.create({ metadata: { name: 'too-many' } }), 'configmaps=1');
    await context.configMaps.delete('counted');
    await waitUsed(context, 'test-quota', { configmaps: String(before) });
  });

  spec('should create a ResourceQuota and capture the life of a pod.', async (context) => {
    const { pods } = context;
    await createQuota(context);
    await waitUsed(context, 'test-quota', { resourcequotas: '1' });
    const dongle = { 'example.com/dongle': '2' };
    const requests = { cpu: '500m', memory: '252Mi', 'ephemeral-storage': '30Gi', ...dongle };
    await pods.create(withResources('fits', requests, dongle));
    const used = {
      resourcequotas: '1',
      pods: '1',
      cpu: '500m',
      memory: '252Mi',
      'requests.ephemeral-storage': '30Gi',
      'requests.example.com/dongle': '2',
    };
    await waitUsed(context, 'test-quota', used);
    await expectExceeded(pods.create(withResources('too-big', { cpu: '600m', memory: '100Mi' })), 'cpu=600m');
    const extended = { cpu: '500m', memory: '100Mi', 'ephemeral-storage': '20Gi', ...dongle };
    await expectExceeded(
      pods.create(withResources('too-many', extended, dongle)),
      'requests.example.com/dongle=2',
    );
    const change = ({ spec }: Pod) => {
      const smaller = { cpu: '100m', memory: '100Mi', 'ephemeral-storage': '10Gi' };
      spec!.containers[0]!.resources!.requests = smaller;
    };
    const error = await refusal(pods.modify('fits', change));
    expect(error.reason).toBe('Invalid');
    await waitUsed(context, 'test-quota', used);
    await pods.delete('fits', { gracePeriodSeconds: 0 });
    await waitUsed(context, 'test-quota', {
      pods: '0',
      cpu: '0',
      memory: '0',
      'requests.ephemeral-storage': '0',
      'requests.example.com/dongle': '0',
    });
  });

  spec('should create a ResourceQuota and capture the life of a replication controller.', async (context) => {
    const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
    await createQuota(context);
    await waitUsed(context, 'test-quota', { resourcequotas: '1', replicationcontrollers: '0' });
    const labels = { name: 'counted' };
    await controllers.create({
      metadata: { name: 'counted' },
      spec: { replicas: 0, selector: labels, template: podTemplate(labels) },
    });
    await waitUsed(context, 'test-quota', { replicationcontrollers: '1' });
    await controllers.delete('counted', { propagationPolicy: 'Background' });
    await waitUsed(context, 'test-quota', { replicationcontrollers: '0' });
  });

  spec('should create a ResourceQuota and capture the life of a replica set.', async (context) => {
    await createQuota(context);
    await waitUsed(context, 'test-quota', { resourcequotas: '1', 'count/replicasets.apps': '0' });
    const labels = { name: 'counted' };
    const set: Partial<ReplicaSet> = {
      metadata: { name: 'counted' },
      spec: { replicas: 0, selector: { matchLabels: labels }, template: podTemplate(labels) },
    };
    await context.replicaSets.create(set);
    await waitUsed(context, 'test-quota', { 'count/replicasets.apps': '1' });
    await context.replicaSets.delete('counted', { propagationPolicy: 'Background' });
    await waitUsed(context, 'test-quota', { 'count/replicasets.apps': '0' });
  });

  spec('should verify ResourceQuota with terminating scopes.', async (context) => {
    const hard = {
      pods: '5',
      'requests.cpu': '1',
      'requests.memory': '500Mi',
      'limits.cpu': '2',
      'limits.memory': '1Gi',
    };
    const none = {
      pods: '0',
      'requests.cpu': '0',
      'requests.memory': '0',
      'limits.cpu': '0',
      'limits.memory': '0',
    };
    const one = {
      pods: '1',
      'requests.cpu': '500m',
      'requests.memory': '200Mi',
      'limits.cpu': '1',
      'limits.memory': '400Mi',
    };
    const sizes = [
      { cpu: '500m', memory: '200Mi' },
      { cpu: '1', memory: '400Mi' },
    ] as const;
    const [ends, stays] = ['quota-terminating', 'quota-not-terminating'] as const;
    await createQuota(context, hard, ends, 'Terminating');
    await createQuota(context, hard, stays, 'NotTerminating');
    for (const name of [ends, stays]) await waitUsed(context, name, none);
    for (const [counting, ignoring, more] of [
      [stays, ends, {}],
      [ends, stays, { activeDeadlineSeconds: 3600 }],
    ] as const) {
      await context.pods.create(withResources('scoped', ...sizes, more));
      await waitUsed(context, counting, one);
      await waitUsed(context, ignoring, none);
      await context.pods.delete('scoped', { gracePeriodSeconds: 0 });
      await waitUsed(context, counting, none);
    }
  });

  spec('should verify ResourceQuota with best effort scope.', async (context) => {
    const [best, other] = ['quota-besteffort', 'quota-not-besteffort'] as const;
    await createQuota(context, { pods: '5' }, best, 'BestEffort');
    await createQuota(context, { pods: '5' }, other, 'NotBestEffort');
    for (const name of [best, other]) await waitUsed(context, name, { pods: '0' });
    const sizes = [
      { cpu: '500m', memory: '200Mi' },
      { cpu: '1', memory: '400Mi' },
    ] as const;
    for (const [counting, ignoring, made] of [
      [best, other, pod('scoped')],
      [other, best, withResources('scoped', ...sizes)],
    ] as const) {
      await context.pods.create(made);
      await waitUsed(context, counting, { pods: '1' });
      await waitUsed(context, ignoring, { pods: '0' });
      await context.pods.delete('scoped', { gracePeriodSeconds: 0 });
      await waitUsed(context, counting, { pods: '0' });
    }
  });

  spec('should be able to update and delete ResourceQuota.', async (context) => {
    const quotas = quotasOf(context);
    await createQuota(context, { cpu: '1', memory: '500Mi' });
    expect((await quotas.get('test-quota')).spec?.hard).toEqual({ cpu: '1', memory: '500Mi' });
    // Without a resourceVersion: whatever is there.
    const updated = await quotas.update({
      metadata: { name: 'test-quota' },
      spec: { hard: { cpu: '2', memory: '1Gi' } },
    });
    expect(updated.spec?.hard).toEqual({ cpu: '2', memory: '1Gi' });
    expect((await quotas.get('test-quota')).spec?.hard).toEqual({ cpu: '2', memory: '1Gi' });
    await quotas.delete('test-quota');
    const error = await refusal(quotas.get('test-quota'));
    expect(error.status).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'resourcequotas "test-quota" not found',
      details: { name: 'test-quota', kind: 'resourcequotas' },
    });
  });

  spec('should manage the lifecycle of a ResourceQuota', async (context) => {
    const quotas = quotasOf(context);
    const label = context.unique('quota');
    const labelSelector = `life=${label}`;
    await quotas.create({
      metadata: { name: 'lived', labels: { life: label } },
      spec: { hard: { cpu: '1', memory: '500Mi' } },
    });
    const made = await quotas.get('lived');
    expect(made.spec?.hard).toEqual({ cpu: '1', memory: '500Mi' });
    expect(Number(made.metadata.resourceVersion)).toBeGreaterThan(0);
    const everywhere = context.cluster.resource<ResourceQuota>('v1', 'resourcequotas');
    const { items } = await everywhere.list({ labelSelector });
    expect(items).toHaveLength(1);
    const patch = { metadata: { labels: { lived: 'patched' } }, spec: { hard: { memory: '750Mi' } } };
    const patched = await quotas.patch('lived', patch, { type: 'strategic' });
    expect(patched.metadata.labels).toEqual({ life: label, lived: 'patched' });
    expect(patched.spec?.hard).toEqual({ cpu: '1', memory: '750Mi' });
    expect(Number(patched.metadata.resourceVersion)).toBeGreaterThan(
      Number(items[0]?.metadata.resourceVersion),
    );
    await quotas.deleteCollection({ labelSelector });
    expect((await refusal(quotas.get('lived'))).code).toBe(404);
  });

  spec('should apply changes to a resourcequota status', async (context) => {
    const quotas = quotasOf(context);
    const { metadata } = await quotas.list();
    const watch = context.watch(quotas, { resourceVersion: metadata.resourceVersion });
    await createQuota(context, { cpu: '500m', memory: '500Mi' });
    const updated = await quotas.modify(
      'test-quota',
      (quota) => {
        quota.status = { hard: { ...quota.spec?.hard } };
      },
      'status',
    );
    expect(updated.status?.hard).toEqual({ cpu: '500m', memory: '500Mi' });
    const seen = async (hard: Amounts) =>
      await watch.next(({ object }) => JSON.stringify(object.status?.hard) === JSON.stringify(hard));
    await seen({ cpu: '500m', memory: '500Mi' });
    const grown = { cpu: '1', memory: '1Gi' };
    await quotas.patch('test-quota', { spec: { hard: grown } }, { type: 'strategic' });
    await quotas.patch(
      'test-quota',
      { status: { hard: grown } },
      { type: 'strategic', subresource: 'status' },
    );
    await seen(grown);
    expect((await quotas.get('test-quota', 'status')).status?.hard).toEqual(grown);
    const wrong = { cpu: '2', memory: '2Gi' };
    const again = await quotas.patch(
      'test-quota',
      { status: { hard: wrong } },
      { type: 'strategic', subresource: 'status' },
    );
    expect(again.status?.hard).toEqual(wrong);
    expect(again.spec?.hard).toEqual(grown);
    await seen(wrong);
    // The controller sees to it that the status follows the spec again.
    await context.until('the status to follow the spec', async () => {
      const quota = await quotas.get('test-quota');
      expect(quota.spec?.hard).toEqual(grown);
      return JSON.stringify(quota.status?.hard) === JSON.stringify(grown);
    });
  });
});
