import { expect } from 'vitest';
import type {
  Deployment,
  Pod,
  ReplicaSet,
  ReplicationController,
  Scale,
  StatefulSet,
} from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import { pod, podTemplate } from '../pods.ts';
import type { KubeObject, ResourceClient } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';

interface Owner extends KubeObject {
  spec?: { replicas?: number };
  status?: { readyReplicas?: number; observedGeneration?: number };
}

const LABELS = { app: 'web' };
const LONG = { timeoutMs: 150_000 };
const setSpec = (replicas: number) => ({
  replicas,
  selector: { matchLabels: LABELS },
  template: podTemplate(LABELS),
});
const controllersOf = (context: SpecContext) =>
  context.resource<ReplicationController>('v1', 'replicationcontrollers');
const statefulSetsOf = (context: SpecContext) => context.resource<StatefulSet>('apps/v1', 'statefulsets');

async function ready<T extends Owner>(
  context: SpecContext,
  client: ResourceClient<T>,
  name: string,
  replicas: number,
): Promise<T> {
  return await context.until(
    `${replicas} ready replicas of ${name}`,
    async () => {
      const owner = await client.get(name);
      const isSeen = (owner.status?.observedGeneration ?? 0) >= (owner.metadata.generation ?? 0);
      return isSeen && (owner.status?.readyReplicas ?? 0) === replicas && owner;
    },
    100_000,
  );
}

/** Reads the scale, writes it and patches it; the owner follows. */
async function checkScale<T extends Owner>(
  context: SpecContext,
  client: ResourceClient<T>,
  groupVersion: string,
  plural: string,
): Promise<void> {
  const scales = context.resource<Scale & KubeObject>(groupVersion, plural);
  const scale = await scales.get('web', 'scale');
  expect(scale).toMatchObject({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 1 },
    status: { replicas: 1 },
  });
  expect(scale.status?.selector).toBe('app=web');
  const updated = await scales.update({ ...scale, spec: { replicas: 2 } }, 'scale');
  expect(updated.spec?.replicas).toBe(2);
  expect((await client.get('web')).spec?.replicas).toBe(2);
  await ready(context, client, 'web', 2);
  const patched = await scales.patch('web', { spec: { replicas: 4 } }, { subresource: 'scale' });
  expect(patched.spec?.replicas).toBe(4);
  expect((await client.get('web')).spec?.replicas).toBe(4);
}

const CONDITION = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' };

/** Reads, updates and patches the status; the watch sees each. */
async function checkStatus<T extends Owner & { status?: { conditions?: object[] } }>(
  context: SpecContext,
  client: ResourceClient<T>,
): Promise<void> {
  const watch = context.watch(client);
  expect((await client.get('web', 'status')).status).toBeDefined();
  const has = (object: T, type: string) =>
    (object.status?.conditions as { type?: string }[] | undefined)?.some((one) => one.type === type) ?? false;
  const updated = await client.modify(
    'web',
    (object) => {
      object.status!.conditions = [...(object.status?.conditions ?? []), CONDITION];
    },
    'status',
  );
  expect(has(updated, 'StatusUpdate')).toBe(true);
  await watch.next(({ object }) => has(object, 'StatusUpdate'));
  const patch = { status: { conditions: [{ ...CONDITION, type: 'StatusPatched' }] } };
  const patched = await client.patch('web', patch, { subresource: 'status' });
  expect(has(patched, 'StatusPatched')).toBe(true);
  expect(patched.spec).toEqual(updated.spec);
  await watch.next(({ object }) => has(object, 'StatusPatched'));
}

/** A bare pod is adopted when its labels match, and released when they do no more. */
async function isAdopted(
  context: SpecContext,
  name: string,
  owner: () => Promise<KubeObject>,
): Promise<void> {
  const { metadata } = await owner();
  await context.until('the pod to be adopted', async () =>
    (await context.pods.get(name)).metadata.ownerReferences?.some(
      ({ uid, controller }) => controller && uid === metadata.uid,
    ),
  );
}
async function isReleased(context: SpecContext, name: string): Promise<void> {
  const { pods } = context;
  await pods.modify(name, ({ metadata }: Pod) => {
    metadata.labels = { app: 'other' };
  });
  await context.until('the pod to be released', async () => !(await pods.get(name)).metadata.ownerReferences);
}
const bare = () => pod('bare', {}, { terminationGracePeriodSeconds: 0 }, LABELS);

