import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { ConfigMap, Pod } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import type { Datastore } from '../../datastore/port.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/port.ts';
import type { ApiServer } from '../api-server.ts';
import { startTestServer } from '../test-server.fake.ts';
import { deleteObject } from './delete.ts';
import { validateFinalizerNames } from './metadata-validation.ts';
import type { WriteRequest } from './served-resource.ts';

let clock: FakeClock;
let server: ApiServer;
let datastore: Datastore;
let client: Client;
let plugin: AdmissionPlugin;

beforeEach(async () => {
  clock = new FakeClock();
  plugin = { name: 'Test' };
  const admission: AdmissionPlugin = {
    name: 'Test',
    handles: ({ resource }) => resource.kind === 'ConfigMap',
    mutate: (attributes) => plugin.mutate?.(attributes),
    validate: (attributes) => plugin.validate?.(attributes),
  };
  ({ server, datastore } = await startTestServer({ clock, admission: [admission] }));
  client = server.client({ name: 'tester', groups: ['system:masters'] });
});
afterEach(() => server.close());

const maps = resources.configMaps;
const ref = (name: string) => ({ name, namespace: 'default' });
const map = (name: string, extra: object = {}): ConfigMap => ({ metadata: ref(name), ...extra });
const pod = (name: string, extra: object = {}): Pod => ({
  metadata: ref(name),
  spec: { containers: [{ name: 'c', image: 'busybox' }], nodeName: 'board', ...extra },
});

describe('metadata', () => {
  it('gives identity and drops what only the server may say', async () => {
    const created = await client.create(maps, {
      metadata: { ...ref('a'), uid: 'mine', resourceVersion: '7', creationTimestamp: '2000-01-01T00:00:00Z' },
    });
    expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(created.metadata.creationTimestamp).toBe('2026-01-01T00:00:00Z');
  });
  it('has no list of managed fields where nobody owns any', async () => {
    expect((await client.create(maps, map('a'))).metadata).not.toHaveProperty('managedFields');
    const owned = await client.create(maps, map('b', { data: { x: '1' } }));
    expect(owned.metadata.managedFields).toHaveLength(1);
    const metadata = { ...ref('b'), managedFields: [{}] };
    const reset = await client.update(maps, { metadata, data: { x: '2' } });
    expect(reset.metadata).not.toHaveProperty('managedFields');
    const changed = await client.update(maps, map('b', { data: { x: '3' } }));
    expect(changed.metadata).not.toHaveProperty('managedFields');
  });
  it('gives up managed fields where an object would be too large with them, but not of what is applied', async () => {
    const key = 'a-key-so-long-that-naming-it-once-more-for-its-owner-is-what-makes-the-object-too-large';
    const data = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`${key}-${at}`, 'A']));
    const created = await client.create(maps, map('a', { data }));
    expect(created.metadata).not.toHaveProperty('managedFields');
    await client.create(maps, map('b'));
    const patched = await client.patch(maps, ref('b'), { type: 'merge', body: { data } });
    expect(patched.metadata).not.toHaveProperty('managedFields');
    expect(Object.keys((await client.get(maps, ref('b'))).data ?? {})).toHaveLength(10_000);
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref('b'), data: { more: '1' } };
    const applied = client.patch(maps, ref('b'), { type: 'apply', body }, { fieldManager: 'me' });
    await expect(applied).rejects.toMatchObject({ status: { code: 413 } });
  });
  it('is refused in upstream words, all of it at once', async () => {
    const metadata = {
      ...ref('a'),
      labels: { 'bad key': 'x' },
      finalizers: ['orphan', 'foregroundDeletion'],
      ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'e', uid: '' }],
    };
    const error = await client.create(maps, { metadata }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ status: { code: 422, reason: 'Invalid' } });
    const fields = (error as { status: { details: { causes: { field: string }[] } } }).status.details.causes;
    expect(fields.map(({ field }) => field)).toEqual([
      'metadata.labels',
      'metadata.ownerReferences[0].uid',
      'metadata.ownerReferences[0]',
      'metadata.finalizers',
    ]);
  });
  it('keeps identity through updates that leave it out or try to change it', async () => {
    const created = await client.create(maps, map('a'));
    const updated = await client.update(maps, map('a', { data: { x: '1' } }));
    expect(updated.metadata.uid).toBe(created.metadata.uid);
    expect(updated.metadata.creationTimestamp).toBe(created.metadata.creationTimestamp);
    await expect(client.update(maps, { metadata: { ...ref('a'), uid: 'other' } })).rejects.toMatchObject({
      status: { reason: 'Conflict' },
    });
  });
  it('counts generations of what is desired, not of metadata or status', async () => {
    const { metadata } = await client.create(resources.deployments, deployment(1));
    expect(metadata.generation).toBe(1);
    const labelled = await client.patch(resources.deployments, ref('web'), {
      type: 'merge',
      body: { metadata: { labels: { a: 'b' } } },
    });
    expect(labelled.metadata.generation).toBe(1);
    const scaled = await client.update(resources.deployments, deployment(2));
    expect(scaled.metadata.generation).toBe(2);
  });
  it('lets no finalizer come once an object is being deleted', async () => {
    await client.create(maps, { metadata: { ...ref('a'), finalizers: ['example.com/one'] } });
    await client.delete(maps, ref('a'));
    const body = { metadata: { finalizers: ['example.com/one', 'example.com/two'] } };
    await expect(client.patch(maps, ref('a'), { type: 'merge', body })).rejects.toThrow(
      'no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/two"}',
    );
  });
});

