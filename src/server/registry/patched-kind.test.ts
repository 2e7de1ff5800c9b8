import { afterEach, beforeEach, expect, it } from 'vitest';
import { customResourceDefinitions } from '../../api/resources.gen.ts';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';

const MAP = '/api/v1/namespaces/default/configmaps/a';

let http: TestHttp;
beforeEach(async () => {
  http = await startTestHttp();
  await http.send('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'a' } });
});
afterEach(() => http.stop());

const merge = (path: string, body: object, type = 'merge-patch') =>
  http.send('PATCH', path, body, { 'content-type': `application/${type}+json` });

it.each([
  [{ kind: 'Secret' }, 'converting (v1.Secret) to (core.ConfigMap): unknown conversion'],
  [{ kind: 'Foo' }, 'no kind "Foo" is registered for version "v1" in scheme "kedge"'],
  [{ apiVersion: 'v7' }, 'no kind "ConfigMap" is registered for version "v7" in scheme "kedge"'],
  [{ apiVersion: 'a/b/c' }, 'unexpected GroupVersion string: a/b/c'],
])('a merge patch makes no other kind of an object: %j', async (body, why) => {
  const refused = await merge(MAP, body);
  expect(refused).toMatchObject({ code: 422, json: { reason: 'Invalid' } });
  expect(refused.json.message).toMatch(/^ "" is invalid: patch: Invalid value: "\{/);
  expect(refused.json.message.endsWith(`: ${why}`)).toBe(true);
});

it('a JSON patch does no more', async () => {
  const operations = [{ op: 'replace', path: '/kind', value: 'Secret' }];
  expect((await merge(MAP, operations, 'json-patch')).code).toBe(422);
});

it('what does not say its kind keeps it, and a strategic merge patch does not look', async () => {
  expect((await merge(MAP, { kind: null, apiVersion: null, data: { a: '1' } })).json).toMatchObject({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    data: { a: '1' },
  });
  expect((await merge(MAP, { kind: 'Secret' }, 'strategic-merge-patch')).json.kind).toBe('ConfigMap');
});

it('custom resources say so as their validation does', async () => {
  const schema = { openAPIV3Schema: { type: 'object' } };
  await http.server.client({ name: 'tester', groups: [] }, 'test').create(customResourceDefinitions, {
    metadata: { name: 'pandas.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Cluster',
      names: { plural: 'pandas', kind: 'Panda' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  });
  const pandas = '/apis/example.com/v1/pandas';
  const panda = { apiVersion: 'example.com/v1', kind: 'Panda', metadata: { name: 'a' } };
  await expect.poll(async () => (await http.send('POST', pandas, panda)).code).toBe(201);
  expect((await merge(`${pandas}/a`, { kind: 'Bear', apiVersion: 'example.com/v2' })).json).toMatchObject({
    code: 422,
    message:
      'Bear.example.com "a" is invalid: [kind: Invalid value: "Bear": must be Panda, apiVersion: Invalid value: "example.com/v2": must be example.com/v1]',
  });
  expect((await merge(`${pandas}/a`, { kind: null })).json.message).toContain(
    `Object 'Kind' is missing in '{`,
  );
});
