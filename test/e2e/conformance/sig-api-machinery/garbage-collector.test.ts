import { expect } from 'vitest';
import type { Deployment, Pod, ReplicationController } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { pod, podTemplate } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const REPLICAS = 10;
/** How long what must stay is watched. Collection takes far less here. */
const STAYS_MS = 5_000;

async function createController(
  context: SpecContext,
  name: string,
  replicas = REPLICAS,
): Promise<ReplicationController> {
  const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
  const labels = { gc: name };
  await controllers.create({
    metadata: { name },
    spec: { replicas, selector: labels, template: podTemplate(labels) },
  });
  return await context.until(`${replicas} pods of ${name}`, async () => {
    const controller = await controllers.get(name);
    return controller.status?.replicas === replicas && controller;
  });
}

async function createDeployment(context: SpecContext, name: string): Promise<Deployment> {
  const labels = { gc: name };
  const made = await context.deployments.create({
    metadata: { name },
    spec: { replicas: 2, selector: { matchLabels: labels }, template: podTemplate(labels) },
  });
  await context.until('the ReplicaSet and its pods', async () => {
    const { items } = await context.replicaSets.list();
    return items.length === 1 && items[0]?.status?.replicas === 2;
  });
  return made;
}

async function counts({ deployments, replicaSets, pods }: SpecContext): Promise<number[]> {
  const lists = await Promise.all([deployments.list(), replicaSets.list(), pods.list()]);
  return lists.map(({ items }) => items.length);
}

const uidOf = (object: { metadata: { uid?: string } }): { uid: string } => ({
  uid: object.metadata.uid ?? '',
});

area('sig-api-machinery', 'Garbage collector', (spec) => {
  spec('should delete pods created by rc when not orphaning', async (context) => {
    const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
    const controller = await createController(context, 'background');
    expect((await context.pods.list()).items).toHaveLength(REPLICAS);
    await controllers.delete('background', {
      propagationPolicy: 'Background',
      preconditions: uidOf(controller),
    });
    expect(await controllers.find('background')).toBeUndefined();
    await context.until('all pods to go', async () => (await context.pods.list()).items.length === 0);
  });

  spec('should orphan pods created by rc if delete options say so [Serial]', async (context) => {
    const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
    const controller = await createController(context, 'orphaning');
    await controllers.delete('orphaning', { orphanDependents: true, preconditions: uidOf(controller) });
    await context.until('the controller to go', async () => !(await controllers.find('orphaning')));
    await context.throughout('no pod goes', STAYS_MS, async () => {
      const { items } = await context.pods.list();
      return items.length === REPLICAS && items.every(({ metadata }) => !metadata.deletionTimestamp);
    });
    const { items } = await context.pods.list();
    expect(items.flatMap(({ metadata }) => metadata.ownerReferences ?? [])).toEqual([]);
  });

  spec('should delete RS created by deployment when not orphaning', async (context) => {
    const deployment = await createDeployment(context, 'cascading');
    await context.deployments.delete('cascading', {
      propagationPolicy: 'Background',
      preconditions: uidOf(deployment),
    });
    await context.until('everything to go', async () =>
      (await counts(context)).every((count) => count === 0),
    );
  });

  spec(
    'should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan',
    async (context) => {
      const deployment = await createDeployment(context, 'leaving');
      await context.deployments.delete('leaving', {
        propagationPolicy: 'Orphan',
        preconditions: uidOf(deployment),
      });
      await context.until('the deployment to go', async () => !(await context.deployments.find('leaving')));
      await context.throughout(
        'its ReplicaSet and pods stay',
        STAYS_MS,
        async () => String(await counts(context)) === '0,1,2',
      );
      for (const { metadata } of (await context.replicaSets.list()).items)
        expect(metadata.ownerReferences?.some(({ controller }) => controller) ?? false).toBe(false);
    },
  );

  spec(
    'should keep the rc around until all its pods are deleted if the deleteOptions says so [Serial]',
    async (context) => {
      const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
      const controller = await createController(context, 'foreground');
      // One pod that takes its time shows the order.
      const [first] = (await context.pods.list()).items;
      const held = first?.metadata.name ?? '';
      await context.pods.modify(held, ({ metadata }) => {
        metadata.finalizers = ['conformance.example.com/hold'];
      });
      await controllers.delete('foreground', {
        propagationPolicy: 'Foreground',
        preconditions: uidOf(controller),
      });
      await context.until('the other pods to go', async () => (await context.pods.list()).items.length === 1);
      const waiting = await controllers.get('foreground');
      expect(waiting.metadata.finalizers).toContain('foregroundDeletion');
      expect(waiting.metadata.deletionTimestamp).toBeDefined();
      await context.pods.patch(held, { metadata: { finalizers: null } });
      await context.until('the controller to go', async () => !(await controllers.find('foreground')));
      expect((await context.pods.list()).items).toEqual([]);
    },
  );

  spec(
    "should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted [Serial]",
    async (context) => {
      const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
      const going = await createController(context, 'to-be-deleted');
      // Its selector matches none of them: it owns pods only because their references say so.
      const staying = await createController(context, 'to-stay', 0);
      const shared = (await context.pods.list()).items.slice(0, REPLICAS / 2);
      for (const { metadata } of shared) {
        await context.pods.modify(metadata.name ?? '', (each: Pod) => {
          each.metadata.ownerReferences?.push({
            apiVersion: 'v1',
            kind: 'ReplicationController',
            name: 'to-stay',
            uid: staying.metadata.uid ?? '',
          });
        });
      }
      await controllers.delete('to-be-deleted', {
        propagationPolicy: 'Foreground',
        preconditions: uidOf(going),
      });
      await context.until('the controller to go', async () => !(await controllers.find('to-be-deleted')));
      const left = (await context.pods.list()).items;
      expect(left.map(({ metadata }) => metadata.name).sort()).toEqual(
        shared.map(({ metadata }) => metadata.name).sort(),
      );
      for (const { metadata } of left) {
        expect(metadata.deletionTimestamp).toBeUndefined();
        expect(metadata.ownerReferences?.map(({ name }) => name)).toEqual(['to-stay']);
      }
    },
  );

  spec('should not be blocked by dependency circle', async (context) => {
    const [one, two, three] = await Promise.all(
      ['one', 'two', 'three'].map((name) => context.pods.create(pod(name))),
    );
    if (!one || !two || !three) throw new Error('three pods were made');
    const own = async (dependent: Pod, owner: Pod) =>
      await context.pods.modify(dependent.metadata.name ?? '', ({ metadata }) => {
        const { name = '', uid = '' } = owner.metadata;
        metadata.ownerReferences = [
          { apiVersion: 'v1', kind: 'Pod', name, uid, controller: true, blockOwnerDeletion: true },
        ];
      });
    await own(one, three);
    await own(two, one);
    await own(three, two);
    await context.pods.delete('one', { propagationPolicy: 'Foreground', preconditions: uidOf(one) });
    await context.until('all three to go', async () => (await context.pods.list()).items.length === 0);
  });
});
