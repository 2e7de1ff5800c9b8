import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { customResourceDefinitions } from '../../api/resources.gen.ts';
import type { Client } from '../../client/port.ts';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';
import { definition, establish, object, untilDefinition, version, widget } from './test-definitions.fake.ts';

const V1 = '/apis/example.com/v1/namespaces/default/widgets';
const V2 = '/apis/example.com/v2/namespaces/default/widgets';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const ANYTHING = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as const;
const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };

let http: TestHttp;
let client: Client;
beforeEach(async () => {
  http = await startTestHttp();
  client = http.server.client({ name: 'admin', groups: ['system:masters'] });
});
afterEach(() => http.stop());

describe('the body of a custom resource', () => {
  beforeEach(() => establish(client, definition([version('v1', ANYTHING)])));

  it('says itself what it is: no type is known that it could be otherwise', async () => {
    const { json: nothing } = await http.send('POST', V1, {});
    expect(nothing).toMatchObject({
      reason: 'BadRequest',
      message: `the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '{}' ({})`,
    });
    const { json: noVersion } = await http.send('POST', V1, { kind: 'Widget', metadata: { name: 'a' } });
    expect(noVersion).toMatchObject({
      reason: 'BadRequest',
      message: 'the API version in the data () does not match the expected API version (example.com/v1)',
    });
    const { json: pod } = await http.send('POST', V1, { apiVersion: 'v1', kind: 'Pod' });
    expect(pod.message).toBe(
      'the API version in the data (v1) does not match the expected API version (example.com/v1)',
    );
  });

  it('of another kind is invalid, as its name would be', async () => {
    const { json } = await http.send('POST', V1, { ...widget('a'), kind: 'Gadget' });
    expect(json).toMatchObject({
      code: 422,
      message: 'Gadget.example.com "a" is invalid: kind: Invalid value: "Gadget": must be Widget',
      details: { causes: [{ reason: 'FieldValueInvalid', field: 'kind' }] },
    });
  });
});

describe('paths of custom resources', () => {
  it('that span namespaces are only read: upstream has no other there', async () => {
    await establish(client, definition([version('v1', ANYTHING)]));
    const everywhere = '/apis/example.com/v1/widgets';
    expect((await http.send('GET', everywhere)).code).toBe(200);
    expect((await http.send('POST', everywhere, widget('a'))).code).toBe(404);
    expect((await http.send('DELETE', everywhere)).code).toBe(404);
    expect((await http.send('POST', '/api/v1/pods', {})).code).toBe(405);
  });

  it('are told by discovery: the object, its status, its scale', async () => {
    await establish(
      client,
      definition([version('v1', ANYTHING, { subresources: { status: {}, scale: SCALE } })]),
    );
    const { json } = await http.send('GET', '/apis/example.com/v1');
    const names = json.resources.map(({ name }: { name: string }) => name);
    expect(names).toEqual(['widgets', 'widgets/status', 'widgets/scale']);
  });

  it('show selectable fields in both versions of OpenAPI', async () => {
    const schema = object({ spec: object({ color: { type: 'string' } }) });
    const selectableFields = [{ jsonPath: '.spec.color' }];
    await establish(client, definition([version('v1', schema, { selectableFields })]));
    const { json: v2 } = await http.send('GET', '/openapi/v2');
    const { json: v3 } = await http.send('GET', '/openapi/v3/apis/example.com/v1');
    for (const schemas of [v2.definitions, v3.components.schemas]) {
      const key = 'x-kubernetes-selectable-fields';
      expect(schemas['com.example.v1.Widget'][key]).toEqual([{ fieldPath: 'spec.color' }]);
      expect(schemas['com.example.v1.WidgetList']).not.toHaveProperty(key);
    }
  });
});

describe('a definition in a built-in group', () => {
  it('adds to its own versions, not to those that are built in', async () => {
    const group = 'networking.k8s.io';
    const wanted = definition([version('v1', ANYTHING), version('v2', ANYTHING, { storage: false })], {
      group,
    });
    wanted.metadata.annotations = { 'api-approved.kubernetes.io': 'unapproved, a test' };
    await establish(client, wanted);
    const { json } = await http.send('GET', `/apis/${group}/v1`);
    const names = json.resources.map(({ name }: { name: string }) => name);
    expect(names).toContain('networkpolicies');
    expect(names).not.toContain('widgets');
    const path = (of: string) => `/apis/${group}/${of}/namespaces/default/widgets`;
    expect((await http.send('GET', path('v1'))).code).toBe(404);
    expect((await http.send('GET', path('v2'))).json).toMatchObject({ kind: 'WidgetList', items: [] });
    expect((await http.send('GET', `/openapi/v3/apis/${group}/v1`)).text).not.toContain('Widget');
  });
});

