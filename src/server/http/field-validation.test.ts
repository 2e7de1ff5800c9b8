import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestHttp, type TestAnswer, type TestHttp } from './test-http.fake.ts';

let http: TestHttp;
beforeAll(async () => {
  http = await startTestHttp();
});
afterAll(() => http.stop());

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const WEB = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
  },
};

beforeEach(async () => {
  await http.send('DELETE', `${DEPLOYMENTS}/web`, { propagationPolicy: 'Background' });
  expect((await http.send('POST', DEPLOYMENTS, WEB)).code).toBe(201);
});

type Validation = 'Strict' | 'Warn' | 'Ignore' | '';
const patch = async (type: string, body: string, validation: Validation): Promise<TestAnswer> =>
  await http.send('PATCH', `${DEPLOYMENTS}/web?fieldManager=x&fieldValidation=${validation}`, body, {
    'content-type': `application/${type}`,
  });
const warnings = ({ headers }: TestAnswer): unknown => [headers['warning'] ?? []].flat().join(', ');

describe('the text of a patch', () => {
  const TWICE = '{"spec":{"replicas":2,"replicas":3,"foo":1}}';
  const OPERATIONS =
    '[{"op":"replace","path":"/spec/replicas","path":"/spec/replicas","value":3,"why":"x"},{"op":"add","path":"/spec/foo","value":1}]';
  it.each([
    ['merge-patch+json', TWICE, 'duplicate field "spec.replicas", unknown field "spec.foo"'],
    ['strategic-merge-patch+json', TWICE, 'duplicate field "spec.replicas", unknown field "spec.foo"'],
    [
      'json-patch+json',
      OPERATIONS,
      'json patch duplicate field "[0].path", json patch unknown field "[0].why", unknown field "spec.foo"',
    ],
  ])('%s is held to what it says', async (type, body, problems) => {
    const strict = await patch(type, body, 'Strict');
    expect(strict).toMatchObject({ code: 422, json: { reason: 'Invalid' } });
    expect(strict.json.details.causes).toMatchObject([{ reason: 'FieldValueInvalid', field: 'patch' }]);
    expect(strict.json.message).toMatch(/^ "" is invalid: patch: Invalid value: "/);
    expect(strict.json.message.endsWith(`: strict decoding error: ${problems}`)).toBe(true);
    expect((await http.send('GET', `${DEPLOYMENTS}/web`)).json.spec.replicas).toBe(1);

    const header = problems
      .split(', ')
      .map((text) => `299 - "${text.replaceAll('"', '\\"')}"`)
      .join(', ');
    for (const validation of ['Warn', ''] as const) {
      const warned = await patch(type, body, validation);
      expect([warned.code, warned.json.spec.replicas, warnings(warned)]).toEqual([200, 3, header]);
    }
    const ignored = await patch(type, body, 'Ignore');
    expect([ignored.code, ignored.json.spec.replicas, warnings(ignored)]).toEqual([200, 3, '']);
  });

  it('is shown as it was sent, or what it made', async () => {
    const body = '{"spec":{"replicas":2,"foo":{"b":[1,null],"a":"x"}}}';
    const strategic = await patch('strategic-merge-patch+json', body, 'Strict');
    expect(strategic.json.message).toContain(
      '"map[spec:map[foo:map[a:x b:[1 <nil>]] replicas:2]]": strict decoding error: unknown field "spec.foo"',
    );
    const merged = await patch('merge-patch+json', body, 'Strict');
    const shown = JSON.parse(
      /Invalid value: ("(?:[^"\\]|\\.)*"): strict/.exec(merged.json.message)?.[1] ?? '',
    ) as string;
    expect(JSON.parse(shown)).toMatchObject({ kind: 'Deployment', spec: { replicas: 2, foo: { a: 'x' } } });
  });

  it('that makes nothing of the type is a 422, too, however it is validated', async () => {
    const answer = await patch('merge-patch+json', '{"spec":{"replicas":"many"}}', 'Ignore');
    expect(answer).toMatchObject({ code: 422, json: { reason: 'Invalid' } });
    expect(answer.json.message).toContain('cannot unmarshal string into Go struct field');
  });

  it.each([
    ['{"metadata":{"labels":"x"}}', 'cannot restore map from string'],
    ['{"spec":{"template":[1]}}', 'cannot restore struct from: slice'],
    ['{"spec":{"template":{"spec":{"tolerations":{}}}}}', 'cannot restore slice from map'],
    ['{"spec":{"replicas":"many"}}', 'unrecognized type: int32'],
    ['{"spec":{"replicas":1.5}}', 'cannot convert float64 to int32'],
    ['{"spec":{"paused":1}}', 'unrecognized type: bool'],
    ['{"metadata":{"labels":{"a":1}}}', 'cannot convert int64 to string'],
    ['{"metadata":{"labels":{"a":true}}}', 'unrecognized type: string'],
  ])('after the strategic merge patch %s says: %s', async (body, why) => {
    const answer = await patch('strategic-merge-patch+json', body, 'Ignore');
    expect([answer.code, answer.json.reason]).toEqual([422, 'Invalid']);
    expect(answer.json.message.endsWith(`": ${why}`) ? why : answer.json.message).toBe(why);
  });

  it('counts for views of an object, too', async () => {
    const scale = async (validation: Validation): Promise<TestAnswer> =>
      await http.send(
        'PATCH',
        `${DEPLOYMENTS}/web/scale?fieldValidation=${validation}`,
        '{"spec":{"replicas":2,"replicas":4}}',
        { 'content-type': 'application/merge-patch+json' },
      );
    expect((await scale('Strict')).json.message).toContain('duplicate field "spec.replicas"');
    expect((await scale('Warn')).json.spec.replicas).toBe(4);
  });
});

