import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';
import { testTls } from '../http/test-tls.fake.ts';
import {
  type CustomObject,
  definition,
  establish,
  object,
  untilGone,
  version,
  widget,
} from './test-definitions.fake.ts';

interface Request {
  readonly uid: string;
  readonly desiredAPIVersion: string;
  readonly objects: CustomObject[];
}
type Answer = (request: Request) => object;

const path = (name: string): string => `/apis/example.com/${name}/namespaces/default/widgets`;
const V1 = path('v1');
const V2 = path('v2');

let http: TestHttp;
let client: Client;
let hook: Server;
let answer: Answer;
let asked: { apiVersion: string; count: number }[];
let made: CustomResourceDefinition;

/** `hostPort: "a:1"` is `host: "a"` and `port: "1"` from v2 on. */
function convert(from: CustomObject, apiVersion: string): CustomObject {
  const { hostPort, host, port, ...rest } = from;
  if (!apiVersion.endsWith('/v2')) return { ...rest, apiVersion, hostPort: `${host}:${port}` };
  const [first, second] = String(hostPort).split(':');
  return { ...rest, apiVersion, host: first, port: second };
}
const success: Answer = ({ uid, desiredAPIVersion, objects }) => ({
  uid,
  result: { status: 'Success' },
  convertedObjects: objects.map((one) => convert(one, desiredAPIVersion)),
});

beforeEach(async () => {
  asked = [];
  answer = success;
  const tls = testTls();
  hook = createServer({ cert: tls.cert, key: tls.key }, async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const {
      apiVersion,
      kind,
      request: review,
    } = JSON.parse(text) as {
      apiVersion: string;
      kind: string;
      request: Request;
    };
    asked.push({ apiVersion: review.desiredAPIVersion, count: review.objects.length });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ apiVersion, kind, response: answer(review) }));
  });
  await new Promise<void>((done) => hook.listen(0, '127.0.0.1', done));
  http = await startTestHttp();
  client = http.server.client({ name: 'admin', groups: ['system:masters'] });
  const { port } = hook.address() as AddressInfo;
  const text = { type: 'string' } as const;
  made = await establish(
    client,
    definition(
      [
        version('v1', object({ hostPort: text })),
        version('v2', object({ host: text, port: text, kept: { ...text, default: 'new' } }), {
          storage: false,
        }),
      ],
      {
        conversion: {
          strategy: 'Webhook',
          webhook: {
            conversionReviewVersions: ['v1'],
            clientConfig: {
              url: `https://localhost:${port}/convert`,
              caBundle: Buffer.from(tls.ca).toString('base64'),
            },
          },
        },
      },
    ),
  );
});
afterEach(async () => {
  await http.stop();
  await new Promise((done) => {
    hook.close(done);
    hook.closeAllConnections();
  });
});

const second = (name: string, more: Record<string, unknown>): CustomObject => ({
  ...widget(name, more),
  apiVersion: 'example.com/v2',
});

it('shows each object in the version asked for, and stores all in one', async () => {
  expect((await http.send('POST', V1, widget('a', { hostPort: 'one:1' }))).code).toBe(201);
  expect(asked).toEqual([]);
  const shown = await http.send('GET', `${V2}/a`);
  expect(shown.json).toMatchObject({ apiVersion: 'example.com/v2', host: 'one', port: '1', kept: 'new' });
  expect(shown.json.hostPort).toBeUndefined();
  expect((await http.send('POST', V2, second('b', { host: 'two', port: '2' }))).code).toBe(201);
  // Who was answered finds what he wrote, in every version.
  for (const [root, fields] of [
    [V1, ['hostPort']],
    [V2, ['host', 'port']],
  ] as const) {
    const { json } = await http.send('GET', root);
    expect(json.items.map((one: CustomObject) => fields.map((field) => one[field]).join(':'))).toEqual([
      'one:1',
      'two:2',
    ]);
  }
  const merge = { 'content-type': 'application/merge-patch+json' };
  const patched = await http.send('PATCH', `${V2}/a`, { port: '3' }, merge);
  expect([patched.code, patched.json.port]).toEqual([200, '3']);
  expect((await http.send('GET', `${V1}/a`)).json.hostPort).toBe('one:3');
  expect(patched.json.metadata.managedFields.map((one: { apiVersion: string }) => one.apiVersion)).toEqual([
    'example.com/v1',
    'example.com/v2',
  ]);
});

it('asks once for a list, and watches what others write', async () => {
  for (const name of ['a', 'b', 'c']) await http.send('POST', V1, widget(name, { hostPort: `${name}:1` }));
  const list = await http.send('GET', V2);
  expect(list.json.items).toHaveLength(3);
  expect(asked).toEqual([{ apiVersion: 'example.com/v2', count: 3 }]);
  const { resourceVersion } = list.json.metadata;
  const watching = http.watch(`${V2}?watch=true&resourceVersion=${resourceVersion}`, 3);
  await http.send('POST', V1, widget('d', { hostPort: 'd:1' }));
  await http.send('PUT', `${V2}/d`, {
    ...(await http.send('GET', `${V2}/d`)).json,
    port: '2',
  });
  await http.send('DELETE', `${V1}/d`);
  const events = await watching;
  expect(
    events.map(({ type, object: { apiVersion, host, port } }) => [type, apiVersion, host, port]),
  ).toEqual([
    ['ADDED', 'example.com/v2', 'd', '1'],
    ['MODIFIED', 'example.com/v2', 'd', '2'],
    ['DELETED', 'example.com/v2', 'd', '2'],
  ]);
});

it('says what the webhook did wrong, and goes on when it no longer does', async () => {
  await http.send('POST', V1, widget('a', { hostPort: 'one:1' }));
  const text = async (wrong: Answer): Promise<string> => {
    answer = wrong;
    const refused = await http.send('GET', `${V2}/a`);
    expect(refused.code).toBe(500);
    return refused.json.message;
  };
  const start = 'conversion webhook for example.com/v1, Kind=Widget';
  expect(await text(({ uid }) => ({ uid, result: { status: 'Failure', message: 'no idea' } }))).toBe(
    `${start} failed: no idea`,
  );
  expect(await text((review) => ({ ...success(review), uid: 'other' }))).toContain('expected response.uid=');
  expect(await text((review) => ({ ...success(review), convertedObjects: [] }))).toBe(
    `${start} returned 0 objects, expected 1`,
  );
  const renamed: Answer = (review) => ({
    ...success(review),
    convertedObjects: review.objects.map((one) => ({
      ...convert(one, review.desiredAPIVersion),
      metadata: { ...one.metadata, name: 'x' },
    })),
  });
  expect(await text(renamed)).toBe(
    `${start} returned invalid converted object at index 0: must have the same name: a != x`,
  );
  expect(await text((review) => ({ ...success(review), convertedObjects: review.objects }))).toContain(
    'invalid groupVersion (expected example.com/v2, received example.com/v1)',
  );
  // Objects are shown and written in the version in which they are stored, whatever the webhook does.
  expect((await http.send('GET', `${V1}/a`)).json.hostPort).toBe('one:1');
  answer = success;
  expect((await http.send('GET', `${V2}/a`)).json.host).toBe('one');
});

it('deletes objects with their definition although nobody converts them', async () => {
  await http.send('POST', V1, widget('a', { hostPort: 'one:1' }));
  answer = () => ({ result: { status: 'Failure' } });
  expect((await http.send('GET', V2)).code).toBe(500);
  const name = made.metadata.name ?? '';
  await http.send('DELETE', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`);
  await untilGone(client, name);
  expect((await http.send('GET', V1)).code).toBe(404);
});
