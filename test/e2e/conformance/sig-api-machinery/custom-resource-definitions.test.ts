import { expect } from 'vitest';
import type { StorageVersionMigration } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import {
  ANYTHING,
  definitionsOf,
  establish,
  makeDefinition,
  named,
  objectsOf,
  remove,
  version,
} from '../custom-definitions.ts';
import { everyVerb } from '../every-verb.ts';

const PROPERTIES = '/spec/versions/0/schema/openAPIV3Schema/properties';

area('sig-api-machinery', 'CustomResourceDefinition resources [Privileged:ClusterAdmin]', (spec) => {
  spec(
    'Simple CustomResourceDefinition creating/deleting custom resource definition objects works',
    async (context) => {
      const definition = await establish(context, makeDefinition(context, [version('v1beta1')]));
      await remove(context, definition);
    },
  );

  spec(
    'Simple CustomResourceDefinition listing custom resource definition objects works',
    async (context) => {
      const label = context.unique('list');
      const make = async (labels: Record<string, string>) =>
        await establish(context, makeDefinition(context, [version('v1beta1')], { labels }));
      const made = await Promise.all(Array.from({ length: 10 }, async () => await make({ list: label })));
      const other = await make({});
      const definitions = definitionsOf(context);
      const query = { labelSelector: `list=${label}` };
      const { items } = await definitions.list(query);
      expect(items).toHaveLength(10);
      const specs = new Map(made.map(({ metadata, spec: made }) => [metadata.name, made]));
      for (const { metadata, spec: listed } of items) expect(listed).toEqual(specs.get(metadata.name));
      await definitions.deleteCollection(query);
      await context.until(
        'all of them to be gone',
        async () => (await definitions.list(query)).items.length === 0,
      );
      expect((await definitions.get(other.metadata.name ?? '')).metadata.uid).toBe(other.metadata.uid);
    },
  );

  spec(
    'Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works',
    async (context) => {
      const definition = await establish(context, makeDefinition(context, [version('v1beta1')]));
      const definitions = definitionsOf(context);
      const name = definition.metadata.name ?? '';
      expect((await definitions.get(name, 'status')).spec).toEqual(definition.spec);
      const updated = await definitions.modify(
        name,
        (found) => found.status?.conditions?.push({ type: '', status: '', message: 'updated' }),
        'status',
      );
      expect(updated.status?.conditions?.map(({ message }) => message)).toContain('updated');
      const patch = [{ op: 'add', path: '/status/conditions', value: [{ message: 'patched' }] }];
      const patched = await definitions.patch(name, patch, { type: 'json', subresource: 'status' });
      expect(patched.status?.conditions?.map(({ message }) => message)).toContain('patched');
    },
  );

  spec('should include custom resource definition resources in discovery documents', async ({ cluster }) => {
    const groupVersion = { groupVersion: 'apiextensions.k8s.io/v1', version: 'v1' };
    const all = await cluster.api.json<{ groups: { name: string; versions: object[] }[] }>('GET', '/apis');
    expect(all.groups.find(({ name }) => name === 'apiextensions.k8s.io')?.versions).toContainEqual(
      groupVersion,
    );
    const group = await cluster.api.json('GET', '/apis/apiextensions.k8s.io');
    expect(group).toMatchObject({ name: 'apiextensions.k8s.io', versions: [groupVersion] });
    const list = await cluster.api.json<{ groupVersion: string; resources: { name: string }[] }>(
      'GET',
      '/apis/apiextensions.k8s.io/v1',
    );
    expect(list.groupVersion).toBe('apiextensions.k8s.io/v1');
    expect(list.resources.map(({ name }) => name)).toContain('customresourcedefinitions');
  });

  spec('custom resource defaulting for requests and from storage works', async (context) => {
    const properties = { a: { type: 'string' }, b: { type: 'string' } };
    const schema = { ...ANYTHING, properties };
    const definition = await establish(context, makeDefinition(context, [version('v1beta1', schema)]));
    const definitions = definitionsOf(context);
    const objects = objectsOf(context, definition);
    const patch = async (operations: object[]) =>
      await definitions.patch(definition.metadata.name ?? '', operations, { type: 'json' });
    await objects.create(named(definition, 'one'));
    await patch([{ op: 'add', path: `${PROPERTIES}/a/default`, value: 'A' }]);
    await context.until('the default to show', async () => (await objects.get('one'))['a'] === 'A');
    const second = await objects.create(named(definition, 'two'));
    expect(second['a']).toBe('A');
    expect(second['b']).toBeUndefined();
    await patch([
      { op: 'remove', path: `${PROPERTIES}/a/default` },
      { op: 'add', path: `${PROPERTIES}/b/default`, value: 'B' },
    ]);
    await context.until('the other default to show', async () => (await objects.get('one'))['b'] === 'B');
    expect((await objects.get('one'))['a']).toBeUndefined();
    const stored = await objects.get('two');
    expect([stored['a'], stored['b']]).toEqual(['A', 'B']);
  });
});

