import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../api/resources.gen.ts';
import { conflict } from '../api/status.ts';
import type { Pod } from '../api/types.gen.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import { FakeClient } from '../client/fake-client.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { silentLogger } from '../lib/log.ts';
import { startScheduler } from './scheduler.ts';
import { aNode, aPod, type PodFields } from './test-objects.fake.ts';

describe('the scheduler', () => {
  let clock: FakeClock;
  let client: FakeClient;
  let informers: InformerFactory;
  let told: string[];
  let stop: () => Promise<void>;

  beforeEach(async () => {
    clock = new FakeClock();
    client = new FakeClient(clock);
    informers = createInformerFactory({ client, clock, log: silentLogger, random: () => 0 });
    told = [];
    const events: EventRecorder = {
      event: (about, type, reason, message) =>
        told.push(`${about.metadata.name} ${type} ${reason}: ${message}`),
      for: () => events,
      flush: async () => {},
    };
    stop = startScheduler({ client, informers, events, clock, log: silentLogger, random: () => 1 });
    await informers.start();
  });
  afterEach(async () => {
    await stop();
    await informers.stop();
    expect(clock.timers).toBe(0);
  });

  const create = (name: string, fields: PodFields = {}): Promise<Pod> =>
    client.create(resources.pods, aPod(name, fields));
  const get = (name: string): Promise<Pod> => client.get(resources.pods, { namespace: 'default', name });
  const nodeOf = async (name: string): Promise<string | undefined> => (await get(name)).spec?.nodeName;
  const agentDeletes = (name: string): Promise<void> =>
    client.delete(resources.pods, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
  async function settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await clock.advance(0);
  }

  it('binds a pod and says so', async () => {
    await client.create(resources.nodes, aNode('n1'));
    await create('web');
    await settle();
    expect(await nodeOf('web')).toBe('n1');
    expect(told).toEqual(['web Normal Scheduled: Successfully assigned default/web to n1']);
  });

  it('says why a pod cannot be placed, and places it once something changes that matters', async () => {
    await client.create(resources.nodes, aNode('n1', { allocatable: { cpu: '1' } }));
    await create('web', { requests: { cpu: '2' } });
    await settle();
    const message =
      '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
    expect(told).toEqual([`web Warning FailedScheduling: ${message}`]);
    expect((await get('web')).status?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
    ]);
    await clock.advance(LIMITS.scheduler.backoffMaxMs);
    expect(told).toHaveLength(1);
    await client.create(resources.nodes, aNode('n2'));
    await settle();
    expect(await nodeOf('web')).toBe('n2');
  });

  it('waits for the first node', async () => {
    await create('web');
    await settle();
    expect(told).toEqual(['web Warning FailedScheduling: no nodes available to schedule pods']);
    await clock.advance(LIMITS.scheduler.backoffBaseMs);
    await client.create(resources.nodes, aNode('n1'));
    await settle();
    expect(await nodeOf('web')).toBe('n1');
  });

  it('never places two pods on the room for one', async () => {
    await client.create(resources.nodes, aNode('n1', { allocatable: { cpu: '1' } }));
    await Promise.all(['a', 'b', 'c'].map((name) => create(name, { requests: { cpu: '600m' } })));
    await settle();
    const placed = await Promise.all(['a', 'b', 'c'].map(nodeOf));
    expect(placed.filter((node) => node === 'n1')).toHaveLength(1);
    await agentDeletes('a');
    await settle();
    await clock.advance(LIMITS.scheduler.backoffBaseMs);
    await settle();
    expect([await nodeOf('b'), await nodeOf('c')].filter(Boolean)).toEqual(['n1']);
  });

  it('takes the more important pod first', async () => {
    await Promise.all([
      create('low', { requests: { cpu: '3' }, spec: { priority: 1 } }),
      create('high', { requests: { cpu: '3' }, spec: { priority: 10 } }),
    ]);
    await client.create(resources.nodes, aNode('n1'));
    await settle();
    await clock.advance(LIMITS.scheduler.backoffBaseMs);
    await settle();
    expect(await nodeOf('high')).toBe('n1');
    expect(await nodeOf('low')).toBeUndefined();
  });

  it('leaves pods of other schedulers and gated pods alone', async () => {
    await client.create(resources.nodes, aNode('n1'));
    await create('other', { spec: { schedulerName: 'mine' } });
    const gated = await create('gated', { spec: { schedulingGates: [{ name: 'example.com/wait' }] } });
    await settle();
    expect([await nodeOf('other'), await nodeOf('gated')]).toEqual([undefined, undefined]);
    expect((await get('gated')).status?.conditions).toMatchObject([
      { reason: 'SchedulingGated', message: 'Scheduling is blocked due to non-empty scheduling gates' },
    ]);
    const { resourceVersion: _, ...metadata } = gated.metadata;
    await client.update(resources.pods, {
      ...gated,
      metadata,
      spec: { ...gated.spec!, schedulingGates: [] },
    });
    await settle();
    expect(await nodeOf('gated')).toBe('n1');
  });

  it('tries again when binding fails, and gives the room back meanwhile', async () => {
    await client.create(resources.nodes, aNode('n1', { allocatable: { cpu: '1' } }));
    let failures = 1;
    client.intercept = ({ subresource }) => {
      if (subresource === 'binding' && failures-- > 0) throw conflict(resources.pods, 'web', 'try again');
    };
    await create('web', { requests: { cpu: '1' } });
    await settle();
    expect(await nodeOf('web')).toBeUndefined();
    expect((await get('web')).status?.conditions).toMatchObject([{ reason: 'SchedulerError' }]);
    await clock.advance(LIMITS.scheduler.backoffBaseMs);
    await settle();
    expect(await nodeOf('web')).toBe('n1');
  });

  it('makes room for a more important pod and remembers where', async () => {
    await client.create(resources.nodes, aNode('n1', { allocatable: { cpu: '2' } }));
    await create('small', { requests: { cpu: '1' }, spec: { priority: 1 } });
    await create('tiny', { requests: { cpu: '500m' }, spec: { priority: 5 } });
    await settle();
    await create('vip', { requests: { cpu: '1500m' }, spec: { priority: 1000 } });
    await settle();
    expect(told.at(-1)).toBe(
      'small Normal Preempted: Preempted by pod uid-default-vip on node n1'.replace(
        'uid-default-vip',
        (await get('vip')).metadata.uid ?? '',
      ),
    );
    expect(told).toContain('vip Warning FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.');
    expect((await get('vip')).status?.nominatedNodeName).toBe('n1');
    // The room being made is not for others.
    await create('late', { requests: { cpu: '100m' }, spec: { priority: 2 } });
    await clock.advance(LIMITS.scheduler.backoffBaseMs);
    await settle();
    expect(await nodeOf('vip')).toBeUndefined();
    expect(await nodeOf('late')).toBeUndefined();
    await agentDeletes('small');
    await clock.advance(LIMITS.scheduler.backoffMaxMs);
    await settle();
    expect(await nodeOf('vip')).toBe('n1');
    expect(await nodeOf('tiny')).toBe('n1');
  });

  it('binds claims that wait for a consumer before the pod', async () => {
    await client.create(resources.nodes, aNode('n1'));
    await client.create(resources.storageClasses, {
      metadata: { name: 'local' },
      provisioner: 'example.com/local',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    const claim = await client.create(resources.persistentVolumeClaims, {
      metadata: { name: 'data', namespace: 'default' },
      spec: {
        storageClassName: 'local',
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
      },
    });
    await create('db', {
      spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
    });
    await settle();
    const asked = await client.get(resources.persistentVolumeClaims, { namespace: 'default', name: 'data' });
    expect(asked.metadata.annotations).toEqual({ 'volume.kubernetes.io/selected-node': 'n1' });
    expect(await nodeOf('db')).toBeUndefined();
    await client.create(resources.persistentVolumes, { metadata: { name: 'pv1' }, spec: {} });
    await client.update(resources.persistentVolumeClaims, {
      ...asked,
      metadata: {
        ...asked.metadata,
        annotations: { ...asked.metadata.annotations, 'pv.kubernetes.io/bind-completed': 'yes' },
      },
      spec: { ...claim.spec, volumeName: 'pv1' },
    });
    await settle();
    expect(await nodeOf('db')).toBe('n1');
  });
});
