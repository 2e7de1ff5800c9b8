import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, request as secureRequest } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import * as resources from '../../api/resources.gen.ts';
import { apiError } from '../../api/status.ts';
import type { EndpointSlice, Pod } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import type { AdmissionAttributes } from '../admission/port.ts';
import type { ApiServer } from '../api-server.ts';
import type { Listener } from '../http/listener.ts';
import { testTls } from '../http/test-tls.fake.ts';
import { echoNode } from '../stream/echo-node.fake.ts';
import { startTestServer } from '../test-server.fake.ts';

const tls = testTls();
let backend: Server;
let secureBackend: Server;
let server: ApiServer;
let listener: Listener;
let client: Client;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let seen: {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}[];
let admitted: AdmissionAttributes[];
const dialled: string[] = [];

async function onRequest(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url, headers } = incoming;
  seen.push({ method, url, headers, body: await text(incoming) });
  answer(incoming, response);
}

beforeAll(async () => {
  backend = createServer((incoming, response) => void onRequest(incoming, response));
  secureBackend = createTlsServer(
    tls.servingCertificate(),
    (incoming, response) => void onRequest(incoming, response),
  );
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  backend.on('upgrade', (incoming, socket, head) => {
    seen.push({ method: incoming.method, url: incoming.url, headers: incoming.headers, body: '' });
    if (incoming.url === '/refuse') {
      socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\nX-Kind: pot\r\n\r\nshort');
      return;
    }
    sockets.handleUpgrade(incoming, socket, head, (web) =>
      web.on('message', (data) => web.send(`echo ${String(data)}`)),
    );
  });
  for (const one of [backend, secureBackend])
    await new Promise<void>((done) => one.listen(0, '127.0.0.1', done));
});
afterAll(() => {
  for (const one of [backend, secureBackend]) {
    one.closeAllConnections();
    one.close();
  }
});

const PODS = '/api/v1/namespaces/default/pods';
const SERVICES = '/api/v1/namespaces/default/services';

beforeEach(async () => {
  seen = [];
  admitted = [];
  dialled.length = 0;
  answer = (_, response) => response.end('hello');
  ({ server } = await startTestServer({
    admission: [{ name: 'Watch', validate: (attributes) => void admitted.push(attributes) }],
    connector: {
      connect: async (node) => {
        if (node !== 'board') throw apiError('ServiceUnavailable', `node ${node} is not connected`);
        return {
          ...echoNode({ sizes: [], requests: [] }),
          connectPod: async ({ name }, port) => {
            dialled.push(`${name}:${port}`);
            const { port: real } = (port === 443 ? secureBackend : backend).address() as AddressInfo;
            return connect({ port: real, host: '127.0.0.1' });
          },
        };
      },
    },
  }));
  client = server.client({ name: 'admin', groups: [] });
  listener = await server.listen({ port: 0, host: '127.0.0.1', tls });
  await makePod('web', 'board', '10.42.0.5');
});
afterEach(() => server.close());

async function makePod(name: string, nodeName: string, ip: string | undefined): Promise<void> {
  const pod: Pod = {
    metadata: { name, namespace: 'default' },
    spec: { nodeName, containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 8080 }] }] },
  };
  await client.create(resources.pods, pod);
  const status = ip === undefined ? {} : { podIPs: [{ ip }], podIP: ip };
  await client.patch(
    resources.pods,
    { name, namespace: 'default' },
    { type: 'merge', body: { status } },
    { subresource: 'status' },
  );
}