describe('the scale of a custom resource', () => {
  beforeEach(async () => {
    await establish(
      client,
      definition([version('v1', ANYTHING, { subresources: { status: {}, scale: SCALE } })]),
    );
    await http.send('POST', V1, widget('a', { spec: { replicas: 1 } }));
  });

  it('is written without a version: it is no whole object', async () => {
    const scale = {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'a' },
      spec: { replicas: 4 },
    };
    const { code, json } = await http.send('PUT', `${V1}/a/scale`, scale);
    expect([code, json.spec]).toEqual([200, { replicas: 4 }]);
    const { json: stale } = await http.send('PUT', `${V1}/a/scale`, {
      ...scale,
      metadata: { name: 'a', resourceVersion: '1' },
    });
    expect(stale.reason).toBe('Conflict');
    const { json: negative } = await http.send('PUT', `${V1}/a/scale`, { ...scale, spec: { replicas: -1 } });
    expect(negative.message).toBe(
      'Widget.example.com "a" is invalid: .spec.replicas: Invalid value: -1: should be a non-negative integer',
    );
  });

  it('takes no strategic merge patch, like the resource itself', async () => {
    const headers = { 'content-type': 'application/strategic-merge-patch+json' };
    const { code, json } = await http.send('PATCH', `${V1}/a/scale`, { spec: { replicas: 2 } }, headers);
    expect(code).toBe(415);
    expect(json.message).toMatch(/merge-patch\+json, application\/apply-patch\+yaml$/);
  });
});

describe('defaults', () => {
  it('that a version got later reach the status through a write of the status, and nothing else', async () => {
    const part = (fallback?: string) =>
      object({
        a: { type: 'string', ...(fallback === undefined ? {} : { default: fallback }) },
        b: { type: 'string' },
      });
    const schema = (fallback?: string) => object({ spec: part(fallback), status: part(fallback) });
    const versions = (fallback?: string) => [
      version('v1', schema(), { subresources: { status: {} } }),
      version('v2', schema(fallback), { subresources: { status: {} }, storage: false }),
    ];
    const created = await establish(client, definition(versions()));
    const parts = { apiVersion: 'example.com/v2', spec: { b: 'x' }, status: { b: 'x' } };
    await http.send('POST', V2, widget('a', parts));
    const changed = { spec: { versions: versions('later') } };
    const type = { 'content-type': 'application/merge-patch+json' };
    const path = `${CRDS}/${created.metadata.name}`;
    const { json: accepted } = await http.send('PATCH', path, changed, type);
    await untilDefinition(client, accepted, ({ metadata }) => metadata.generation === 2);
    const { json: before } = await http.send('GET', `${V2}/a`);
    const { json } = await http.send('PUT', `${V2}/a/status`, { ...before, status: { b: 'y' } });
    expect(json).toMatchObject({
      metadata: { generation: 1 },
      spec: { b: 'x' },
      status: { a: 'later', b: 'y' },
    });
    expect(json.spec).not.toHaveProperty('a');
  });

  it('in metadata of embedded resources lose there what is no metadata', async () => {
    const meta = (more: object) => ({ type: 'object', ...more });
    const resource = (metadata: object) => ({
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: {
        apiVersion: { type: 'string', default: 'v1' },
        kind: { type: 'string', default: 'Pod' },
        metadata,
      },
    });
    const text = (fallback: string) => ({ type: 'string', default: fallback });
    const schema = object({
      fields: resource(meta({ properties: { name: text('a'), unknown: text('x') } })) as never,
      whole: resource(meta({ default: { name: 'a', unknown: 'x' } })) as never,
    });
    await establish(client, definition([version('v1', schema)]));
    const { json } = await http.send('POST', V1, widget('w', { fields: { metadata: {} }, whole: {} }));
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } };
    expect(json).toMatchObject({ fields: pod, whole: pod });
    expect(JSON.stringify([json.fields, json.whole])).not.toContain('unknown');
    expect((await http.send('GET', `${V1}/w`)).json).toEqual(json);
  });

  it('in metadata of embedded resources must be metadata', async () => {
    const schema = object({
      pod: {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        properties: { metadata: { type: 'object', default: { labels: { a: 'x y' } } } },
      } as never,
    });
    await expect(
      client.create(customResourceDefinitions, definition([version('v1', schema)])),
    ).rejects.toThrow(
      /properties\[metadata\]\.default: Invalid value: .*must result in valid metadata: metadata\.labels/,
    );
  });
});
