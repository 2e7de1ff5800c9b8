import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { garbageCollector } from './controller.ts';
import { planCollect } from './plan.ts';

describe('garbage collector', () => {
  let cluster: TestCluster;
  const ref = (name: string) => ({ namespace: 'default', name });
  beforeEach(() => {
    cluster = new TestCluster([resources.configMaps, resources.secrets, resources.pods]);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });

  const create = (name: string, ...owners: KubeObject[]) =>
    cluster.client.create(resources.configMaps, {
      metadata: {
        ...ref(name),
        ownerReferences: owners.map(({ metadata }) => ({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name: metadata.name ?? '',
          uid: metadata.uid ?? '',
          blockOwnerDeletion: true,
        })),
      },
    });
  const names = async () => (await cluster.list(resources.configMaps)).map(({ metadata }) => metadata.name);
  const remove = async (name: string, propagationPolicy: 'Background' | 'Foreground' | 'Orphan') => {
    await cluster.client.delete(resources.configMaps, ref(name), { propagationPolicy });
    await cluster.settle();
  };

  it('deletes what a deleted owner owned, through all generations', async () => {
    await cluster.start(garbageCollector);
    const child = await create('child', await create('owner'));
    await create('grandchild', child);
    await create('other');
    await remove('owner', 'Background');
    expect(await names()).toEqual(['other']);
  });

  it('collects at start what lost its owner before', async () => {
    const owner = await create('owner');
    await create('child', owner);
    await cluster.client.delete(resources.configMaps, ref('owner'));
    await cluster.start(garbageCollector);
    expect(await names()).toEqual([]);
  });

  it('keeps what still has an owner and forgets the one that went', async () => {
    await cluster.start(garbageCollector);
    const first = await create('first');
    const second = await create('second');
    await create('child', first, second);
    await remove('first', 'Background');
    const child = await cluster.client.get(resources.configMaps, ref('child'));
    expect(child.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['second']);
  });

  it('holds an owner in the foreground until its dependents are gone', async () => {
    await cluster.start(garbageCollector);
    const owner = await create('owner');
    await create('child', owner);
    await cluster.client.patch(resources.configMaps, ref('child'), {
      type: 'merge',
      body: { metadata: { finalizers: ['example.com/hold'] } },
    });
    await remove('owner', 'Foreground');
    expect(await names()).toEqual(['child', 'owner']);
    await cluster.client.patch(resources.configMaps, ref('child'), {
      type: 'merge',
      body: { metadata: { finalizers: null } },
    });
    await cluster.settle();
    expect(await names()).toEqual([]);
  });

  it('lets dependents go free', async () => {
    await cluster.start(garbageCollector);
    await create('child', await create('owner'));
    await remove('owner', 'Orphan');
    expect(await names()).toEqual(['child']);
    const child = await cluster.client.get(resources.configMaps, ref('child'));
    expect(child.metadata.ownerReferences).toEqual([]);
  });

  it('does not take an owner of another uid for the same', async () => {
    await cluster.start(garbageCollector);
    const owner = await create('owner');
    await create('child', { ...owner, metadata: { ...owner.metadata, uid: 'earlier' } });
    await cluster.settle();
    expect(await names()).toEqual(['owner']);
  });

  it('leaves alone what belongs to an API that is not served', async () => {
    await cluster.start(garbageCollector);
    await cluster.client.create(resources.configMaps, {
      metadata: {
        ...ref('child'),
        ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Gadget', name: 'g', uid: 'u' }],
      },
    });
    await cluster.settle();
    expect(await names()).toEqual(['child']);
  });

  it('waits in the foreground through generations', () => {
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' };
    const object = { metadata: { name: 'child', ownerReferences: [reference] } };
    const owners = [{ reference, state: 'waiting' as const }];
    const dependent = { metadata: { name: 'grandchild' } };
    expect(planCollect(object, owners, [dependent])).toEqual({
      type: 'delete',
      propagationPolicy: 'Foreground',
    });
    expect(planCollect(object, owners, [])).toEqual({ type: 'delete', propagationPolicy: 'Background' });
  });

  it('is not stuck where owners wait for each other in a circle', async () => {
    await cluster.start(garbageCollector);
    const own = async (name: string, owner: KubeObject) =>
      await cluster.client.patch(resources.configMaps, ref(name), {
        type: 'merge',
        body: {
          metadata: {
            ownerReferences: [
              {
                apiVersion: 'v1',
                kind: 'ConfigMap',
                name: owner.metadata.name ?? '',
                uid: owner.metadata.uid ?? '',
                blockOwnerDeletion: true,
              },
            ],
          },
        },
      });
    const [one, two, three] = [await create('one'), await create('two'), await create('three')];
    await own('one', three);
    await own('two', one);
    await own('three', two);
    await remove('one', 'Foreground');
    expect(await names()).toEqual([]);
  });
});