async function makeService(name: string, endpoints: EndpointSlice['endpoints']): Promise<void> {
  const metadata = { name, namespace: 'default' };
  await client.create(resources.services, {
    metadata,
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  await client.create(resources.endpointSlices, {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  });
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}
function ask(
  path: string,
  { method = 'GET', headers = {}, body }: Asked = {},
): Promise<{ code: number; headers: IncomingMessage['headers']; body: string; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = secureRequest(
      {
        port: listener.port,
        host: '127.0.0.1',
        path,
        method,
        headers: {
          authorization: 'Bearer admin',
          // Once with its length, once in chunks.
          ...(body === undefined
            ? {}
            : method === 'DELETE'
              ? { 'transfer-encoding': 'chunked' }
              : { 'content-length': body.length }),
          ...headers,
        },
        rejectUnauthorized: false,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({
            code: response.statusCode ?? 0,
            headers: response.headers,
            body: bytes.toString(),
            bytes,
          });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('the proxy to a pod', () => {
  it('passes requests on in every way they can be made', async () => {
    answer = (incoming, response) => {
      response.writeHead(incoming.method === 'DELETE' ? 202 : 200, {
        'x-kind': 'mine',
        'set-cookie': ['a=1', 'b=2'],
        'access-control-allow-origin': '*',
        connection: 'keep-alive, x-hop',
        'x-hop': 'gone',
      });
      response.end(`${incoming.method} done`);
    };
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const body = method === 'GET' ? undefined : `body of ${method}`;
      const got = await ask(`${PODS}/web:8080/proxy/a%20b//c/?q=1&q=2?3`, {
        method,
        ...(body ? { body } : {}),
      });
      expect(got.body).toBe(`${method} done`);
      expect(got.code).toBe(method === 'DELETE' ? 202 : 200);
      expect(got.headers).toMatchObject({ 'x-kind': 'mine', 'set-cookie': ['a=1', 'b=2'] });
      expect(got.headers).not.toHaveProperty('access-control-allow-origin');
      expect(got.headers).not.toHaveProperty('x-hop');
      expect(seen.pop()).toMatchObject({ method, url: '/a%20b/c/?q=1&q=2?3', body: body ?? '' });
    }
    expect((await ask(`${PODS}/web/proxy/x`, { method: 'HEAD' })).body).toBe('');
    expect(seen.pop()?.method).toBe('HEAD');
    expect((await ask(`${PODS}/web/proxy/x`, { method: 'TRACE' })).code).toBe(405);
    expect(new Set(dialled)).toEqual(new Set(['web:8080']));
  });

  it('says who asked, but not with what right', async () => {
    await ask(`${PODS}/web/proxy/page`, {
      headers: {
        'x-remote-user': 'me',
        'x-remote-extra-a': 'b',
        'impersonate-user': 'other',
        'x-forwarded-for': '192.0.2.9',
        'x-own': 'kept',
        host: 'board.example.org',
      },
    });
    const { headers } = seen[0]!;
    expect(headers).toMatchObject({
      'x-forwarded-for': '192.0.2.9, 127.0.0.1',
      'x-forwarded-uri': `${PODS}/web/proxy/page`,
      'x-own': 'kept',
      host: 'board.example.org',
    });
    for (const name of ['authorization', 'x-remote-user', 'x-remote-extra-a', 'impersonate-user'])
      expect(headers).not.toHaveProperty(name);
    expect(admitted.at(-1)).toMatchObject({
      operation: 'CONNECT',
      subresource: 'proxy',
      name: 'web',
      namespace: 'default',
      object: { kind: 'PodProxyOptions', path: '/page' },
      user: { name: 'other' },
    });
  });

  it('sends a client that asks for the root to where relative links work', async () => {
    const got = await ask(`${PODS}/web/proxy?a=b`);
    expect([got.code, got.headers.location]).toEqual([301, `${PODS}/web/proxy/?a=b`]);
    expect((await ask(`${PODS}/web/proxy/?a=b`)).body).toBe('hello');
    expect(seen[0]?.url).toBe('/?a=b');
  });

  it('has redirects and links lead through itself', async () => {
    answer = (_, response) => response.writeHead(302, { location: '/login?next=1' }).end();
    const redirect = await ask(`${PODS}/http:web:8080/proxy/x`);
    expect([redirect.code, redirect.headers.location]).toEqual([
      302,
      `${PODS}/http:web:8080/proxy/login?next=1`,
    ]);
    const html = '<a href="/x">';
    const linked = `<a href="${PODS}/web/proxy/x">`;
    answer = (_, response) =>
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
    expect((await ask(`${PODS}/web/proxy/p`)).body).toBe(linked);
    answer = (_, response) =>
      response
        .writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' })
        .end(gzipSync(html));
    expect(gunzipSync((await ask(`${PODS}/web/proxy/p`)).bytes).toString()).toBe(linked);
    answer = (_, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(html);
    expect((await ask(`${PODS}/web/proxy/p`)).body).toBe(html);
  });

  it('speaks TLS where asked, whoever signed', async () => {
    expect((await ask(`${PODS}/https:web:443/proxy/x`)).body).toBe('hello');
    expect(dialled).toEqual(['web:443']);
  });

  it('joins WebSockets', async () => {
    const url = `wss://127.0.0.1:${listener.port}${PODS}/web/proxy/socket?x=1`;
    const token = Buffer.from('admin').toString('base64url');
    const web = new WebSocket(url, [`base64url.bearer.authorization.k8s.io.${token}`, 'chat'], {
      rejectUnauthorized: false,
    });
    await new Promise((resolve, reject) => {
      web.once('open', resolve);
      web.once('error', reject);
    });
    expect(web.protocol).toBe('chat');
    web.send('one');
    expect(await new Promise((resolve) => web.once('message', (data) => resolve(String(data))))).toBe(
      'echo one',
    );
    web.close();
    await new Promise((resolve) => web.once('close', resolve));
    expect(seen[0]).toMatchObject({ url: '/socket?x=1', headers: { 'sec-websocket-protocol': 'chat' } });
    const refused = new WebSocket(url.replace('socket?x=1', 'refuse'), {
      headers: { authorization: 'Bearer admin' },
      rejectUnauthorized: false,
    });
    const response = await new Promise<IncomingMessage>((resolve) =>
      refused.once('unexpected-response', (_, incoming) => resolve(incoming)),
    );
    expect([response.statusCode, response.headers['x-kind'], await text(response)]).toEqual([
      418,
      'pot',
      'short',
    ]);
    refused.on('error', () => {});
    refused.terminate();
  });

  it('says what is wrong', async () => {
    const message = async (path: string): Promise<[number, string]> => {
      const { code, body } = await ask(path);
      return [code, (JSON.parse(body) as { message: string }).message];
    };
    expect(await message(`${PODS}/none/proxy/x`)).toEqual([404, 'pods "none" not found']);
    expect(await message(`${PODS}/a:b:c:d/proxy/x`)).toEqual([400, 'invalid pod request "a:b:c:d"']);
    expect(await message(`${PODS}/ftp:web:80/proxy/x`)).toEqual([400, 'invalid pod request "ftp:web:80"']);
    await makePod('new', 'board', undefined);
    await makePod('self', 'board', '127.0.0.1');
    await makePod('lost', 'gone', '10.42.9.9');
    expect(await message(`${PODS}/new/proxy/x`)).toEqual([400, 'address not allowed']);
    expect(await message(`${PODS}/self/proxy/x`)).toEqual([400, 'address not allowed']);
    expect(await message(`${PODS}/lost/proxy/x`)).toEqual([
      503,
      'error trying to reach service: node gone is not connected',
    ]);
    answer = (incoming) => incoming.socket.destroy();
    expect((await message(`${PODS}/web/proxy/x`))[0]).toBe(503);
  });

  it('ends with the client', async () => {
    const ended = new Promise<void>((resolve) => {
      answer = (incoming, response) => {
        response.write('begun');
        incoming.socket.once('close', () => resolve());
      };
    });
    const sent = secureRequest({
      port: listener.port,
      host: '127.0.0.1',
      path: `${PODS}/web/proxy/endless`,
      headers: { authorization: 'Bearer admin' },
      rejectUnauthorized: false,
      agent: false,
    });
    sent.on('error', () => {});
    sent.end();
    const response = await new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
    expect(await new Promise((resolve) => response.once('data', (data) => resolve(String(data))))).toBe(
      'begun',
    );
    sent.destroy();
    await ended;
  });
});

describe('the proxy to a Service', () => {
  const targetRef = { kind: 'Pod', name: 'web', namespace: 'default' };

  it('finds a ready pod by the port of the Service', async () => {
    await makeService('shop', [{ addresses: ['10.42.0.5'], targetRef }]);
    for (const id of ['shop:http', 'shop:80', 'http:shop:80']) {
      expect((await ask(`${SERVICES}/${id}/proxy/x`)).body).toBe('hello');
      expect(dialled.pop()).toBe('web:8080');
    }
    expect(admitted.at(-1)?.object).toMatchObject({ kind: 'ServiceProxyOptions' });
    const { code, body } = await ask(`${SERVICES}/shop:81/proxy/x`);
    expect([code, body]).toEqual([
      503,
      expect.stringContaining('no service port 81 found for service \\"shop\\"'),
    ]);
    expect((await ask(`${SERVICES}/none/proxy/x`)).code).toBe(404);
  });

  it('goes nowhere but to pods of the namespace', async () => {
    await makeService('manual', [{ addresses: ['192.0.2.1'] }]);
    await makeService('other', [
      { addresses: ['10.42.0.5'], targetRef: { ...targetRef, namespace: 'kube-system' } },
    ]);
    await makeService('forged', [{ addresses: ['192.0.2.1'], targetRef }]);
    await makeService('unready', [{ addresses: ['10.42.0.5'], targetRef, conditions: { ready: false } }]);
    for (const name of ['manual', 'other', 'forged', 'unready']) {
      const { code, body } = await ask(`${SERVICES}/${name}:80/proxy/x`);
      expect([code, body]).toEqual([503, expect.stringContaining('no endpoints available for service')]);
    }
    expect(dialled).toEqual([]);
  });
});

it('is there in discovery', async () => {
  const { body } = await ask('/api/v1');
  const list = (JSON.parse(body) as { resources: { name: string }[] }).resources;
  expect(list.find(({ name }) => name === 'pods/proxy')).toEqual({
    name: 'pods/proxy',
    singularName: '',
    namespaced: true,
    kind: 'PodProxyOptions',
    verbs: ['create', 'delete', 'get', 'patch', 'update'],
  });
  expect(list.find(({ name }) => name === 'services/proxy')).toMatchObject({ kind: 'ServiceProxyOptions' });
});
