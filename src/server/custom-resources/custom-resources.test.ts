import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { customResourceDefinitions } from '../../api/resources.gen.ts';
import { apiError } from '../../api/status.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { createMemoryDatastore } from '../../datastore/memory.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import type { AdmissionAttributes } from '../admission/port.ts';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';
import {
  definition,
  establish,
  object,
  resourceOf,
  untilDefinition,
  untilGone,
  version,
  widget,
} from './test-definitions.fake.ts';

const V1 = '/apis/example.com/v1/namespaces/default/widgets';
const ADMIN = { name: 'admin', groups: ['system:masters'] };

let http: TestHttp;
let client: Client;
beforeEach(async () => {
  http = await startTestHttp();
  client = http.server.client(ADMIN);
});
afterEach(() => http.stop());

const size = object({ spec: object({ size: { type: 'integer', minimum: 1 }, color: { type: 'string' } }) });

describe('a definition', () => {
  it('is served as soon as its names are accepted, and shows in discovery at once', async () => {
    expect((await http.send('GET', V1)).code).toBe(404);
    const created = await establish(client, definition([version('v1', size)]));
    expect(created.status).toMatchObject({
      acceptedNames: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      storedVersions: ['v1'],
      conditions: [
        { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' },
        { type: 'Established', status: 'True', reason: 'InitialNamesAccepted' },
      ],
    });
    const { json: list } = await http.send('GET', '/apis/example.com/v1');
    expect(list.resources[0]).toMatchObject({
      name: 'widgets',
      singularName: 'widget',
      kind: 'Widget',
      shortNames: ['wd'],
      categories: ['all'],
      storageVersionHash: 'gIwvi5rymmg=',
    });
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const { json } = await http.send('GET', '/apis', undefined, { accept });
    const text = JSON.stringify(json);
    expect(text).toContain('"resource":"widgets"');
    expect((await http.send('GET', V1)).json).toMatchObject({ kind: 'WidgetList', items: [] });
  });

  it('waits for a name that another one has, and gets it when that one goes', async () => {
    const first = await establish(client, definition([version('v1', size)]));
    const names = { plural: 'gadgets', kind: 'Gadget', shortNames: ['wd'] };
    const second = await client.create(
      customResourceDefinitions,
      definition([version('v1', size)], { names }),
    );
    const refused = await untilDefinition(
      client,
      second,
      ({ status }) => (status?.conditions?.length ?? 0) > 1,
    );
    expect(refused.status?.conditions).toMatchObject([
      {
        type: 'NamesAccepted',
        status: 'False',
        reason: 'ShortNamesConflict',
        message: '"wd" is already in use',
      },
      { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' },
    ]);
    expect((await http.send('GET', '/apis/example.com/v1/gadgets')).code).toBe(404);
    await client.delete(customResourceDefinitions, { name: first.metadata.name ?? '' });
    await untilDefinition(client, second, ({ status }) =>
      Boolean(status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True')),
    );
    expect((await http.send('GET', '/apis/example.com/v1/gadgets')).code).toBe(200);
  });

  it('may have the names of one in another group, even if that ends like its own', async () => {
    await establish(client, definition([version('v1', size)], { group: 'more.example.com' }));
    const { status } = await establish(client, definition([version('v1', size)]));
    expect(status?.acceptedNames?.plural).toBe('widgets');
  });

  it('takes its objects along, waits for their finalizers, and ends their watches', async () => {
    const created = await establish(client, definition([version('v1', size)]));
    const widgets = resourceOf(created);
    await client.create(widgets, widget('free'));
    await client.create(widgets, {
      ...widget('held'),
      metadata: { name: 'held', namespace: 'default', finalizers: ['example.com/hold'] },
    });
    const end = new AbortController();
    const watched: string[] = [];
    const watching = (async () => {
      for await (const event of client.watch(widgets, { resourceVersion: '0', signal: end.signal }))
        if (event.type !== 'BOOKMARK') watched.push(`${event.type} ${event.object.metadata.name}`);
    })();
    const name = created.metadata.name ?? '';
    const answer = await http.send(
      'DELETE',
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`,
    );
    expect(answer.json.status.conditions).toContainEqual(
      expect.objectContaining({ type: 'Terminating', status: 'True', reason: 'InstanceDeletionPending' }),
    );
    await untilDefinition(client, created, ({ status }) =>
      Boolean(status?.conditions?.some(({ reason }) => reason === 'InstanceDeletionInProgress')),
    );
    await expect(client.create(widgets, widget('late'))).rejects.toMatchObject({
      code: 403,
      message:
        'widgets.example.com "late" is forbidden: create not allowed while custom resource definition is terminating',
    });
    const held = await client.get(widgets, { name: 'held', namespace: 'default' });
    expect(held.metadata.deletionTimestamp).toBeDefined();
    await client.patch(
      widgets,
      { name: 'held', namespace: 'default' },
      { type: 'merge', body: { metadata: { finalizers: null } } },
    );
    await untilGone(client, name);
    await watching;
    expect(watched).toEqual(['ADDED free', 'ADDED held', 'DELETED free', 'MODIFIED held', 'DELETED held']);
    expect((await http.send('GET', V1)).code).toBe(404);
    // The same name again starts empty.
    await establish(client, definition([version('v1', size)]));
    expect((await client.list(widgets)).items).toEqual([]);
  });

  it('writes nothing more while something refuses to let its objects go, until it is time to try again', async () => {
    const clock = new FakeClock();
    let tries = 0;
    const refuse = {
      name: 'Refuse',
      handles: ({ operation, resource }: AdmissionAttributes) =>
        operation === 'DELETE' && resource.kind === 'Widget',
      validate: (): void => {
        throw apiError('Forbidden', `refused for the ${++tries > 3 ? 'last' : 'first'} time`);
      },
    };
    const board = await startTestHttp({ clock, admission: [refuse] });
    try {
      const own = board.server.client(ADMIN);
      const name = 'widgets.example.com';
      const created = await establish(own, definition([version('v1', size)]));
      await own.create(resourceOf(created), widget('a'));
      await own.delete(customResourceDefinitions, { name });
      const state = () => own.get(customResourceDefinitions, { name });
      await untilDefinition(own, created, ({ status }) =>
        Boolean(status?.conditions?.some(({ reason }) => reason === 'InstanceDeletionFailed')),
      );
      await clock.advance(0);
      const before = tries;
      const { metadata } = await state();
      for (let turn = 0; turn < 100; turn++) await clock.advance(0);
      expect([tries, (await state()).metadata.resourceVersion]).toEqual([before, metadata.resourceVersion]);
      await clock.advance(10 * 60_000);
      expect(tries - before).toBeGreaterThan(10);
      expect(tries - before).toBeLessThan(40);
      const settledVersion = (await state()).metadata.resourceVersion;
      await clock.advance(10 * 60_000);
      expect((await state()).metadata.resourceVersion).toBe(settledVersion);
    } finally {
      await board.stop();
    }
  });

  it('is finished deleting by the next start', async () => {
    const datastore = createMemoryDatastore();
    const before = await startTestHttp({ datastore });
    const first = before.server.client(ADMIN);
    const created = await establish(first, definition([version('v1', size)]));
    await first.create(resourceOf(created), {
      ...widget('held'),
      metadata: { name: 'held', namespace: 'default', finalizers: ['example.com/hold'] },
    });
    await first.delete(customResourceDefinitions, { name: created.metadata.name ?? '' });
    await before.stop();
    const after = await startTestHttp({ datastore });
    try {
      const second = after.server.client(ADMIN);
      await untilDefinition(second, created, ({ status }) =>
        Boolean(status?.conditions?.some(({ reason }) => reason === 'InstanceDeletionInProgress')),
      );
      await second.patch(
        resourceOf(created),
        { name: 'held', namespace: 'default' },
        { type: 'merge', body: { metadata: { finalizers: null } } },
      );
      await untilGone(second, created.metadata.name ?? '');
    } finally {
      await after.stop();
    }
  });
});

describe('an object', () => {
  it('is pruned, defaulted and checked', async () => {
    const schema = object({
      spec: object(
        { size: { type: 'integer', minimum: 1, default: 3 }, color: { type: 'string' } },
        { default: {} },
      ),
    });
    await establish(client, definition([version('v1', schema)]));
    const made = await http.send('POST', V1, widget('a', { spec: { color: 'red', extra: 1 }, more: 1 }));
    expect(made.code).toBe(201);
    expect(made.json.spec).toEqual({ size: 3, color: 'red' });
    expect(made.json.metadata.generation).toBe(1);
    expect(made.headers['warning']).toEqual([
      '299 - "unknown field \\"more\\""',
      '299 - "unknown field \\"spec.extra\\""',
    ]);
    const strict = await http.send(
      'POST',
      `${V1}?fieldValidation=Strict`,
      widget('b', { spec: { extra: 1 } }),
    );
    expect([strict.code, strict.json.message]).toEqual([
      400,
      'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.extra"',
    ]);
    const twice = await http.send(
      'POST',
      `${V1}?fieldValidation=Strict`,
      '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"b"},"spec":{"size":1,"size":2}}',
    );
    expect(twice.json.message).toContain('strict decoding error: duplicate field "spec.size"');
    const wrong = await http.send('POST', V1, widget('b', { spec: { size: 'big', color: 1 } }));
    expect(wrong.code).toBe(422);
    expect(wrong.json).toMatchObject({
      reason: 'Invalid',
      message:
        'Widget.example.com "b" is invalid: [spec.size: Invalid value: "string": spec.size in body must be of type integer: "string", spec.color: Invalid value: "integer": spec.color in body must be of type string: "integer", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]',
      details: { name: 'b', group: 'example.com', kind: 'Widget' },
    });
    expect(wrong.json.details.causes[0]).toEqual({
      reason: 'FieldValueTypeInvalid',
      message: 'Invalid value: "string": spec.size in body must be of type integer: "string"',
      field: 'spec.size',
    });
  });

  it('takes merge and JSON patches and apply, no strategic merge', async () => {
    const schema = object({
      spec: object({
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: object({ name: { type: 'string' }, port: { type: 'integer' } }, { required: ['name'] }),
        },
      }),
    });
    await establish(client, definition([version('v1', schema)]));
    const apply = (manager: string, ports: object[], query = '') =>
      http.send('PATCH', `${V1}/a?fieldManager=${manager}${query}`, widget('a', { spec: { ports } }), {
        'content-type': 'application/apply-patch+yaml',
      });
    expect((await apply('one', [{ name: 'http', port: 80 }])).code).toBe(201);
    const both = await apply('two', [{ name: 'https', port: 443 }]);
    expect(both.json.spec.ports).toEqual([
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ]);
    expect(both.json.metadata.managedFields[1]).toMatchObject({
      manager: 'two',
      apiVersion: 'example.com/v1',
      fieldsV1: {
        'f:spec': { 'f:ports': { 'k:{"name":"https"}': { '.': {}, 'f:name': {}, 'f:port': {} } } },
      },
    });
    const conflict = await apply('two', [{ name: 'http', port: 81 }]);
    expect([conflict.code, conflict.json.reason]).toEqual([409, 'Conflict']);
    const undeclared = await http.send(
      'PATCH',
      `${V1}/a?fieldManager=two`,
      { ...widget('a'), unknownField: 1 },
      { 'content-type': 'application/apply-patch+yaml' },
    );
    expect(undeclared.json.message).toContain('.unknownField: field not declared in schema');
    const merged = await http.send(
      'PATCH',
      `${V1}/a`,
      { spec: { ports: null } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect([merged.code, merged.json.spec, merged.json.metadata.generation]).toEqual([200, {}, 3]);
    const json = [{ op: 'add', path: '/spec/ports', value: [{ name: 'x' }] }];
    const patched = await http.send('PATCH', `${V1}/a`, json, {
      'content-type': 'application/json-patch+json',
    });
    expect(patched.json.spec.ports).toEqual([{ name: 'x' }]);
    const strategic = await http.send(
      'PATCH',
      `${V1}/a`,
      {},
      { 'content-type': 'application/strategic-merge-patch+json' },
    );
    expect([strategic.code, strategic.json.message]).toEqual([
      415,
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    ]);
  });

  it('may not repeat fields when it is applied', async () => {
    await establish(client, definition([version('v1', size)]));
    const yaml =
      'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec:\n  color: red\n  color: blue\n';
    const apply = async (body: string, validation: string) =>
      await http.send('PATCH', `${V1}/a?fieldManager=one&fieldValidation=${validation}`, body, {
        'content-type': 'application/apply-patch+yaml',
      });
    const strict = await apply(yaml, 'Strict');
    expect([strict.code, strict.json.message]).toEqual([
      400,
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "color" already set in map',
    ]);
    const warned = await apply(yaml, 'Warn');
    expect([warned.code, warned.json.spec.color]).toEqual([201, 'blue']);
    expect(warned.headers['warning']).toBe('299 - "line 6: key \\"color\\" already set in map"');
  });

  it('has a status of its own where its definition says so', async () => {
    const schema = object({
      spec: object({ size: { type: 'integer' } }),
      status: object({ phase: { type: 'string' } }),
    });
    const subresources = { status: {} };
    await establish(client, definition([version('v1', schema, { subresources })]));
    const made = await http.send('POST', V1, widget('a', { spec: { size: 1 }, status: { phase: 'x' } }));
    expect(made.json.status).toBeUndefined();
    const status = {
      ...made.json,
      metadata: { ...made.json.metadata, labels: { a: 'b' } },
      spec: { size: 2 },
      status: { phase: 'Ready' },
    };
    const written = await http.send('PUT', `${V1}/a/status`, status);
    expect(written.json).toMatchObject({
      spec: { size: 1 },
      status: { phase: 'Ready' },
      metadata: { generation: 1 },
    });
    expect(written.json.metadata.labels).toBeUndefined();
    const wrong = await http.send(
      'PATCH',
      `${V1}/a/status`,
      { status: { phase: 1 } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(wrong.json.details.causes[0]).toMatchObject({
      field: 'status.phase',
      reason: 'FieldValueTypeInvalid',
    });
    const spec = await http.send(
      'PATCH',
      `${V1}/a`,
      { spec: { size: 2 }, status: { phase: 'No' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(spec.json).toMatchObject({ status: { phase: 'Ready' }, metadata: { generation: 2 } });
  });

  it('can be scaled', async () => {
    const schema = object({
      spec: object({ replicas: { type: 'integer', maximum: 5 } }),
      status: object({ replicas: { type: 'integer' }, selector: { type: 'string' } }),
    });
    const scale = {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    };
    const subresources = { status: {}, scale };
    await establish(client, definition([version('v1', schema, { subresources })]));
    await http.send('POST', V1, widget('a', { spec: { replicas: 2 } }));
    await http.send(
      'PATCH',
      `${V1}/a/status`,
      { status: { replicas: 1, selector: 'app=a' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    const shown = await http.send('GET', `${V1}/a/scale`);
    expect(shown.json).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 2 },
      status: { replicas: 1, selector: 'app=a' },
    });
    const scaled = await http.send(
      'PATCH',
      `${V1}/a/scale`,
      { spec: { replicas: 4 } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(scaled.json.spec.replicas).toBe(4);
    expect((await http.send('GET', `${V1}/a`)).json).toMatchObject({
      spec: { replicas: 4 },
      metadata: { generation: 2 },
    });
    const tooMany = await http.send(
      'PATCH',
      `${V1}/a/scale`,
      { spec: { replicas: 6 } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect([tooMany.code, tooMany.json.message]).toEqual([
      422,
      'Widget.example.com "a" is invalid: spec.replicas: Invalid value: 6: spec.replicas in body should be less than or equal to 5',
    ]);
    await http.send('POST', V1, widget('b'));
    const none = await http.send('GET', `${V1}/b/scale`);
    expect([none.code, none.json.message]).toEqual([
      500,
      'Internal error occurred: the spec replicas field ".spec.replicas" does not exist',
    ]);
    expect(
      (
        await http.send(
          'PATCH',
          `${V1}/b/scale`,
          { spec: { replicas: 1 } },
          { 'content-type': 'application/merge-patch+json' },
        )
      ).code,
    ).toBe(200);
  });

  it('is printed in the columns of its definition', async () => {
    const additionalPrinterColumns = [
      { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
      { name: 'Color', type: 'string', jsonPath: '.spec.color', priority: 1, description: 'Its color' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ];
    await establish(client, definition([version('v1', size, { additionalPrinterColumns })]));
    await http.send('POST', V1, widget('a', { spec: { size: 2, color: 'red' } }));
    await http.send('POST', V1, widget('b'));
    const { json } = await http.send('GET', V1, undefined, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });
    expect(json.columnDefinitions).toMatchObject([
      { name: 'Name', type: 'string', format: 'name' },
      {
        name: 'Size',
        type: 'integer',
        priority: 0,
        description: 'Custom resource definition column (in JSONPath format): .spec.size',
      },
      { name: 'Color', type: 'string', priority: 1, description: 'Its color' },
      { name: 'Age', type: 'date' },
    ]);
    expect(json.rows.map(({ cells }: { cells: unknown[] }) => cells.slice(0, 3))).toEqual([
      ['a', 2, 'red'],
      ['b', null, null],
    ]);
  });

  it('is selected by the fields its definition names', async () => {
    const selectableFields = [{ jsonPath: '.spec.color' }];
    await establish(client, definition([version('v1', size, { selectableFields })]));
    await http.send('POST', V1, widget('a', { spec: { color: 'red' } }));
    await http.send('POST', V1, widget('b', { spec: { color: 'blue' } }));
    const list = await http.send('GET', `${V1}?fieldSelector=spec.color%3Dblue`);
    expect(list.json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual([
      'b',
    ]);
    const other = await http.send('GET', `${V1}?fieldSelector=spec.size%3D1`);
    expect([other.code, other.json.message]).toEqual([400, 'field label not supported: spec.size']);
  });

  it('may keep what a newer schema would refuse, as long as it leaves it alone', async () => {
    const created = await establish(client, definition([version('v1', size)]));
    await http.send('POST', V1, widget('a', { spec: { size: 2, color: 'red' } }));
    const stricter = object({
      spec: object({ size: { type: 'integer', minimum: 10 }, color: { type: 'string' } }),
    });
    await client.patch(
      customResourceDefinitions,
      { name: created.metadata.name ?? '' },
      { type: 'merge', body: { spec: { versions: [version('v1', stricter)] } } },
    );
    const merge = { 'content-type': 'application/merge-patch+json' };
    expect((await http.send('PATCH', `${V1}/a`, { spec: { color: 'blue' } }, merge)).code).toBe(200);
    const touched = await http.send('PATCH', `${V1}/a`, { spec: { size: 3 } }, merge);
    expect([touched.code, touched.json.details.causes[0].field]).toEqual([422, 'spec.size']);
  });

  it('keeps the rules of its schema', async () => {
    const rules = [
      { rule: 'self.size <= self.most', message: 'size must not be above most', fieldPath: '.size' },
      { rule: 'self.most >= oldSelf.most', message: 'most only grows' },
    ];
    const numbers = { size: { type: 'integer' }, most: { type: 'integer' } };
    const spec = object(numbers, { 'x-kubernetes-validations': rules });
    await establish(client, definition([version('v1', object({ spec }))]));
    const refused = await http.send('POST', V1, widget('one', { spec: { size: 3, most: 2 } }));
    expect([refused.code, refused.json.message]).toEqual([
      422,
      'Widget.example.com "one" is invalid: spec.size: Invalid value: size must not be above most',
    ]);
    expect((await http.send('POST', V1, widget('one', { spec: { size: 1, most: 5 } }))).code).toBe(201);
    const merge = { 'content-type': 'application/merge-patch+json' };
    const shrunk = await http.send('PATCH', `${V1}/one`, { spec: { most: 4 } }, merge);
    expect(shrunk.json.message).toBe(
      'Widget.example.com "one" is invalid: spec: Invalid value: most only grows',
    );
    const broken = await client
      .create(
        customResourceDefinitions,
        definition([version('v1', object({}, { 'x-kubernetes-validations': [{ rule: 'self.size' }] }))], {
          names: { plural: 'gadgets', kind: 'Gadget' },
        }),
      )
      .catch((error: Error) => error.message);
    expect(broken).toContain("compilation failed: ERROR: <input>:1:5: undefined field 'size'");
  });
});

describe('a changed definition', () => {
  const change = async (created: CustomResourceDefinition, spec: object) =>
    await client.patch(
      customResourceDefinitions,
      { name: created.metadata.name ?? '' },
      { type: 'merge', body: { spec } },
    );

  it('shows stored objects as its schema wants them now', async () => {
    const created = await establish(
      client,
      definition([version('v1', object({ a: { type: 'string' }, b: { type: 'string' } }))]),
    );
    await http.send('POST', V1, widget('x', { a: '1', b: '2' }));
    const other = object({ a: { type: 'string' }, c: { type: 'string', default: 'new' } });
    await change(created, { versions: [version('v1', other)] });
    const shown = await http.send('GET', `${V1}/x`);
    expect(shown.json).toMatchObject({ a: '1', c: 'new' });
    expect(shown.json.b).toBeUndefined();
    const list = await http.send('GET', V1);
    expect(list.json.items[0]).toEqual(shown.json);
    const events = await http.watch(`${V1}?watch=true&resourceVersion=0`, 1);
    expect(events[0]?.object).toEqual(shown.json);
    // What is stored did not change, and shows again when the schema allows it.
    await change(created, { versions: created.spec.versions });
    const again = await http.send('GET', `${V1}/x`);
    expect([again.json.b, again.json.c]).toEqual(['2', undefined]);
  });

  it('does so for what a server finds on its disk', async () => {
    const datastore = createMemoryDatastore();
    const before = await startTestHttp({ datastore });
    const first = before.server.client(ADMIN);
    const created = await establish(first, definition([version('v1', object({ a: { type: 'string' } }))]));
    await first.create(resourceOf(created), widget('x', { a: '1' }));
    const other = object({ c: { type: 'string', default: 'new' } });
    await first.patch(
      customResourceDefinitions,
      { name: created.metadata.name ?? '' },
      { type: 'merge', body: { spec: { versions: [version('v1', other)] } } },
    );
    await before.stop();
    const after = await startTestHttp({ datastore });
    try {
      const { json } = await after.send('GET', `${V1}/x`);
      expect([json.a, json.c]).toEqual([undefined, 'new']);
    } finally {
      await after.stop();
    }
  });

  it('ends watches, which come back to the new form', async () => {
    const created = await establish(client, definition([version('v1', size)]));
    const widgets = resourceOf(created);
    const made = await client.create(widgets, widget('a'));
    const { resourceVersion = '' } = made.metadata;
    const end = new AbortController();
    const watching = (async () => {
      for await (const event of client.watch(widgets, { resourceVersion, signal: end.signal }))
        throw new Error(event.type);
    })();
    await change(created, { versions: [version('v1', object({ more: { type: 'string' } }))] });
    await watching;
    await client.create(widgets, widget('b', { more: 'x' }));
    for await (const event of client.watch(widgets, { resourceVersion, signal: end.signal })) {
      expect(event).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'b' }, more: 'x' } });
      break;
    }
  });

  it('serves each object in each of its versions', async () => {
    const v1 = version('v1', size, { storage: false, deprecated: true });
    const created = await establish(client, definition([v1, version('v2', size)]));
    const made = await http.send('POST', V1, widget('a', { spec: { size: 1 } }));
    expect(made.json.apiVersion).toBe('example.com/v1');
    expect(made.headers['warning']).toBe(
      '299 - "example.com/v1 Widget is deprecated; use example.com/v2 Widget"',
    );
    const v2 = V1.replace('/v1/', '/v2/');
    expect((await http.send('GET', `${v2}/a`)).json).toEqual({ ...made.json, apiVersion: 'example.com/v2' });
    expect((await http.send('GET', V1)).json).toMatchObject({
      apiVersion: 'example.com/v1',
      items: [{ apiVersion: 'example.com/v1' }],
    });
    const events = await http.watch(`${V1}?watch=true&resourceVersion=0`, 1);
    expect(events[0]?.object).toEqual(made.json);
    const updated = await http.send('PUT', `${v2}/a`, {
      ...made.json,
      apiVersion: 'example.com/v2',
      spec: { size: 2 },
    });
    expect(
      updated.json.metadata.managedFields.map(({ apiVersion }: { apiVersion: string }) => apiVersion),
    ).toEqual(['example.com/v1', 'example.com/v2']);
    // The other version becomes the one that is stored; both stay readable.
    await change(created, { versions: [{ ...v1, storage: true }, version('v2', size, { storage: false })] });
    expect((await http.send('GET', `${V1}/a`)).json).toMatchObject({
      apiVersion: 'example.com/v1',
      spec: { size: 2 },
    });
    expect((await http.send('GET', `${v2}/a`)).json).toMatchObject({ apiVersion: 'example.com/v2' });
    const now = await client.get(customResourceDefinitions, { name: created.metadata.name ?? '' });
    expect(now.status?.storedVersions).toEqual(['v2', 'v1']);
    const dropped = { versions: [{ ...v1, storage: true }] };
    await expect(change(created, dropped)).rejects.toMatchObject({
      code: 422,
      message: expect.stringContaining(
        'status.storedVersions[0]: Invalid value: "v2": missing from spec.versions; v2 was previously a storage version',
      ),
    });
    await change(created, {
      versions: [{ ...v1, storage: true }, version('v2', size, { storage: false, served: false })],
    });
    expect((await http.send('GET', `${v2}/a`)).code).toBe(404);
  });

  it('stores an object in its storage version when somebody writes it, although nothing changes', async () => {
    const versions = (stored: 'v1' | 'v2') => [
      version('v1', object({ a: { type: 'string' } }), { storage: stored === 'v1' }),
      version('v2', object({ a: { type: 'string' } }), { storage: stored === 'v2' }),
    ];
    const created = await establish(client, definition(versions('v1')));
    const made = await http.send('POST', V1, widget('a', { a: '1' }));
    const touch = async () => {
      const { json } = await http.send('GET', `${V1}/a`);
      return (await http.send('PUT', `${V1}/a`, json)).json.metadata.resourceVersion;
    };
    expect(await touch()).toBe(made.json.metadata.resourceVersion);
    await change(created, { versions: versions('v2') });
    const written = await touch();
    expect(written).not.toBe(made.json.metadata.resourceVersion);
    expect(await touch()).toBe(written);
  });

  it('publishes what it says now', async () => {
    const created = await establish(client, definition([version('v1', size)]));
    const hashOf = async (): Promise<string> =>
      (await http.send('GET', '/openapi/v3')).json.paths['apis/example.com/v1'].serverRelativeURL;
    const before = await hashOf();
    const { json } = await http.send('GET', before);
    expect(json.components.schemas['com.example.v1.Widget']).toMatchObject({
      type: 'object',
      properties: {
        spec: { properties: { size: { type: 'integer', minimum: 1 } } },
        apiVersion: { type: 'string' },
      },
      'x-kubernetes-group-version-kind': [{ group: 'example.com', version: 'v1', kind: 'Widget' }],
    });
    expect(json.components.schemas['com.example.v1.WidgetList'].required).toEqual(['items']);
    await change(created, { versions: [version('v1', object({ other: { type: 'string' } }))] });
    const after = await hashOf();
    expect(after).not.toBe(before);
    expect((await http.send('GET', before)).code).toBe(301);
    const v2 = await http.send('GET', '/openapi/v2');
    expect(v2.json.definitions['com.example.v1.Widget'].properties.other).toEqual({ type: 'string' });
  });
});
