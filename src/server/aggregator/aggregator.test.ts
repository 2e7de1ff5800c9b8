import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ExtensionServer, startExtensionServer } from '../../../test/fixtures/extension-server.ts';
import * as resources from '../../api/resources.gen.ts';
import { apiError } from '../../api/status.ts';
import type { APIService } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import type { ApiServer } from '../api-server.ts';
import type { Listener } from '../http/listener.ts';
import { testTls } from '../http/test-tls.fake.ts';
import { echoNode } from '../stream/echo-node.fake.ts';
import { startTestServer } from '../test-server.fake.ts';

const tls = testTls();
const headerTls = testTls();
const backendTls = tls.servingCertificate('flunders.wardle.svc');
const proof = headerTls.clientCertificate('system:auth-proxy');
const NAME = 'v1alpha1.wardle.example.com';
const PATH = '/apis/wardle.example.com/v1alpha1';

let server: ApiServer;
let listener: Listener;
let client: Client;
let extension: ExtensionServer | undefined;
let port = 0;

async function startExtension(options: object = {}): Promise<void> {
  const { cert, key } = backendTls;
  const trust = { requestHeaderCa: headerTls.ca, allowedName: 'system:auth-proxy' };
  extension = await startExtensionServer({ cert, key, ...trust, port, ...options });
  port = extension.port;
}

beforeEach(async () => {
  port = 0;
  await startExtension();
  ({ server } = await startTestServer({
    connector: {
      connect: async (node) => {
        if (node !== 'board') throw apiError('ServiceUnavailable', `node ${node} is not connected`);
        return {
          ...echoNode({ sizes: [], requests: [] }),
          connectPod: (): Promise<ReturnType<typeof connect>> =>
            new Promise((resolve, reject) => {
              const socket = connect({ port, host: '127.0.0.1' });
              socket.once('connect', () => resolve(socket));
              socket.once('error', reject);
            }),
        };
      },
    },
    frontProxy: {
      certificate: () => ({ certificatePem: proof.cert, keyPem: proof.key }),
      commonName: 'system:auth-proxy',
      requestHeaderCaPem: headerTls.ca,
      clientCaPem: tls.ca,
    },
  }));
  client = server.client({ name: 'admin', groups: [] });
  listener = await server.listen({ port: 0, host: '127.0.0.1', tls });
});
afterEach(async () => {
  await server.close();
  await extension?.close();
});

async function serveFlunders(): Promise<void> {
  await client.create(resources.namespaces, { metadata: { name: 'wardle' } });
  const pod = { name: 'flunders-1', namespace: 'wardle' };
  await client.create(resources.pods, {
    metadata: pod,
    spec: { nodeName: 'board', containers: [{ name: 'c', image: 'i' }] },
  });
  const body = { status: { podIPs: [{ ip: '10.42.0.7' }], podIP: '10.42.0.7' } };
  await client.patch(resources.pods, pod, { type: 'merge', body }, { subresource: 'status' });
  const metadata = { name: 'flunders', namespace: 'wardle' };
  await client.create(resources.services, { metadata, spec: { ports: [{ port: 443, targetPort: 8443 }] } });
  await client.create(resources.endpointSlices, {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'flunders' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.42.0.7'], targetRef: { kind: 'Pod', ...pod } }],
    ports: [{ name: '', port: 8443 }],
  });
}

const register = (spec: object = {}): Promise<APIService> =>
  client.create(resources.apiServices, {
    metadata: { name: NAME },
    spec: {
      group: 'wardle.example.com',
      version: 'v1alpha1',
      service: { name: 'flunders', namespace: 'wardle' },
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      caBundle: Buffer.from(tls.ca).toString('base64'),
      ...spec,
    },
  });

async function condition(name = NAME): Promise<string> {
  const { status } = await client.get(resources.apiServices, { name });
  const found = status?.conditions?.find(({ type }) => type === 'Available');
  return `${found?.status} ${found?.reason}`;
}
const becomes = (wanted: string): Promise<void> =>
  expect.poll(() => condition(), { timeout: 20_000, interval: 10 }).toBe(wanted);

