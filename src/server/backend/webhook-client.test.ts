import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { ApiError, apiError } from '../../api/status.ts';
import type { EndpointSlice, Pod, Service } from '../../api/types.gen.ts';
import type { PodRef } from '../../client/node-port.ts';
import { systemClock } from '../../lib/clock.ts';
import { testTls } from '../http/test-tls.fake.ts';
import { echoNode } from '../stream/echo-node.fake.ts';
import type { CachedObject, WatchCache } from '../watchcache/port.ts';
import { Dialer, type DialerOptions } from './dialer.ts';
import { BackendTransport } from './transport.ts';
import { createWebhookClient } from './webhook-client.ts';

const tls = testTls();
const caBundle = Buffer.from(tls.ca).toString('base64');
let server: Server;
let port: number;
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
const sockets = new Set<Socket>();
const seen: { url: string | undefined; host: string | undefined; body: string; socket: Socket }[] = [];

beforeAll(async () => {
  const { cert, key } = tls.servingCertificate('hook.tools.svc');
  server = createServer({ cert, key }, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    seen.push({ url: request.url, host: request.headers.host, body, socket: request.socket });
    answer(request, response, body);
  });
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => server.close());

const objects = new Map<string, KubeObject[]>();
const connected: PodRef[] = [];
function cacheOf({ resource }: { resource: string }): WatchCache {
  const all = (): CachedObject[] =>
    (objects.get(resource) ?? []).map(
      (object) =>
        ({
          namespace: object.metadata.namespace,
          name: object.metadata.name,
          labels: object.metadata.labels ?? {},
          object: () => object,
        }) as unknown as CachedObject,
    );
  return {
    get: (namespace: string, name: string) =>
      all().find((one) => one.namespace === namespace && one.name === name),
    list: ({ matches }: { matches?: (one: CachedObject) => boolean }) =>
      all().filter((one) => matches?.(one) ?? true),
  } as unknown as WatchCache;
}
const options: DialerOptions = {
  cacheOf,
  random: () => 0,
  refuses: () => undefined,
  connector: {
    async connect(node) {
      if (node !== 'far') throw apiError('ServiceUnavailable', `node ${node} is not connected`);
      return {
        ...echoNode({ sizes: [], requests: [] }),
        connectPod: async (pod) => {
          connected.push(pod);
          return connect({ port, host: '127.0.0.1' });
        },
      };
    },
  },
};
const dialer = new Dialer(options);

function serve(endpoint: Partial<NonNullable<EndpointSlice['endpoints']>[0]> = {}): void {
  const metadata = { name: 'hook', namespace: 'tools' };
  const service: Service = { metadata, spec: { ports: [{ name: 'web', port: 443 }] } };
  const slice: EndpointSlice = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], ...endpoint }],
    ports: [{ name: 'web', port }],
  };
  objects.set('services', [service]);
  objects.set('endpointslices', [slice]);
}

const service = { namespace: 'tools', name: 'hook', path: '/admit' };
let transport: BackendTransport;
beforeAll(() => {
  transport = new BackendTransport();
});
afterAll(() => transport.close());
beforeEach(() => {
  objects.clear();
  seen.length = 0;
  connected.length = 0;
  answer = (_, response) => response.end('{"kind":"Review"}');
  serve();
});
const call = (clientConfig: object = { service, caBundle }, timeoutMs = 5000, more: object = {}) =>
  createWebhookClient({ dialer, transport, clock: systemClock }).call({
    clientConfig,
    body: { question: 1 },
    timeoutMs,
    ...more,
  });

