import { createServer, type RequestOptions, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { area } from '../area.ts';
import { IMAGE } from '../pods.ts';
import { certify, ownAddress } from '../sig-api-machinery/webhook-server.ts';
import type { SpecContext } from '../spec-context.ts';

interface Answer {
  readonly code: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** Any method, and no redirect followed; what client-node's own requests do not offer. */
async function ask({ cluster }: SpecContext, method: string, path: string): Promise<Answer> {
  const { config } = cluster.api;
  const { hostname, port } = new URL(config.getCurrentCluster()?.server ?? '');
  const options: RequestOptions = { hostname, port, path, method, agent: false };
  await config.applyToHTTPSOptions(options as never);
  return await new Promise((resolve, reject) => {
    const sent = request({ ...options, agent: false }, (response) => {
      text(response).then(
        (body) => resolve({ code: response.statusCode ?? 0, location: response.headers.location, body }),
        reject,
      );
    });
    sent.once('error', reject);
    sent.end();
  });
}

/** Says what it was asked, or the word that the port stands for; one process for each connection. */
const SCRIPT = `read -r method path rest
while read -r line; do [ "$line" = "$(printf '\\r')" ] && break; done
body="{\\"Method\\":\\"$method\\",\\"Path\\":\\"$path\\",\\"Body\\":\\"$1\\"}"
type=application/json
case $1 in page) type=text/html; body='<a href="/rewriteme">test</a>';; esac
[ "$method" = HEAD ] && size=0 || size=\${#body}
printf 'HTTP/1.1 200 OK\\r\\nContent-Type: %s\\r\\nContent-Length: %s\\r\\nConnection: close\\r\\n\\r\\n' "$type" "$size"
[ "$method" = HEAD ] || printf '%s' "$body"
`;

/** A pod that answers on a port for each of the words, in their order from 8080 on. */
async function echoPod(context: SpecContext, name: string, words: readonly string[]): Promise<void> {
  await context.configMaps.create({ metadata: { name }, data: { 'echo.sh': SCRIPT } });
  const serve = words.map((word, index) => `nc -ll -p ${8080 + index} -e sh /scripts/echo.sh ${word} &`);
  await context.pods.create({
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      volumes: [{ name: 'scripts', configMap: { name } }],
      containers: [
        {
          name: 'main',
          image: IMAGE,
          command: ['sh', '-c', [...serve, 'wait'].join('\n')],
          ports: words.map((_, index) => ({ containerPort: 8080 + index })),
          volumeMounts: [{ name: 'scripts', mountPath: '/scripts' }],
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
        },
      ],
    },
  });
}

/** Until the Service leads somewhere. */
async function reachable(context: SpecContext, path: string): Promise<void> {
  await context.until('the proxy to answer', async () => (await ask(context, 'GET', path)).code === 200);
}

const METHODS = ['DELETE', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'GET', 'HEAD'];

async function pathsOf(context: SpecContext, name: string): Promise<readonly string[]> {
  await echoPod(context, name, ['foo']);
  await context.services.create({
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
  });
  const root = `/api/v1/namespaces/${context.namespace}`;
  const paths = [`${root}/pods/${name}/proxy`, `${root}/services/${name}/proxy`];
  for (const path of paths) await reachable(context, `${path}/`);
  return paths;
}

area('sig-network', 'Proxy version v1', (spec) => {
  spec('A set of valid responses are returned for both pod and service Proxy', async (context) => {
    for (const path of await pathsOf(context, 'agnhost')) {
      for (const method of METHODS) {
        const answer = await ask(context, method, `${path}?method=${method}`);
        if (method === 'GET' || method === 'HEAD') {
          expect([answer.code, answer.location]).toEqual([301, `${path}/?method=${method}`]);
        } else {
          expect(answer.code).toBe(200);
          expect(JSON.parse(answer.body)).toMatchObject({ Method: method, Body: 'foo' });
        }
      }
    }
  });

  spec('A set of valid responses are returned for both pod and service ProxyWithPath', async (context) => {
    for (const path of await pathsOf(context, 'agnhost')) {
      for (const method of METHODS) {
        const answer = await ask(context, method, `${path}/some/path/with/${method}`);
        expect(answer.code).toBe(200);
        if (method === 'HEAD') continue;
        expect(JSON.parse(answer.body)).toEqual({
          Method: method,
          Path: `/some/path/with/${method}`,
          Body: 'foo',
        });
      }
    }
  });

  spec('should proxy through a service and a pod', async (context) => {
    const root = `/api/v1/namespaces/${context.namespace}`;
    await echoPod(context, 'porter', ['foo', 'bar', 'page']);
    await context.services.create({
      metadata: { name: 'porter' },
      spec: {
        selector: { app: 'porter' },
        ports: [
          { name: 'portname1', port: 80, targetPort: 8080 },
          { name: 'portname2', port: 81, targetPort: 8081 },
        ],
      },
    });
    const secure = await securePod(context);
    await reachable(context, `${root}/services/porter:portname1/proxy/`);
    await reachable(context, `${root}/services/https:secure:tlsportname1/proxy/`);
    const expected: Record<string, string> = {
      'services/porter:portname1/proxy/': 'foo',
      'services/http:porter:portname1/proxy/': 'foo',
      'services/porter:80/proxy/': 'foo',
      'services/porter:portname2/proxy/': 'bar',
      'services/http:porter:81/proxy/': 'bar',
      'services/https:secure:443/proxy/': 'tls baz',
      'services/https:secure:tlsportname1/proxy/': 'tls baz',
      'pods/porter:8080/proxy/': 'foo',
      'pods/http:porter:8081/proxy/': 'bar',
      [`pods/https:secure:${secure}/proxy/`]: 'tls baz',
    };
    for (const [path, word] of Object.entries(expected)) {
      const { code, body } = await ask(context, 'GET', `${root}/${path}`);
      expect([path, code, body]).toEqual([path, 200, expect.stringContaining(word)]);
    }
    // Links of a page lead through the proxy, too.
    const page = await ask(context, 'GET', `${root}/pods/porter:8082/proxy/`);
    expect(page.body).toBe(`<a href="${root}/pods/porter:8082/proxy/rewriteme">test</a>`);
  });
});

/** A server with TLS, which busybox has none of: it runs here, at the address of a pod in the host's network. */
async function securePod(context: SpecContext): Promise<number> {
  const { cert, key } = certify('secure', context.namespace);
  const server = createServer({ cert, key }, (_, response) => response.end('tls baz'));
  await new Promise<void>((resolve) => server.listen(0, ownAddress(), resolve));
  context.defer(async () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  await context.pods.create({
    metadata: { name: 'secure', labels: { app: 'secure' } },
    spec: {
      hostNetwork: true,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: IMAGE, command: ['sleep', '100000'] }],
    },
  });
  await context.services.create({
    metadata: { name: 'secure' },
    spec: { selector: { app: 'secure' }, ports: [{ name: 'tlsportname1', port: 443, targetPort: port }] },
  });
  return port;
}