interface Got {
  readonly code: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}
async function ask(
  path: string,
  options: { method?: string; headers?: object; body?: object } = {},
): Promise<Got> {
  const { method = 'GET', headers = {}, body } = options;
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({
      port: listener.port,
      host: '127.0.0.1',
      path,
      method,
      headers: {
        authorization: 'Bearer carol',
        ...(bytes === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': bytes.length }),
        ...headers,
      },
      rejectUnauthorized: false,
      agent: false,
    });
    sent.once('response', resolve);
    sent.once('error', reject);
    sent.end(bytes);
  });
  return { code: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}
const json = async <T>(path: string, headers: object = {}): Promise<T> =>
  JSON.parse((await ask(path, { headers })).body) as T;

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
interface Groups {
  readonly items: {
    readonly metadata: { readonly name: string };
    readonly versions: {
      readonly version: string;
      readonly freshness: string;
      readonly resources: object[];
    }[];
  }[];
}
const discovered = async () =>
  (await json<Groups>('/apis', { accept: AGGREGATED })).items.find(
    ({ metadata }) => metadata.name === 'wardle.example.com',
  );

describe('versions of this server', () => {
  it('have their APIServices from the start, and the order of discovery', async () => {
    const { items } = await client.list(resources.apiServices);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining(['v1.', 'v1.apps', 'v2.autoscaling', 'v1.autoscaling', 'v1.storage.k8s.io']),
    );
    expect(items.some(({ metadata }) => metadata.name?.includes('apiregistration'))).toBe(false);
    expect(items.every(({ status }) => status?.conditions?.[0]?.reason === 'Local')).toBe(true);
    const { groups } = await json<{ groups: { name: string; versions: { version: string }[] }[] }>('/apis');
    expect(groups.slice(0, 4).map(({ name }) => name)).toEqual([
      'apiregistration.k8s.io',
      'apps',
      'events.k8s.io',
      'authentication.k8s.io',
    ]);
    const scaling = groups.find(({ name }) => name === 'autoscaling');
    expect(scaling?.versions.map(({ version }) => version)).toEqual(['v2', 'v1']);
  });

  it('are told to other servers, with whom they may believe', async () => {
    const config = await client.get(resources.configMaps, {
      name: 'extension-apiserver-authentication',
      namespace: 'kube-system',
    });
    expect(config.data).toEqual({
      'client-ca-file': tls.ca,
      'requestheader-allowed-names': '["system:auth-proxy"]',
      'requestheader-client-ca-file': headerTls.ca,
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    });
  });
});

describe('an APIService', () => {
  it('says what is missing until all is there, and again when it goes', async () => {
    await register();
    await becomes('False ServiceNotFound');
    const gauge = `aggregator_unavailable_apiservice{name="${NAME}"}`;
    expect((await ask('/metrics')).body).toContain(`${gauge} 1\n`);
    expect((await ask(`${PATH}/flunders`)).code).toBe(503);
    expect((await ask(`${PATH}/flunders`)).body).toBe('service unavailable\n');
    await serveFlunders();
    await becomes('True Passed');
    expect((await ask('/metrics')).body).toContain(`${gauge} 0\n`);
    await extension?.close();
    extension = undefined;
    // A request that fails is noticed; nobody waits for the next look.
    const failed = await ask(`${PATH}/flunders`);
    expect([failed.code, failed.body]).toEqual([
      503,
      expect.stringContaining('error trying to reach service: '),
    ]);
    await becomes('False FailedDiscoveryCheck');
    await startExtension();
    await becomes('True Passed');
    await client.delete(resources.endpointSlices, { name: 'flunders', namespace: 'wardle' });
    await becomes('False EndpointsNotFound');
    await client.delete(resources.services, { name: 'flunders', namespace: 'wardle' });
    await becomes('False ServiceNotFound');
  });

  it('must lead to somebody who can be trusted', async () => {
    await serveFlunders();
    await register({ caBundle: Buffer.from(headerTls.ca).toString('base64') });
    await becomes('False FailedDiscoveryCheck');
    const { status } = await client.get(resources.apiServices, { name: NAME });
    expect(status?.conditions?.[0]?.message).toBe(
      'failing or missing response from https://flunders.wardle.svc:443/apis/wardle.example.com/v1alpha1: tls: failed to verify certificate: x509: certificate signed by unknown authority',
    );
    const body = { spec: { caBundle: null, insecureSkipTLSVerify: true } };
    await client.patch(resources.apiServices, { name: NAME }, { type: 'merge', body });
    await becomes('True Passed');
  });

  it('is refused in upstream words', async () => {
    await expect(
      register({
        group: 'other.example.com',
        groupPriorityMinimum: 0,
        service: { name: '', namespace: 'n' },
      }),
    ).rejects.toThrow(
      /must be `spec.version\+"."\+spec.group`: "v1alpha1.other.example.com".*spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000.*spec.service.name: Required value/,
    );
    await expect(register({ service: undefined })).rejects.toThrow(
      'local APIServices may not have a caBundle',
    );
  });
});

