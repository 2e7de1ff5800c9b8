import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../api/resources.gen.ts';
import type { ConfigMap } from '../api/types.gen.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { silentLogger } from '../lib/log.ts';
import { FakeClient } from './fake-client.ts';
import type { InformerFactory } from './informer.ts';
import { createInformerFactory } from './informer-factory.ts';

const map = (name: string, owner?: string): ConfigMap => ({
  metadata: {
    name,
    namespace: 'default',
    ...(owner
      ? { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: owner, uid: owner, controller: true }] }
      : {}),
  },
});

describe('informer', () => {
  let clock: FakeClock;
  let client: FakeClient;
  let factory: InformerFactory;
  let seen: string[];
  beforeEach(() => {
    clock = new FakeClock();
    client = new FakeClient(clock);
    factory = createInformerFactory({ client, clock, log: silentLogger, random: () => 0 });
    seen = [];
  });
  afterEach(() => factory.stop());

  const recordFrom = (informer = factory.for(resources.configMaps)) =>
    informer.onChange({
      add: (object) => seen.push(`add ${object.metadata.name}`),
      update: (object, old) => seen.push(`update ${object.data?.['n']} after ${old.data?.['n']}`),
      delete: (object) => seen.push(`delete ${object.metadata.name}`),
    });

  it('lists, then follows', async () => {
    await client.create(resources.configMaps, map('a'));
    recordFrom();
    await factory.start();
    const b = await client.create(resources.configMaps, { ...map('b'), data: { n: '1' } });
    await client.update(resources.configMaps, { ...b, data: { n: '2' } });
    await client.delete(resources.configMaps, { namespace: 'default', name: 'a' });
    await clock.advance(0);
    expect(seen).toEqual(['add a', 'add b', 'update 2 after 1', 'delete a']);
    const { store } = factory.for(resources.configMaps);
    expect(store.list().map(({ kind, apiVersion }) => `${apiVersion} ${kind}`)).toEqual(['v1 ConfigMap']);
  });

  it('gives late handlers what is present, and none after removal', async () => {
    await client.create(resources.configMaps, map('a'));
    await factory.start();
    recordFrom(factory.for(resources.configMaps));
    await clock.advance(0);
    const remove = recordFrom();
    remove();
    await client.create(resources.configMaps, map('b'));
    await clock.advance(0);
    expect(seen).toEqual(['add a', 'add a', 'add b']);
  });

  it('relists after 410 and reports the difference only', async () => {
    await client.create(resources.configMaps, map('a'));
    await client.create(resources.configMaps, map('b'));
    recordFrom();
    await factory.start();
    await clock.advance(0);
    seen.length = 0;
    // Both happen while the watch is told that its revision is gone.
    const deleting = client.delete(resources.configMaps, { namespace: 'default', name: 'a' });
    client.compact();
    await deleting;
    await client.create(resources.configMaps, map('c'));
    client.compact();
    await clock.advance(60_000);
    expect(seen.toSorted()).toEqual(['add c', 'delete a']);
  });

  it('reads pages until the end', async () => {
    for (let i = 0; i < 1100; i++) await client.create(resources.configMaps, map(`m${i}`));
    await factory.start();
    const informer = factory.for(resources.configMaps);
    await clock.advance(0);
    await informer.synced();
    expect(informer.store.size).toBe(1100);
  });

  it('waits longer after each failure', async () => {
    const started: number[] = [];
    const list = client.list.bind(client);
    client.list = async (...args) => {
      started.push(clock.monotonicMs());
      if (started.length < 4) throw new Error('connection refused');
      return list(...args);
    };
    const informer = factory.for(resources.configMaps);
    void factory.start();
    await clock.advance(10_000);
    expect(started).toEqual([0, 250, 750, 1750]);
    expect(informer.hasSynced).toBe(true);
  });

  it('tries at once, and soon after, when it is told that the server is back', async () => {
    const started: number[] = [];
    const list = client.list.bind(client);
    client.list = async (...args) => {
      started.push(clock.monotonicMs());
      if (started.length < 8) throw new Error('connection refused');
      return list(...args);
    };
    void factory.start();
    factory.for(resources.configMaps);
    await clock.advance(8000);
    expect(started).toEqual([0, 250, 750, 1750, 3750, 7750]);
    factory.retry();
    await clock.advance(750);
    expect(started.slice(6)).toEqual([8000, 8250]);
    expect(factory.for(resources.configMaps).hasSynced).toBe(true);
  });

  it('indexes by owner and knows what nobody controls', async () => {
    await client.create(resources.configMaps, map('owned', 'u1'));
    await client.create(resources.configMaps, map('free'));
    await factory.start();
    const { store } = factory.for(resources.configMaps);
    await factory
      .for(resources.configMaps)
      .synced()
      .catch(() => {});
    await clock.advance(0);
    expect(store.ownedBy('u1').map(({ metadata }) => metadata.name)).toEqual(['owned']);
    expect(store.uncontrolled('default').map(({ metadata }) => metadata.name)).toEqual(['free']);
    await client.patch(
      resources.configMaps,
      { namespace: 'default', name: 'owned' },
      { type: 'merge', body: { metadata: { ownerReferences: null } } },
    );
    await clock.advance(0);
    expect(store.ownedBy('u1')).toEqual([]);
    expect(store.uncontrolled('default')).toHaveLength(2);
    await client.update(resources.configMaps, map('free', 'owner'));
    await client.create(resources.configMaps, map('new'));
    await clock.advance(0);
    expect(store.uncontrolled('default').map(({ metadata }) => metadata.name)).not.toContain('free');
    expect(store.uncontrolled('default').map(({ metadata }) => metadata.name)).toContain('new');
    expect(store.uncontrolled('other')).toEqual([]);
  });

  it('keeps what transform leaves', async () => {
    const names = ({ metadata: { name = '', namespace = '' } }: ConfigMap): ConfigMap => ({
      metadata: { name, namespace },
    });
    await client.create(resources.configMaps, { ...map('a'), data: { big: 'x' } });
    const small = factory.for(resources.configMaps, { transform: names });
    expect(factory.for(resources.configMaps, { transform: names })).toBe(small);
    expect(factory.for(resources.configMaps)).not.toBe(small);
    await factory.start();
    expect(small.store.get('default', 'a')?.data).toBeUndefined();
  });

  it('leaves no timer behind and refuses to sync after stop', async () => {
    const never = createInformerFactory({ client, clock, log: silentLogger });
    const waiting = never.for(resources.configMaps).synced();
    await never.stop();
    await expect(waiting).rejects.toThrow('stopped');
    expect(clock.timers).toBe(0);
  });
});
