import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dialServer, startTunnel, type Tunnel } from '../../src/agent/tunnel/tunnel.ts';
import type { NodeApi } from '../../src/client/node-port.ts';
import { TUNNEL_PATH, TUNNEL_PROTOCOL } from '../../src/client/tunnel/node-call.ts';
import { FakeClock } from '../../src/lib/fake-clock.ts';
import { LIMITS } from '../../src/lib/limits.ts';
import { type Logger, silentLogger } from '../../src/lib/log.ts';
import type { ApiServer } from '../../src/server/api-server.ts';
import { testTls } from '../../src/server/http/test-tls.fake.ts';
import { echoNode } from '../../src/server/stream/echo-node.fake.ts';
import { startTestServer } from '../../src/server/test-server.fake.ts';

/** Server and agent joined by a real connection. */
const tls = testTls();
const ended: string[] = [];
const clock = new FakeClock(undefined, () => new Promise((resolve) => setTimeout(resolve, 20)));
let server: ApiServer;
let port = 0;
const tunnels: Tunnel[] = [];
const said: string[] = [];
let backs = 0;
const log: Logger = {
  ...silentLogger,
  warn: (_, fields) => void said.push(String(fields?.['reason'])),
};

async function listen(wanted = 0): Promise<void> {
  ({ server } = await startTestServer());
  ({ port } = await server.listen({ host: '127.0.0.1', port: wanted, tls }));
}
beforeEach(async () => {
  said.length = 0;
  backs = 0;
  await listen();
});
afterEach(async () => {
  await Promise.all(tunnels.splice(0).map((tunnel) => tunnel.stop()));
  await server.close();
});

function connect(node: string, organization = 'system:nodes'): Tunnel {
  const { cert, key } = tls.clientCertificate(`system:node:${node}`, organization);
  const tunnel = startTunnel({
    api: echoNode({ sizes: [], requests: [], ended }),
    dial: (signal) => dialServer({ server: `https://127.0.0.1:${port}`, ca: tls.ca, cert, key }, signal),
    onBack: () => void backs++,
    clock,
    log,
    random: () => 0.5,
  });
  tunnels.push(tunnel);
  return tunnel;
}

async function eventually<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (let tries = 0; tries < 500; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`did not happen; the agent said: ${said.join('; ')}`);
}
const reached = (node: string): Promise<NodeApi> =>
  eventually(() => server.nodes.connect(node).catch(() => undefined));

const POD = { namespace: 'default', name: 'p', uid: 'u' };
const follow = (node: NodeApi) => node.logs({ pod: POD, container: 'c', follow: true });

describe('a tunnel', () => {
  it('reaches the node whose certificate opened it, and no other', async () => {
    await expect(server.nodes.connect('a')).rejects.toMatchObject({ code: 503 });
    connect('a');
    expect(await (await reached('a')).statsSummary()).toEqual({ node: { nodeName: 'echo' } });
    await expect(server.nodes.connect('b')).rejects.toMatchObject({ code: 503 });
  });

  it('is refused to everybody else, in words that reach the log', async () => {
    connect('a', 'system:masters');
    expect(await eventually(() => said[0])).toBe(
      'the server refuses the connection: forbidden: User "system:node:a" cannot connect path "/v1-kedge/connect": only agents of nodes connect here',
    );
  });

  it('is no place for other requests', async () => {
    const ask = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const { cert, key } = tls.clientCertificate('system:node:a', 'system:nodes');
        const asked = request({
          ...{ host: '127.0.0.1', port, ca: tls.ca, cert, key, path: TUNNEL_PATH, agent: false },
          headers: { connection: 'Upgrade', ...headers },
        });
        asked.once('response', (answer) => resolve(answer.resume().statusCode ?? 0));
        asked.once('error', reject);
        asked.end();
      });
    expect(await ask({ upgrade: 'SPDY/3.1', 'sec-websocket-protocol': TUNNEL_PROTOCOL })).toBe(400);
    expect(await ask({ upgrade: 'websocket', 'sec-websocket-protocol': 'v0.tunnel.kedge.io' })).toBe(400);
  });

  it('ends what streamed when the agent connects anew, and goes on over the new connection', async () => {
    connect('a');
    const before = await reached('a');
    const log = await follow(before);
    const reading = text(log);
    reading.catch(() => {});
    connect('a');
    await expect(reading).rejects.toMatchObject({
      code: 503,
      message:
        'node "a" cannot be reached: the connection to its agent was lost: the agent has connected anew',
    });
    expect(await eventually(() => said[0])).toBe('the agent has connected anew');
    expect(await (await reached('a')).document('/healthz')).toMatchObject({ text: 'ok' });
  });

  it('comes back by itself, later each time, when the server does', async () => {
    connect('a');
    const stream = await follow(await reached('a'));
    const reading = text(stream);
    reading.catch(() => {});
    const wasPort = port;
    await server.close();
    await expect(reading).rejects.toThrow(/node "a" cannot be reached/);
    expect(await eventually(() => said[0])).toBe('the server stops');
    await eventually(() => (ended.includes('log') ? true : undefined));
    const { baseMs } = LIMITS.tunnel.retry;
    await clock.advance(baseMs - 1);
    expect(said).toHaveLength(1);
    await clock.advance(1);
    expect(await eventually(() => said[1])).toMatch(/^cannot connect to https:.*ECONNREFUSED/);
    await listen(wasPort);
    await clock.advance(baseMs * 2);
    await reached('a');
    // The server took its leave: nothing else of the agent can hang.
    expect(backs).toBe(0);
  });
});