const deployment = (replicas: number) => ({
  metadata: ref('web'),
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'busybox' }] },
    },
  },
});

describe('admission', () => {
  it('changes what is stored, sees old and new, and may refuse', async () => {
    const seen: Pick<AdmissionAttributes, 'operation' | 'name' | 'dryRun'>[] = [];
    plugin = {
      name: 'Test',
      mutate: ({ operation, object, name, dryRun }) => {
        seen.push({ operation, name, dryRun });
        if (object) (object as ConfigMap).data = { ...(object as ConfigMap).data, added: 'yes' };
      },
      validate({ operation }) {
        if (operation === 'DELETE') throw new Error('not this one');
      },
    };
    expect((await client.create(maps, map('a'))).data).toEqual({ added: 'yes' });
    await client.update(maps, map('a', { data: { x: '1' } }), { dryRun: true });
    await expect(client.delete(maps, ref('a'))).rejects.toThrow('not this one');
    expect(seen).toEqual([
      { operation: 'CREATE', name: 'a', dryRun: false },
      { operation: 'UPDATE', name: 'a', dryRun: true },
      { operation: 'DELETE', name: 'a', dryRun: false },
    ]);
    expect((await client.get(maps, ref('a'))).data).toEqual({ added: 'yes' });
  });
});

describe('races', () => {
  it('a patch tries again on what another writer left', async () => {
    await client.create(maps, map('a', { data: {} }));
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    await Promise.all(
      keys.map((key) => client.patch(maps, ref('a'), { type: 'merge', body: { data: { [key]: '1' } } })),
    );
    expect(Object.keys((await client.get(maps, ref('a'))).data ?? {}).sort()).toEqual(keys.sort());
  });
  it('of two updates of one version one loses', async () => {
    const created = await client.create(maps, map('a'));
    const results = await Promise.allSettled(
      ['1', '2'].map((n) => client.update(maps, { ...created, data: { n } })),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('graceful deletion', () => {
  const soon = (name: string) => client.get(resources.pods, ref(name)).then((found) => found.metadata);

  it('marks a pod on a node and waits for the node', async () => {
    await client.create(resources.pods, pod('p'));
    await client.delete(resources.pods, ref('p'), { gracePeriodSeconds: 20 });
    expect(await soon('p')).toMatchObject({
      deletionTimestamp: '2026-01-01T00:00:20Z',
      deletionGracePeriodSeconds: 20,
    });
    await client.delete(resources.pods, ref('p'), { gracePeriodSeconds: 30 });
    expect((await soon('p')).deletionGracePeriodSeconds).toBe(20);
    await client.delete(resources.pods, ref('p'), { gracePeriodSeconds: 5 });
    expect(await soon('p')).toMatchObject({
      deletionTimestamp: '2026-01-01T00:00:05Z',
      deletionGracePeriodSeconds: 5,
    });
    await client.delete(resources.pods, ref('p'), { gracePeriodSeconds: 0 });
    await expect(soon('p')).rejects.toSatisfy(isNotFound);
  });
  it('shortens to the least when the time has passed already', async () => {
    await client.create(resources.pods, pod('p'));
    await client.delete(resources.pods, ref('p'), { gracePeriodSeconds: 30 });
    await clock.advance(20_000);
    await client.delete(resources.pods, ref('p'), { gracePeriodSeconds: 10 });
    expect(await soon('p')).toMatchObject({
      deletionTimestamp: '2026-01-01T00:00:20Z',
      deletionGracePeriodSeconds: 1,
    });
  });
});

describe('finalizers', () => {
  it('of built-in kinds have a domain; what is there already may stay', async () => {
    const finalizers = (...names: string[]) => ({ metadata: { ...ref('a'), finalizers: names } });
    const created = client.create(maps, finalizers('mine', 'example.com/ours', 'orphan'));
    await expect(created).rejects.toMatchObject({
      message:
        'ConfigMap "a" is invalid: metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    });
    await client.create(maps, finalizers('example.com/ours'));
    await expect(client.update(maps, finalizers('example.com/ours', 'mine'))).rejects.toMatchObject({
      status: { code: 422, details: { causes: [{ field: 'metadata.finalizers[1]' }] } },
    });
    expect(validateFinalizerNames({ finalizers: ['old', 'new'] }, { finalizers: ['old'] })).toHaveLength(1);
  });
  it('of a few others are what their owners say', async () => {
    const lease = { metadata: { ...ref('a'), finalizers: ['mine'] } };
    expect((await client.create(resources.leases, lease)).metadata.finalizers).toEqual(['mine']);
  });
});

describe('deletes', () => {
  it('answer with the state at the revision of the deletion', async () => {
    const { serviceAccounts } = resources;
    const { metadata } = await client.create(serviceAccounts, { metadata: ref('a') });
    const { served } = server.registry.find(serviceAccounts)!;
    const request: WriteRequest = {
      user: { name: 'tester', groups: [] },
      ...{ namespace: 'default', name: 'a', dryRun: false, fieldManager: 'tester' },
      fieldValidation: 'Strict',
      warn: () => {},
    };
    const { object, gone } = await deleteObject(served, request, {});
    expect(gone).toBe(true);
    expect(Number(object.metadata.resourceVersion)).toBeGreaterThan(Number(metadata.resourceVersion));
  });
  it('do not write again what finalizers keep', async () => {
    await client.create(maps, { metadata: { ...map('held').metadata, finalizers: ['example.com/hold'] } });
    await client.delete(maps, ref('held'));
    const before = await client.get(maps, ref('held'));
    expect(before.metadata.deletionTimestamp).toBeDefined();
    const { revision } = datastore;
    await client.delete(maps, ref('held'), { gracePeriodSeconds: 0 });
    expect(datastore.revision).toBe(revision);
    await client.delete(maps, ref('held'), { propagationPolicy: 'Foreground' });
    expect((await client.get(maps, ref('held'))).metadata.finalizers).toEqual([
      'example.com/hold',
      'foregroundDeletion',
    ]);
  });
});

describe('lists', () => {
  it('go on at the revision they began with, whatever happens in between', async () => {
    for (const name of ['a', 'b', 'c']) await client.create(maps, map(name));
    const first = await client.list(maps, { namespace: 'default', limit: 2 });
    expect(first.metadata.remainingItemCount).toBe(1);
    await client.delete(maps, ref('c'));
    await client.create(maps, map('d'));
    const options = { namespace: 'default', limit: 2, continue: first.metadata.continue ?? '' };
    const second = await client.list(maps, options);
    expect(second.items.map(({ metadata }) => metadata.name)).toEqual(['c']);
    expect(second.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion });
  });
  it('tell what remains on every page, whatever happens in between', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await client.create(maps, map(name));
    let page = await client.list(maps, { namespace: 'default', limit: 2 });
    await client.create(maps, map('f'));
    const remaining = [page.metadata.remainingItemCount];
    while (page.metadata.continue) {
      const options = { namespace: 'default', limit: 1, continue: page.metadata.continue };
      page = await client.list(maps, options);
      remaining.push(page.metadata.remainingItemCount);
    }
    expect(remaining).toEqual([3, 2, 1, undefined]);
  });
  it('whose revision is gone offer to go on with what is there now', async () => {
    for (const name of ['a', 'b', 'c']) await client.create(maps, map(name));
    const first = await client.list(maps, { namespace: 'default', limit: 2 });
    await client.create(maps, map('d'));
    await datastore.compact(datastore.revision);
    const options = { namespace: 'default', continue: first.metadata.continue ?? '' };
    const error = await client.list(maps, options).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ status: { code: 410, reason: 'Expired' } });
    const { continue: from = '' } = (error as { status: { metadata: { continue?: string } } }).status
      .metadata;
    const rest = await client.list(maps, { namespace: 'default', continue: from });
    expect(rest.items.map(({ metadata }) => metadata.name)).toEqual(['c', 'd']);
  });
  it('never leave their namespace by a token of another', async () => {
    await client.create(resources.namespaces, { metadata: { name: 'zzz' } });
    await client.create(maps, { metadata: { name: 'hidden', namespace: 'zzz' } });
    for (const name of ['a', 'b']) await client.create(maps, map(name));
    const { metadata } = await client.list(maps, { namespace: 'default', limit: 1 });
    await client.create(maps, map('c'));
    const other = await client.list(maps, { namespace: 'kube-public', continue: metadata.continue ?? '' });
    expect(other.items).toEqual([]);
  });
});

describe('scale', () => {
  it('shows and sets replicas, and refuses less than none', async () => {
    await client.create(resources.deployments, deployment(1));
    const body = { spec: { replicas: 3 } };
    const scaled = await client.patch(
      resources.deployments,
      ref('web'),
      { type: 'merge', body },
      { subresource: 'scale' },
    );
    expect(scaled).toMatchObject({ kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 3 } });
    expect((await client.get(resources.deployments, ref('web'))).spec?.replicas).toBe(3);
    const negative = { spec: { replicas: -1 } };
    await expect(
      client.patch(
        resources.deployments,
        ref('web'),
        { type: 'merge', body: negative },
        { subresource: 'scale' },
      ),
    ).rejects.toThrow('Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1');
  });
});

describe('apply to a scale', () => {
  it('owns the replicas of the object itself, with others, or by force alone', async () => {
    const { deployments } = resources;
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { replicas: 1, selector: { matchLabels: labels }, template };
    const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: ref('web'), spec };
    await client.patch(deployments, ref('web'), { type: 'apply', body }, { fieldManager: 'applier' });
    const scale = (replicas: number, fieldManager: string, force = false) =>
      client.patch(
        deployments,
        ref('web'),
        {
          type: 'apply',
          body: { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: ref('web'), spec: { replicas } },
          force,
        },
        { fieldManager, subresource: 'scale' },
      );
    const owners = async (): Promise<unknown[]> => {
      const { metadata } = await client.get(deployments, ref('web'));
      const owned = (metadata.managedFields ?? []).filter(
        ({ fieldsV1 }) => (fieldsV1 as { 'f:spec'?: { 'f:replicas'?: object } })['f:spec']?.['f:replicas'],
      );
      return owned.map((one) => [one.manager, one.operation, one.apiVersion, one.subresource]);
    };
    await expect(scale(17, 'scaler')).rejects.toMatchObject({
      status: { code: 409 },
      message: 'Apply failed with 1 conflict: conflict with "applier": .spec.replicas',
    });
    await scale(1, 'scaler');
    expect(await owners()).toEqual([
      ['applier', 'Apply', 'apps/v1', undefined],
      ['scaler', 'Apply', 'apps/v1', 'scale'],
    ]);
    await scale(17, 'other', true);
    expect(await owners()).toEqual([['other', 'Apply', 'apps/v1', 'scale']]);
    const found = await client.get(deployments, ref('web'));
    expect(found.spec?.replicas).toBe(17);
    expect(found.spec?.template?.spec?.containers).toHaveLength(1);
    await client.update(
      deployments,
      { ...found, spec: { ...found.spec!, replicas: 3 } },
      { fieldManager: 'u' },
    );
    expect(await owners()).toEqual([['u', 'Update', 'apps/v1', undefined]]);
    const stale = { ...ref('web'), resourceVersion: '1' };
    const late = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: stale, spec: { replicas: 3 } };
    await expect(
      client.patch(
        deployments,
        ref('web'),
        { type: 'apply', body: late },
        { fieldManager: 'late', subresource: 'scale' },
      ),
    ).rejects.toMatchObject({ status: { code: 409 } });
  });
});

