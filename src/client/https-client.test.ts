import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../api/resources.gen.ts';
import { isGone, isNotFound, notFound } from '../api/status.ts';
import { createHttpsClient, type HttpsClient } from './https-client.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import { splitLines } from './watch-lines.ts';

describe('HTTPS client', () => {
  let server: Server;
  let client: HttpsClient;
  let origin: string;
  let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  const requests: { method: string | undefined; url: string | undefined; body: string; headers: object }[] =
    [];
  beforeEach(async () => {
    requests.length = 0;
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString();
      requests.push({ method: request.method, url: request.url, body, headers: request.headers });
      answer(request, response, body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = createHttpsClient({ server: origin, token: () => 'secret', requestTimeoutMs: 2000 });
    answer = (_, response) => response.end('{"metadata":{"name":"x"}}');
  });
  afterEach(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('asks for the paths Kubernetes serves', async () => {
    const ref = { namespace: 'shop', name: 'web' };
    await client.get(resources.pods, ref);
    await client.get(resources.nodes, { name: 'board' });
    await client.list(resources.deployments, { labelSelector: 'a in (b,c)', limit: 5 });
    await client.update(resources.deployments, { metadata: ref }, { subresource: 'status', dryRun: true });
    await client.patch(resources.pods, ref, { type: 'apply', body: {}, force: true }, { fieldManager: 'me' });
    await client.createSubresource(resources.pods, ref, 'eviction', { kind: 'Eviction' });
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /api/v1/namespaces/shop/pods/web',
      'GET /api/v1/nodes/board',
      'GET /apis/apps/v1/deployments?labelSelector=a+in+%28b%2Cc%29&limit=5',
      'PUT /apis/apps/v1/namespaces/shop/deployments/web/status?dryRun=All',
      'PATCH /api/v1/namespaces/shop/pods/web?fieldManager=me&force=true',
      'POST /api/v1/namespaces/shop/pods/web/eviction',
    ]);
    expect(requests[0]?.headers).toMatchObject({ authorization: 'Bearer secret' });
    expect(requests[4]?.headers).toMatchObject({ 'content-type': 'application/apply-patch+yaml' });
    expect(JSON.parse(requests[3]?.body ?? '')).toMatchObject({ apiVersion: 'apps/v1', kind: 'Deployment' });
  });

  it('turns a Status into an ApiError', async () => {
    answer = (_, response) => {
      response.statusCode = 404;
      response.end(JSON.stringify(notFound(resources.pods, 'web').status));
    };
    const failed = client.get(resources.pods, { namespace: 'shop', name: 'web' });
    await expect(failed).rejects.toSatisfy(isNotFound);
    await expect(failed).rejects.toThrow('pods "web" not found');
  });

  it('makes a Status of an answer that has none', async () => {
    answer = (_, response) => {
      response.statusCode = 503;
      response.end('<html>');
    };
    const failed = client.get(resources.nodes, { name: 'x' });
    await expect(failed).rejects.toMatchObject({ code: 503, reason: 'ServiceUnavailable' });
  });

  it('says what could not be reached', async () => {
    const nowhere = createHttpsClient({ server: 'http://127.0.0.1:1' });
    await expect(nowhere.list(resources.pods)).rejects.toMatchObject({
      code: 503,
      message: expect.stringMatching(/\/api\/v1\/pods failed: .*ECONNREFUSED/),
    });
    await nowhere.close();
  });

  it('streams a watch, whatever the chunks, until it breaks', async () => {
    const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`;
    answer = (_, response) => {
      const text =
        line('ADDED', { metadata: { name: 'é' } }) +
        line('BOOKMARK', { metadata: { resourceVersion: '7' } }) +
        line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
      const bytes = Buffer.from(text);
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    };
    const seen: unknown[] = [];
    const watch = client.watch(resources.pods, {
      resourceVersion: '5',
      signal: new AbortController().signal,
    });
    const failed = (async () => {
      for await (const event of watch) seen.push(event);
    })();
    await expect(failed).rejects.toSatisfy(isGone);
    expect(seen).toEqual([
      { type: 'ADDED', object: { metadata: { name: 'é' } } },
      { type: 'BOOKMARK', resourceVersion: '7' },
    ]);
    expect(requests[0]?.url).toBe('/api/v1/pods?resourceVersion=5&watch=true&allowWatchBookmarks=true');
  });

  it('ends a watch quietly on abort and frees its connection', async () => {
    let closed = (): void => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    answer = (_, response) => {
      response.on('close', closed);
      response.write('{"type":"ADDED","object":{"metadata":{}}}\n');
    };
    const abort = new AbortController();
    for await (const _ of client.watch(resources.pods, { resourceVersion: '1', signal: abort.signal }))
      setTimeout(() => abort.abort(), 1);
    await gone;
  });

  it('drops what hangs when it is told to connect anew, and does not blame the server', async () => {
    const contacts: string[] = [];
    const own = createHttpsClient({ server: origin, onContact: (_, { type }) => void contacts.push(type) });
    try {
      const asked = new Promise<void>((resolve) => {
        // Never answers.
        answer = () => resolve();
      });
      const hanging = own.get(resources.pods, { namespace: 'default', name: 'p' });
      hanging.catch(() => {});
      await asked;
      own.reconnect();
      await expect(hanging).rejects.toMatchObject({ code: 503 });
      answer = (_, response) => void response.end('{}');
      await own.get(resources.pods, { namespace: 'default', name: 'p' });
      expect(contacts).toEqual(['answered']);
    } finally {
      await own.close();
    }
  });

  it('connects as a kubeconfig says', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
    try {
      const path = join(folder, 'config');
      const config = {
        'current-context': 'here',
        contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
        clusters: [{ name: 'c', cluster: { server: `${origin}/prefix` } }],
        users: [{ name: 'u', user: { tokenFile: 'token' } }],
      };
      await writeFile(path, JSON.stringify(config));
      await writeFile(join(folder, 'token'), 'from-file\n');
      const { connection, namespace } = await loadKubeconfig(path);
      expect(namespace).toBe('shop');
      const configured = createHttpsClient(connection);
      await configured.getPath('/version');
      await configured.close();
      expect(requests[0]).toMatchObject({
        url: '/prefix/version',
        headers: { authorization: 'Bearer from-file' },
      });
      await expect(loadKubeconfig(path, 'there')).rejects.toThrow(`${path}: no context named "there"`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('refuses an endless line', async () => {
    async function* endless() {
      for (;;) yield new Uint8Array(1000).fill(97);
    }
    const reading = async () => {
      for await (const _ of splitLines(endless(), 10_000)) throw new Error('no line expected');
    };
    await expect(reading()).rejects.toThrow('longer than 10000 bytes');
  });
});