area('sig-apps', 'ReplicaSet', (spec) => {
  spec('should adopt matching pods on creation and release no longer matching pods', async (context) => {
    await context.pods.create(bare());
    await context.replicaSets.create({ metadata: { name: 'web' }, spec: setSpec(1) });
    await isAdopted(context, 'bare', () => context.replicaSets.get('web'));
    expect((await context.pods.list({ labelSelector: 'app=web' })).items).toHaveLength(1);
    await isReleased(context, 'bare');
  });
  spec(
    'Replicaset should have a working scale subresource',
    async (context) => {
      await context.replicaSets.create({ metadata: { name: 'web' }, spec: setSpec(1) });
      await ready(context, context.replicaSets, 'web', 1);
      await checkScale(context, context.replicaSets, 'apps/v1', 'replicasets');
    },
    LONG,
  );
  spec(
    'should list and delete a collection of ReplicaSets',
    async (context) => {
      const labels = { collected: context.unique('rs') };
      const labelSelector = `collected=${labels.collected}`;
      await context.replicaSets.create({ metadata: { name: 'web', labels }, spec: setSpec(3) });
      await ready(context, context.replicaSets, 'web', 3);
      const everywhere = context.cluster.resource<ReplicaSet>('apps/v1', 'replicasets');
      expect((await everywhere.list({ labelSelector })).items).toHaveLength(1);
      await context.replicaSets.deleteCollection({ labelSelector });
      await context.until(
        'the set to go',
        async () => (await everywhere.list({ labelSelector })).items.length === 0,
      );
    },
    LONG,
  );
  spec(
    'should validate Replicaset Status endpoints',
    async (context) => {
      await context.replicaSets.create({ metadata: { name: 'web' }, spec: setSpec(1) });
      await ready(context, context.replicaSets, 'web', 1);
      await checkStatus(context, context.replicaSets);
    },
    LONG,
  );
  spec(
    'Replace and Patch tests',
    async (context) => {
      const sets = context.replicaSets;
      const watch = context.watch(sets);
      await sets.create({ metadata: { name: 'web' }, spec: setSpec(1) });
      await ready(context, sets, 'web', 1);
      const updated = await sets.modify('web', ({ spec: fields }) => {
        fields!.replicas = 2;
      });
      expect(updated.spec?.replicas).toBe(2);
      await ready(context, sets, 'web', 2);
      const labels = { 'test-rs': 'patched' };
      const patch = {
        metadata: { labels },
        spec: { replicas: 3, template: { spec: { terminationGracePeriodSeconds: 1 } } },
      };
      await sets.patch('web', patch, { type: 'strategic' });
      await watch.next(
        ({ type, object }) => type === 'MODIFIED' && object.metadata.labels?.['test-rs'] === 'patched',
      );
      const last = await ready(context, sets, 'web', 3);
      expect(last.spec).toMatchObject({
        replicas: 3,
        template: { spec: { terminationGracePeriodSeconds: 1 } },
      });
    },
    LONG,
  );
});