describe('calling a webhook', () => {
  it('asks a Service by its name and keeps the connection', async () => {
    expect(await call()).toEqual({ kind: 'Review' });
    expect(await call()).toEqual({ kind: 'Review' });
    expect(seen[0]).toMatchObject({
      url: '/admit?timeout=5s',
      host: 'hook.tools.svc:443',
      body: '{"question":1}',
    });
    expect(seen[1]?.socket).toBe(seen[0]?.socket);
    // Trust in another authority is another connection.
    await expect(call({ service, caBundle: Buffer.from(testTls().ca).toString('base64') })).rejects.toThrow(
      'Post "https://hook.tools.svc:443/admit?timeout=5s": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    );
  });

  it('asks again over a new connection when the one that was kept had gone', async () => {
    await call();
    answer = (_, response) => {
      answer = (_request, again) => again.end('{"kind":"Second"}');
      response.socket?.destroy();
    };
    expect(await call()).toEqual({ kind: 'Second' });
    expect(seen).toHaveLength(3);
  });

  it('asks an address, and by its name', async () => {
    const url = `https://127.0.0.1:${port}/deep/path`;
    expect(await call({ url, caBundle })).toEqual({ kind: 'Review' });
    expect(seen[0]).toMatchObject({ url: '/deep/path?timeout=5s', host: `127.0.0.1:${port}` });
    expect(await call({ url: `https://localhost:${port}`, caBundle })).toEqual({ kind: 'Review' });
    // Nobody here is known to the system's authorities.
    await expect(call({ url })).rejects.toThrow('certificate signed by unknown authority');
  });

  it('wants the certificate to be for the Service', async () => {
    objects.set('services', [
      {
        metadata: { name: 'other', namespace: 'tools' },
        spec: { ports: [{ name: 'web', port: 8443 }] },
      } as Service,
    ]);
    const slice = structuredClone(objects.get('endpointslices')?.[0]) as EndpointSlice;
    slice.metadata.labels = { 'kubernetes.io/service-name': 'other' };
    objects.set('endpointslices', [slice]);
    await expect(
      call({ service: { namespace: 'tools', name: 'other', port: 8443 }, caBundle }),
    ).rejects.toThrow(
      'Post "https://other.tools.svc:8443/?timeout=5s": tls: failed to verify certificate: x509: certificate is valid for localhost, hook.tools.svc, 127.0.0.1, not other.tools.svc',
    );
  });

  it('reaches pods through their node, and takes no pod for another', async () => {
    const metadata = { name: 'hook-1', namespace: 'tools', uid: 'u1' };
    const pod: Pod = {
      metadata,
      spec: { nodeName: 'far', containers: [] },
      status: { podIPs: [{ ip: '10.42.7.7' }] },
    };
    objects.set('pods', [pod]);
    const targetRef = { kind: 'Pod', name: 'hook-1', namespace: 'tools' };
    serve({ addresses: ['10.42.7.7'], targetRef });
    const apart = { service: { ...service, path: '/pod' }, caBundle: `${caBundle}\n` };
    expect(await call(apart)).toEqual({ kind: 'Review' });
    expect(connected).toEqual([{ name: 'hook-1', namespace: 'tools', uid: 'u1' }]);
    // A slice that claims an address for a pod which has another one: the address counts.
    serve({ targetRef });
    expect(await call({ ...apart, caBundle: `${caBundle}\n\n` })).toEqual({ kind: 'Review' });
    expect(connected).toHaveLength(1);
    pod.spec = { nodeName: 'lost', containers: [] };
    serve({ addresses: ['10.42.7.7'], targetRef });
    await expect(call({ ...apart, caBundle: `${caBundle}\n\n\n` })).rejects.toThrow(
      'Post "https://hook.tools.svc:443/pod?timeout=5s": node lost is not connected',
    );
  });

  it('goes nowhere that only this host reaches, whatever a slice says', async () => {
    const { refuses: _, ...plain } = options;
    const strict = new Dialer(plain);
    for (const address of [
      '127.0.0.1',
      '::1',
      '::ffff:127.0.0.1',
      '169.254.169.254',
      'fe80::1',
      '0.0.0.0',
      'localhost',
    ])
      await expect(strict.endpoint({ address, port }), address).rejects.toMatchObject({
        code: 503,
        message: expect.stringMatching(/^endpoint ".+" is not reached: Invalid value: /),
      });
    // A pod that has no such address does not help.
    serve({ targetRef: { kind: 'Pod', name: 'hook-1', namespace: 'tools' } });
    await expect(strict.service({ ...service, port: 443 })).rejects.toThrow(
      'may not be in the loopback range (127.0.0.0/8, ::1/128)',
    );
  });

  it('says what is missing', async () => {
    const fresh = { service, caBundle: `\n${caBundle}` };
    serve({ conditions: { ready: false } });
    await expect(call(fresh)).rejects.toThrow(': no endpoints available for service "hook"');
    await expect(call({ ...fresh, service: { ...service, port: 8080 } })).rejects.toThrow(
      ': no service port 8080 found for service "hook"',
    );
    objects.clear();
    await expect(call(fresh)).rejects.toThrow(': service "hook" not found');
    await expect(call({})).rejects.toThrow('webhook configuration must have either service or URL');
    await expect(call({ url: 'https://127.0.0.1:1', caBundle })).rejects.toThrow(
      'Post "https://127.0.0.1:1/?timeout=5s": dial tcp 127.0.0.1:1: connect: connection refused',
    );
  });

  it('waits no longer than it may, for the head or the body', async () => {
    answer = () => {};
    await expect(call(undefined, 100)).rejects.toThrow(
      'Post "https://hook.tools.svc:443/admit?timeout=1s": context deadline exceeded',
    );
    answer = (_, response) => response.write('{');
    await expect(call(undefined, 100)).rejects.toThrow(': context deadline exceeded');
    const signal = AbortSignal.abort(new Error('the client went away'));
    await expect(call(undefined, 1000, { signal })).rejects.toThrow(': the client went away');
    answer = (_, response) => response.end('{"kind":"Review"}');
    expect(await call()).toEqual({ kind: 'Review' });
  });

  it('takes refusals apart, and neither endless answers nor redirects', async () => {
    const refusal = async () => (await call().catch((error: unknown) => error)) as ApiError;
    answer = (_, response) => response.writeHead(500).end('it broke\n');
    expect(await refusal()).toMatchObject({
      message: 'an error on the server ("it broke") has prevented the request from succeeding',
      code: 500,
    });
    answer = (_, response) => response.writeHead(404).end('404 page not found\n');
    expect((await refusal()).message).toBe('the server could not find the requested resource');
    answer = (_, response) => response.writeHead(302, { location: '/else' }).end();
    expect((await refusal()).message).toContain('the server responded with the status code 302');
    answer = (_, response) =>
      response
        .writeHead(409)
        .end('{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","code":409}');
    expect(await refusal()).toBeInstanceOf(ApiError);
    expect(await refusal()).toMatchObject({ message: 'no', code: 409 });
    answer = (_, response) => response.end('no JSON');
    await expect(call()).rejects.toThrow("couldn't decode the answer");
    answer = (_, response) => {
      const piece = Buffer.alloc(1024 * 1024, 'x');
      for (let count = 0; count < 10; count++) response.write(piece);
      response.end();
    };
    await expect(call()).rejects.toThrow('the answer is larger than 8388608 bytes');
  });
});