describe('apply', () => {
  const apply = (data: object, fieldManager: string, force = false) =>
    client.patch(
      maps,
      ref('a'),
      { type: 'apply', body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref('a'), data }, force },
      { fieldManager },
    );
  it('does not create what a uid says must be there', async () => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...ref('a'), uid: 'u1' } };
    const applied = client.patch(maps, ref('a'), { type: 'apply', body }, { fieldManager: 'me' });
    await expect(applied).rejects.toMatchObject({
      status: { code: 409 },
      message:
        'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid u1, and no existing object was found',
    });
  });
  it('refuses managed fields, even none', async () => {
    const metadata = { ...ref('a'), managedFields: [] };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
    const applied = client.patch(maps, ref('a'), { type: 'apply', body }, { fieldManager: 'me' });
    await expect(applied).rejects.toMatchObject({ message: 'metadata.managedFields must be nil' });
  });
  it('creates, owns, refuses what another owns, and takes over by force', async () => {
    expect((await apply({ x: '1' }, 'first')).data).toEqual({ x: '1' });
    await expect(apply({ x: '2' }, 'second')).rejects.toMatchObject({
      status: { code: 409, reason: 'Conflict' },
    });
    expect((await apply({ x: '2' }, 'second', true)).data).toEqual({ x: '2' });
    expect((await apply({}, 'second')).data ?? {}).toEqual({});
  });
});