area('sig-apps', 'ReplicationController', (spec) => {
  const create = (context: SpecContext, replicas: number, labels = {}) =>
    controllersOf(context).create({
      metadata: { name: 'web', labels },
      spec: { replicas, selector: LABELS, template: podTemplate(LABELS) },
    });
  spec('should adopt matching pods on creation', async (context) => {
    await context.pods.create(bare());
    await create(context, 1);
    await isAdopted(context, 'bare', () => controllersOf(context).get('web'));
    expect((await context.pods.list({ labelSelector: 'app=web' })).items).toHaveLength(1);
  });
  spec('should release no longer matching pods', async (context) => {
    await create(context, 1);
    const made = await context.until(
      'a pod',
      async () => (await context.pods.list({ labelSelector: 'app=web' })).items[0],
    );
    await isReleased(context, made.metadata.name ?? '');
    await context.until(
      'another pod',
      async () => (await context.pods.list({ labelSelector: 'app=web' })).items.length === 1,
    );
  });
  spec(
    'should get and update a ReplicationController scale',
    async (context) => {
      await create(context, 1);
      await ready(context, controllersOf(context), 'web', 1);
      await checkScale(context, controllersOf(context), 'v1', 'replicationcontrollers');
    },
    LONG,
  );
  spec(
    'should test the lifecycle of a ReplicationController',
    async (context) => {
      const controllers = controllersOf(context);
      const labels = { 'test-rc-static': 'true' };
      const labelSelector = 'test-rc-static=true';
      const watch = context.watch(controllers, { labelSelector });
      await create(context, 1, labels);
      expect((await watch.next()).type).toBe('ADDED');
      await ready(context, controllers, 'web', 1);
      await controllers.patch(
        'web',
        { metadata: { labels: { 'test-rc': 'patched' } } },
        { type: 'strategic' },
      );
      await watch.next(({ object }) => object.metadata.labels?.['test-rc'] === 'patched');
      const status = await controllers.patch(
        'web',
        { status: { readyReplicas: 0, availableReplicas: 0 } },
        { subresource: 'status' },
      );
      expect(status.status?.readyReplicas ?? 0).toBe(0);
      await watch.next(({ object }) => (object.status?.readyReplicas ?? 0) === 0);
      expect((await controllers.get('web', 'status')).metadata.labels?.['test-rc']).toBe('patched');
      await controllers.patch('web', { spec: { replicas: 2 } }, { subresource: 'scale' });
      await ready(context, controllers, 'web', 2);
      const everywhere = context.cluster.resource<ReplicationController>('v1', 'replicationcontrollers');
      expect(
        (await everywhere.list({ labelSelector })).items.map(({ metadata }) => metadata.namespace),
      ).toContain(context.namespace);
      await controllers.modify('web', ({ metadata }) => {
        metadata.labels = { ...metadata.labels, 'test-rc': 'updated' };
      });
      await watch.next(({ object }) => object.metadata.labels?.['test-rc'] === 'updated');
      await controllers.deleteCollection({ labelSelector });
      await watch.next(({ type }) => type === 'DELETED');
    },
    LONG,
  );
});