area('sig-api-machinery', 'CustomResourceDefinition Watch [Privileged:ClusterAdmin]', (spec) => {
  spec('CustomResourceDefinition Watch watch on custom resource definition objects', async (context) => {
    const definition = await establish(context, makeDefinition(context, [version('v1beta1')]));
    const objects = objectsOf(context, definition);
    const watch = (name: string) => context.watch(objects, { fieldSelector: `metadata.name=${name}` });
    const watches = { name1: watch('name1'), name2: watch('name2') };
    const names = ['name1', 'name2'] as const;
    for (const name of names) {
      const created = await objects.create(named(definition, name));
      expect(created.metadata.uid).toBeTruthy();
      expect((await watches[name].next()).type).toBe('ADDED');
    }
    for (const name of names) {
      await objects.patch(name, [{ op: 'add', path: '/dummy', value: 'test' }], { type: 'json' });
      expect((await watches[name].next()).type).toBe('MODIFIED');
    }
    for (const name of names) {
      await objects.delete(name);
      expect((await watches[name].next()).type).toBe('DELETED');
      expect(watches[name].all.map(({ object }) => object.metadata.name)).toEqual([name, name, name]);
    }
  });
});

area('sig-api-machinery', 'StorageVersionMigration CRUD Tests', (spec) => {
  spec('storagemigration.k8s.io/v1 StorageVersionMigration', async (context) => {
    const groupVersion = 'storagemigration.k8s.io/v1';
    const body = { spec: { resource: { group: '', resource: 'foo' } } };
    await everyVerb<StorageVersionMigration>(context, {
      groupVersion,
      plural: 'storageversionmigrations',
      kind: 'StorageVersionMigration',
      body,
      change: ({ metadata }) => {
        metadata.labels = { ...metadata.labels, 'test.storagemigration.example.com': 'test' };
      },
      changed: ({ metadata }) => metadata.labels,
    });
    const migrations = context.cluster.resource<StorageVersionMigration>(
      groupVersion,
      'storageversionmigrations',
    );
    const name = context.unique('migration');
    await migrations.create({ metadata: { name }, ...body });
    context.defer(async () => await migrations.delete(name));
    const condition = {
      type: 'TestCondition',
      status: 'True',
      reason: 'TestReason',
      message: 'TestMessage',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    for (const [type, patch] of [
      ['merge', { status: { conditions: [condition] } }],
      ['strategic', { status: { conditions: [condition] } }],
      ['json', [{ op: 'add', path: '/status/conditions', value: [condition] }]],
    ] as const) {
      const patched = await migrations.patch(name, patch, { type, subresource: 'status' });
      expect(patched.status?.conditions, type).toContainEqual(condition);
    }
    const updated = await migrations.modify(
      name,
      (found) => {
        found.status = { ...found.status, conditions: [{ ...condition, message: 'Updated' }] };
      },
      'status',
    );
    expect(updated.status?.conditions?.[0]?.message).toBe('Updated');
    expect((await migrations.get(name, 'status')).spec).toEqual(body.spec);
  });
});
