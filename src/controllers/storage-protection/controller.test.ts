import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { Pod } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import {
  claimProtectionController,
  claimsOf,
  volumeAttributesClassProtectionController,
  volumeProtectionController,
} from './controller.ts';

const user = (claimName: string, nodeName?: string): Pod => ({
  metadata: { name: 'user', namespace: 'default' },
  spec: {
    containers: [],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    ...(nodeName === undefined ? {} : { nodeName }),
  },
});

describe('storage in use', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.start(
      claimProtectionController,
      volumeProtectionController,
      volumeAttributesClassProtectionController,
    );
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });

  it('keeps a claim as long as a scheduled pod has it, and other finalizers longer', async () => {
    const { client } = cluster;
    for (const [name, more] of [
      ['used', []],
      ['free', []],
      ['held', ['example.com/hold']],
    ] as const)
      await client.create(resources.persistentVolumeClaims, {
        metadata: { name, namespace: 'default', finalizers: ['kubernetes.io/pvc-protection', ...more] },
      });
    const pod = await client.create(resources.pods, user('used', 'board'));
    await cluster.settle();
    expect(await cluster.list(resources.persistentVolumeClaims)).toHaveLength(3);
    for (const name of ['used', 'free', 'held'])
      await client.delete(resources.persistentVolumeClaims, { name, namespace: 'default' });
    await cluster.settle();
    const left = async () =>
      (await cluster.list(resources.persistentVolumeClaims)).map(({ metadata }) => metadata.name).sort();
    expect(await left()).toEqual(['held', 'used']);
    await cluster.removePod(pod);
    await cluster.settle();
    expect(await left()).toEqual(['held']);
    const [held] = await cluster.list(resources.persistentVolumeClaims);
    expect(held?.metadata.finalizers).toEqual(['example.com/hold']);
  });

  it('counts scheduled pods, and generic ephemeral volumes until the pod is over', () => {
    expect(claimsOf(user('used'))).toEqual([]);
    const scratch: Pod = {
      ...user('x', 'board'),
      spec: { ...user('x', 'board').spec, containers: [], volumes: [{ name: 'scratch', ephemeral: {} }] },
    };
    expect(claimsOf(scratch)).toEqual(['user-scratch']);
    expect(claimsOf({ ...scratch, status: { phase: 'Failed' } })).toEqual([]);
  });

  it('keeps a volume while it is bound, and a class while something has it', async () => {
    const { client } = cluster;
    await client.create(resources.persistentVolumes, {
      metadata: { name: 'disk', finalizers: ['kubernetes.io/pv-protection'] },
      spec: { volumeAttributesClassName: 'gold' },
    });
    await client.create(resources.volumeAttributesClasses, {
      metadata: { name: 'gold', finalizers: ['kubernetes.io/vac-protection'] },
      driverName: 'd.example.com',
    });
    const setPhase = async (phase: string) => {
      const volume = await client.get(resources.persistentVolumes, { name: 'disk' });
      await client.update(
        resources.persistentVolumes,
        { ...volume, status: { phase } },
        { subresource: 'status' },
      );
    };
    await setPhase('Bound');
    await client.delete(resources.persistentVolumes, { name: 'disk' });
    await client.delete(resources.volumeAttributesClasses, { name: 'gold' });
    await cluster.settle();
    expect(await cluster.list(resources.persistentVolumes)).toHaveLength(1);
    expect(await cluster.list(resources.volumeAttributesClasses)).toHaveLength(1);
    await setPhase('Released');
    await cluster.settle();
    expect(await cluster.list(resources.persistentVolumes)).toEqual([]);
    expect(await cluster.list(resources.volumeAttributesClasses)).toEqual([]);
  });
});