area('sig-apps', 'Deployment', (spec) => {
  const create = (
    context: SpecContext,
    replicas: number,
    more: Partial<Deployment['spec']> = {},
    labels = {},
  ) =>
    context.deployments.create({
      metadata: { name: 'web', labels },
      spec: { ...setSpec(replicas), ...more },
    });
  const setsOf = async ({ replicaSets }: SpecContext) =>
    (await replicaSets.list({ labelSelector: 'app=web' })).items;
  const replaceTemplate = async (context: SpecContext, value: string) =>
    await context.deployments.patch(
      'web',
      { spec: { template: { metadata: { annotations: { version: value } } } } },
      { type: 'strategic' },
    );
  const complete = async (context: SpecContext, replicas: number) =>
    await context.until(
      'the deployment to be complete',
      async () => {
        const { metadata, status } = await context.deployments.get('web');
        const isSeen = status?.observedGeneration === metadata.generation;
        return (
          isSeen &&
          status?.updatedReplicas === replicas &&
          status.replicas === replicas &&
          status.availableReplicas === replicas
        );
      },
      100_000,
    );

  spec(
    'Deployment should have a working scale subresource',
    async (context) => {
      await create(context, 1);
      await ready(context, context.deployments, 'web', 1);
      await checkScale(context, context.deployments, 'apps/v1', 'deployments');
    },
    LONG,
  );
  spec(
    'should validate Deployment Status endpoints',
    async (context) => {
      await create(context, 1);
      await ready(context, context.deployments, 'web', 1);
      await checkStatus(context, context.deployments);
    },
    LONG,
  );
  spec(
    'RecreateDeployment should delete old pods and create new ones',
    async (context) => {
      await create(context, 1, { strategy: { type: 'Recreate' } });
      await complete(context, 1);
      const watch = context.watch(context.pods, {
        labelSelector: 'app=web',
        resourceVersion: (await context.pods.list()).metadata.resourceVersion,
      });
      await replaceTemplate(context, 'two');
      await complete(context, 1);
      // The old one was gone before the new one ran.
      const types: string[] = [];
      await watch.next(({ type, object }) => {
        types.push(type);
        return object.status?.phase === 'Running' && object.metadata.annotations?.['version'] === 'two';
      });
      expect(types).toContain('DELETED');
    },
    LONG,
  );
  spec(
    'RollingUpdateDeployment should delete old pods and create new ones',
    async (context) => {
      // A ReplicaSet that was there before is adopted and replaced.
      const annotations = { 'deployment.kubernetes.io/revision': '3546343826724305832' };
      await context.replicaSets.create({
        metadata: { name: 'older', labels: LABELS, annotations },
        spec: setSpec(1),
      });
      await ready(context, context.replicaSets, 'older', 1);
      const template = podTemplate(LABELS);
      template.metadata = { ...template.metadata, annotations: { version: 'new' } };
      await create(context, 1, { template });
      await complete(context, 1);
      const sets = await setsOf(context);
      expect(sets).toHaveLength(2);
      const [newer] = sets.filter(({ metadata }) => metadata.name !== 'older');
      expect(newer?.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3546343826724305833');
      expect(sets.find(({ metadata }) => metadata.name === 'older')?.spec?.replicas).toBe(0);
    },
    LONG,
  );
  spec(
    'deployment should delete old replica sets',
    async (context) => {
      await create(context, 1, { revisionHistoryLimit: 0 });
      await complete(context, 1);
      await replaceTemplate(context, 'two');
      await complete(context, 1);
      await context.until('the old ReplicaSet to go', async () => (await setsOf(context)).length === 1);
      expect((await setsOf(context))[0]?.spec?.template?.metadata?.annotations?.['version']).toBe('two');
    },
    LONG,
  );
  spec(
    'deployment should support rollover',
    async (context) => {
      await create(context, 1, {
        minReadySeconds: 1,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      });
      await complete(context, 1);
      // A template that never gets ready is overtaken by the next.
      const broken = {
        spec: {
          template: {
            spec: { containers: [{ name: 'main', image: 'kedge.local/none:1', imagePullPolicy: 'Never' }] },
          },
        },
      };
      await context.deployments.patch('web', broken, { type: 'strategic' });
      await context.until('the second ReplicaSet', async () => (await setsOf(context)).length === 2);
      const whole = await context.deployments.get('web');
      expect(whole.status?.availableReplicas).toBe(1);
      const template = podTemplate(LABELS);
      template.metadata = { ...template.metadata, annotations: { version: 'three' } };
      await context.deployments.modify('web', ({ spec: fields }) => {
        fields!.template = template;
      });
      await complete(context, 1);
      const sets = await setsOf(context);
      expect(sets).toHaveLength(3);
      expect(sets.filter((set) => (set.spec?.replicas ?? 0) > 0)).toHaveLength(1);
    },
    LONG,
  );
  spec(
    'deployment should support proportional scaling',
    async (context) => {
      await create(context, 10, {
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
      });
      await complete(context, 10);
      const broken = {
        spec: {
          template: {
            spec: { containers: [{ name: 'main', image: 'kedge.local/none:1', imagePullPolicy: 'Never' }] },
          },
        },
      };
      await context.deployments.patch('web', broken, { type: 'strategic' });
      const replicas = async () =>
        (await setsOf(context)).map((set) => set.spec?.replicas ?? 0).sort((one, other) => one - other);
      await context.until('8 old and 5 new replicas', async () => String(await replicas()) === '5,8', 60_000);
      await context.deployments.patch('web', { spec: { replicas: 30 } }, { subresource: 'scale' });
      await context.until(
        '20 old and 13 new replicas',
        async () => String(await replicas()) === '13,20',
        60_000,
      );
    },
    LONG,
  );
  spec(
    'should run the lifecycle of a Deployment',
    async (context) => {
      const labelSelector = 'test-deployment-static=true';
      const watch = context.watch(context.deployments, { labelSelector });
      await create(context, 1, {}, { 'test-deployment-static': 'true' });
      expect((await watch.next()).type).toBe('ADDED');
      await ready(context, context.deployments, 'web', 1);
      await context.deployments.patch(
        'web',
        { metadata: { labels: { 'test-deployment': 'patched' } }, spec: { replicas: 2 } },
        { type: 'strategic' },
      );
      await watch.next(({ object }) => object.metadata.labels?.['test-deployment'] === 'patched');
      await ready(context, context.deployments, 'web', 2);
      const everywhere = context.cluster.resource<Deployment>('apps/v1', 'deployments');
      expect(
        (await everywhere.list({ labelSelector })).items.map(({ metadata }) => metadata.namespace),
      ).toContain(context.namespace);
      await context.deployments.modify('web', ({ metadata }) => {
        metadata.labels = { ...metadata.labels, 'test-deployment': 'updated' };
      });
      await watch.next(({ object }) => object.metadata.labels?.['test-deployment'] === 'updated');
      const status = await context.deployments.patch(
        'web',
        { metadata: { labels: { ignored: 'yes' } }, status: { readyReplicas: 0, availableReplicas: 0 } },
        { subresource: 'status' },
      );
      expect(status.status?.readyReplicas ?? 0).toBe(0);
      await ready(context, context.deployments, 'web', 2);
      await context.deployments.deleteCollection({ labelSelector });
      await watch.next(({ type }) => type === 'DELETED');
      expect((await refusal(context.deployments.get('web'))).code).toBe(404);
    },
    LONG,
  );
});

area('sig-apps', 'StatefulSet Basic StatefulSet functionality [StatefulSetBasic]', (spec) => {
  const create = async (
    context: SpecContext,
    replicas: number,
    more: Partial<StatefulSet['spec']> = {},
    labels = {},
  ) => {
    await context.services.create({
      metadata: { name: 'test' },
      spec: { clusterIP: 'None', selector: LABELS, ports: [{ port: 80 }] },
    });
    await statefulSetsOf(context).create({
      metadata: { name: 'web', labels },
      spec: { ...setSpec(replicas), serviceName: 'test', ...more },
    });
    return await ready(context, statefulSetsOf(context), 'web', replicas);
  };
  const versionOf = async ({ pods }: SpecContext, index: number) =>
    (await pods.get(`web-${index}`)).metadata.annotations?.['version'];
  const template = async (context: SpecContext, version: string) =>
    await statefulSetsOf(context).patch(
      'web',
      { spec: { template: { metadata: { annotations: { version } } } } },
      { type: 'strategic' },
    );
  const updated = async (context: SpecContext, expected: readonly (string | undefined)[]) =>
    await context.until(
      `pods of versions ${expected}`,
      async () => {
        const versions = await Promise.all(
          expected.map((_one, index) => versionOf(context, index).catch(() => 'gone')),
        );
        const { status } = await statefulSetsOf(context).get('web');
        return String(versions) === String(expected) && status?.readyReplicas === expected.length;
      },
      100_000,
    );

  spec(
    'should have a working scale subresource',
    async (context) => {
      await create(context, 1);
      await checkScale(context, statefulSetsOf(context), 'apps/v1', 'statefulsets');
    },
    LONG,
  );
  spec(
    'should validate Statefulset Status endpoints',
    async (context) => {
      await create(context, 1);
      await checkStatus(context, statefulSetsOf(context));
    },
    LONG,
  );
  spec(
    'should list, patch and delete a collection of StatefulSets',
    async (context) => {
      const labels = { collected: context.unique('ss') };
      await create(context, 1, {}, labels);
      const everywhere = context.cluster.resource<StatefulSet>('apps/v1', 'statefulsets');
      expect((await everywhere.list({ labelSelector: `collected=${labels.collected}` })).items).toHaveLength(
        1,
      );
      const patch = { metadata: { labels: { 'test-ss': 'patched' } }, spec: { replicas: 2 } };
      const patched = await statefulSetsOf(context).patch('web', patch, { type: 'strategic' });
      expect(patched.metadata.labels?.['test-ss']).toBe('patched');
      await ready(context, statefulSetsOf(context), 'web', 2);
      await statefulSetsOf(context).deleteCollection({ labelSelector: 'test-ss=patched' });
      await context.until('the set to go', async () => !(await statefulSetsOf(context).find('web')));
    },
    LONG,
  );
  spec(
    'should perform rolling updates and roll backs of template modifications',
    async (context) => {
      const { status } = await create(context, 3);
      expect(status?.currentRevision).toBe(status?.updateRevision);
      await template(context, 'two');
      await updated(context, ['two', 'two', 'two']);
      const after = await statefulSetsOf(context).get('web');
      expect(after.status?.updateRevision).not.toBe(status?.updateRevision);
      await statefulSetsOf(context).patch('web', { spec: { template: { metadata: { annotations: null } } } });
      await updated(context, [undefined, undefined, undefined]);
      expect((await statefulSetsOf(context).get('web')).status?.updateRevision).toBe(status?.updateRevision);
    },
    LONG,
  );
  spec(
    'should perform canary updates and phased rolling updates of template modifications',
    async (context) => {
      const partition = async (value: number) =>
        await statefulSetsOf(context).patch('web', {
          spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: value } } },
        });
      await create(context, 3, {
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 3 } },
      });
      await template(context, 'two');
      await context.throughout(
        'nothing is updated',
        2_000,
        async () => (await versionOf(context, 2)) === undefined,
      );
      await partition(2);
      await updated(context, [undefined, undefined, 'two']);
      await context.pods.delete('web-0', { gracePeriodSeconds: 0 });
      await updated(context, [undefined, undefined, 'two']);
      await partition(0);
      await updated(context, ['two', 'two', 'two']);
    },
    LONG,
  );
});