describe('an applied configuration', () => {
  const applied = (extra: string): string =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default}\nspec:\n  paused: true\n${extra}`;

  it('may not repeat what it says', async () => {
    const body = applied('  paused: true\n  minReadySeconds: 1\n  minReadySeconds: 2\n');
    const strict = await patch('apply-patch+yaml', body, 'Strict');
    expect([strict.code, strict.json.message]).toEqual([
      400,
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "paused" already set in map\n  line 8: key "minReadySeconds" already set in map',
    ]);
    const warned = await patch('apply-patch+yaml', body, 'Warn');
    expect([warned.code, warnings(warned)]).toEqual([
      200,
      '299 - "line 6: key \\"paused\\" already set in map", 299 - "line 8: key \\"minReadySeconds\\" already set in map"',
    ]);
    const ignored = await patch('apply-patch+yaml', body, 'Ignore');
    expect([ignored.code, warnings(ignored)]).toEqual([200, '']);
  });

  it('may not hold what nobody declared, however it is validated', async () => {
    for (const validation of ['Strict', 'Warn', 'Ignore'] as const) {
      const answer = await patch('apply-patch+yaml', applied('  foo: 1\n'), validation);
      expect([answer.code, answer.json.message]).toEqual([
        400,
        'failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema',
      ]);
    }
  });
});

describe('a whole object', () => {
  const yaml = `apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}
  replicas: 1
  replicas: 2
  foo: 1
`;
  const json = JSON.stringify(WEB).replace('"replicas":1', '"replicas":1,"replicas":2,"foo":1');

  it.each([
    ['POST', 'application/yaml', yaml, 'line 8: key "replicas" already set in map'],
    ['PUT', 'application/json', json, 'duplicate field "spec.replicas"'],
  ])('%s %s', async (method, type, body, repeated) => {
    const send = async (validation: Validation): Promise<TestAnswer> =>
      await http.send(
        method,
        `${method === 'PUT' ? `${DEPLOYMENTS}/web` : DEPLOYMENTS}?dryRun=All&fieldValidation=${validation}`,
        body,
        { 'content-type': type },
      );
    const strict = await send('Strict');
    expect(strict.code).toBe(400);
    expect(strict.json.message).toContain(
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ',
    );
    expect(strict.json.message).toContain(`${repeated}, unknown field "spec.foo"`);
    const header = [repeated, 'unknown field "spec.foo"'].map(
      (text) => `299 - "${text.replaceAll('"', '\\"')}"`,
    );
    for (const validation of ['Warn', ''] as const)
      expect(warnings(await send(validation))).toBe(header.join(', '));
    const ignored = await send('Ignore');
    expect([ignored.json.spec.replicas, warnings(ignored)]).toEqual([2, '']);
  });
});