describe('requests for an aggregated version', () => {
  beforeEach(async () => {
    await serveFlunders();
    await register();
    await becomes('True Passed');
  });

  it('reach the other server, with who asked and without how we know', async () => {
    const flunder = { metadata: { name: 'a', labels: { x: 'y' } }, spec: { reference: 'b' } };
    const made = await ask(`${PATH}/namespaces/default/flunders?dryRun=no`, {
      method: 'POST',
      body: flunder,
    });
    expect(made.code).toBe(201);
    expect(JSON.parse(made.body)).toMatchObject({ kind: 'Flunder', metadata: { namespace: 'default' } });
    const asked = extension?.requests.find(({ method }) => method === 'POST');
    expect(asked).toMatchObject({
      url: `${PATH}/namespaces/default/flunders?dryRun=no`,
      user: 'carol',
      groups: ['system:authenticated'],
    });
    expect(asked?.headers).not.toHaveProperty('authorization');
    expect(asked?.headers.host).toBe('flunders.wardle.svc:443');
    // Whoever asks for somebody else is not who asks in the end; nobody makes up more.
    await ask(`${PATH}/flunders`, {
      headers: {
        'impersonate-user': 'dave',
        'impersonate-extra-example.org%2fscopes': 'one',
        'x-remote-user': 'root',
        'x-remote-group': 'system:masters',
      },
    });
    expect(extension?.requests.at(-1)).toMatchObject({
      user: 'dave',
      groups: ['system:authenticated'],
      extra: { 'example.org/scopes': ['one'] },
    });
    const listed = await json<{ items: object[] }>(`${PATH}/namespaces/default/flunders?labelSelector=x%3Dy`);
    expect(listed.items).toHaveLength(1);
    const missing = await ask(`${PATH}/namespaces/default/flunders/none`);
    expect([missing.code, missing.body]).toEqual([404, expect.stringContaining('"none\\" not found')]);
    expect((await ask(`${PATH}/namespaces/default/flunders/a`, { method: 'DELETE' })).code).toBe(200);
  });

  it('may be watches, which end with either side', async () => {
    const sent = request({
      port: listener.port,
      host: '127.0.0.1',
      path: `${PATH}/namespaces/default/flunders?watch=1`,
      headers: { authorization: 'Bearer carol' },
      rejectUnauthorized: false,
      agent: false,
    });
    sent.end();
    const response = await new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
    const event = new Promise<string>((resolve) => response.once('data', (data) => resolve(String(data))));
    await ask(`${PATH}/namespaces/default/flunders`, { method: 'POST', body: { metadata: { name: 'w' } } });
    expect(JSON.parse(await event)).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'w' } } });
    const cut = new Promise((resolve) => response.once('error', resolve));
    await extension?.close();
    extension = undefined;
    expect(await cut).toBeInstanceOf(Error);
  });

  it('are found in discovery, old and new, and in OpenAPI', async () => {
    expect(await discovered()).toMatchObject({
      versions: [
        {
          version: 'v1alpha1',
          freshness: 'Current',
          resources: [{ resource: 'flunders', scope: 'Namespaced', shortNames: ['fl'] }],
        },
      ],
    });
    const { groups } = await json<{ groups: { name: string }[] }>('/apis');
    expect(groups.at(-1)?.name).toBe('wardle.example.com');
    expect(await json('/apis/wardle.example.com')).toMatchObject({
      kind: 'APIGroup',
      preferredVersion: { groupVersion: 'wardle.example.com/v1alpha1' },
    });
    expect(await json(PATH)).toMatchObject({
      kind: 'APIResourceList',
      resources: [{ name: 'flunders' }, {}],
    });
    const { paths } = await json<{ paths: Record<string, object> }>('/openapi/v3');
    expect(paths).toMatchObject({
      'apis/wardle.example.com/v1alpha1': { serverRelativeURL: expect.stringContaining('hash=F00') },
      'apis/apps/v1': {},
    });
    expect(await json('/openapi/v3/apis/wardle.example.com/v1alpha1?hash=F00')).toMatchObject({
      info: { title: 'Flunders' },
    });
    const swagger = await json<{ paths: object; definitions: Record<string, { description?: string }> }>(
      '/openapi/v2',
    );
    expect(Object.keys(swagger.paths)).toContain(`${PATH}/flunders`);
    expect(Object.keys(swagger.paths)).not.toContain('/version/');
    expect(swagger.definitions['com.example.wardle.Flunder']?.description).toBe('A flunder.');
    expect(swagger.definitions['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']?.description).not.toBe(
      'not ours',
    );
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const protobuf = await ask('/openapi/v2', { headers: { accept } });
    expect([protobuf.code, protobuf.body.includes(`${PATH}/flunders`)]).toEqual([200, true]);
    // Discovery is another document now, and clients that ask with the old mark get the new one.
    const { headers } = await ask('/apis', { headers: { accept: AGGREGATED } });
    await client.delete(resources.apiServices, { name: NAME });
    const again = await ask('/apis', {
      headers: { accept: AGGREGATED, 'if-none-match': headers.etag ?? '' },
    });
    expect(again.code).toBe(200);
    expect(await discovered()).toBeUndefined();
    expect((await ask(`${PATH}/flunders`)).code).toBe(404);
  });

  it('stay in discovery while the other server is away, and say so', async () => {
    await client.delete(resources.endpointSlices, { name: 'flunders', namespace: 'wardle' });
    await becomes('False EndpointsNotFound');
    expect((await discovered())?.versions[0]).toMatchObject({
      freshness: 'Stale',
      resources: [{ resource: 'flunders' }],
    });
  });
});

it('understands servers that know the old discovery only', async () => {
  await extension?.close();
  await startExtension({ aggregated: false });
  await serveFlunders();
  await register();
  await becomes('True Passed');
  expect((await discovered())?.versions[0]?.resources).toEqual([
    {
      resource: 'flunders',
      responseKind: { group: 'wardle.example.com', version: 'v1alpha1', kind: 'Flunder' },
      scope: 'Namespaced',
      singularResource: 'flunder',
      verbs: ['create', 'delete', 'get', 'list', 'update', 'watch'],
      shortNames: ['fl'],
      subresources: [
        {
          subresource: 'status',
          responseKind: { group: 'wardle.example.com', version: 'v1alpha1', kind: 'Flunder' },
          verbs: ['get'],
        },
      ],
    },
  ]);
});

it('takes a version of our own for somebody else, and back', async () => {
  await serveFlunders();
  const { metadata } = await client.get(resources.apiServices, { name: 'v1.batch' });
  const body = {
    metadata: { resourceVersion: metadata.resourceVersion },
    spec: { service: { name: 'none', namespace: 'wardle', port: 443 } },
  };
  await client.patch(resources.apiServices, { name: 'v1.batch' }, { type: 'merge', body });
  expect((await ask('/apis/batch/v1/jobs')).code).toBe(503);
  await client.patch(
    resources.apiServices,
    { name: 'v1.batch' },
    { type: 'merge', body: { spec: { service: null } } },
  );
  expect((await ask('/apis/batch/v1/jobs')).code).toBe(200);
  await expect.poll(() => condition('v1.batch'), { timeout: 20_000 }).toBe('True Local');
});
