/**
 * Load on an API server, run inside a board's network: `node load.ts <kubeconfig> <what> [numbers…]`. Prints one
 * JSON object with what it measured. Bounded in count and time.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';
import { ChunkedAnswer } from './chunked-answer.ts';
import { Deliveries, FollowedWatch } from './followed-watch.ts';
import { RawClient, RawReader } from './raw-client.ts';

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}
const [path = '', what = '', ...numbers] = process.argv.slice(2);
const config = parse(readFileSync(path, 'utf8')) as Kubeconfig;
const server = new URL(config.clusters[0]?.cluster.server ?? '');
const decode = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');
const tls = {
  ca: decode(config.clusters[0]?.cluster['certificate-authority-data']),
  cert: decode(config.users[0]?.user['client-certificate-data']),
  key: decode(config.users[0]?.user['client-key-data']),
};
const target = { host: server.hostname, port: Number(server.port), ...tls };
const agent = new Agent({ keepAlive: true, maxSockets: 256, ...tls });

interface Answer {
  status: number;
  bytes: number;
  text: string;
}

function call(method: string, url: string, body?: string, keep = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request(
      { agent, method, host: server.hostname, port: server.port, path: url, headers },
      (response) => {
        let bytes = 0;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (keep) chunks.push(chunk);
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, bytes, text: Buffer.concat(chunks).toString() }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const percentile = (sorted: ArrayLike<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;

/** `clients` connections create ConfigMaps one after another for `seconds`, after a second to warm up. */
async function writes(clients: number, seconds: number): Promise<object> {
  const connections = await Promise.all(Array.from({ length: clients }, () => RawClient.open(target)));
  let next = 0;
  const prefix = `load-${Date.now().toString(36)}`;
  const run = async (forMs: number): Promise<{ latencies: number[]; failed: number; elapsedMs: number }> => {
    const latencies: number[] = [];
    let failed = 0;
    const start = performance.now();
    const writer = async (connection: RawClient): Promise<void> => {
      for (let before = start; before < start + forMs; ) {
        const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${prefix}-${next++}"},"data":{"n":"1"}}`;
        const { status } = await connection.request('POST', '/api/v1/namespaces/default/configmaps', body);
        const after = performance.now();
        if (status === 201) latencies.push(after - before);
        else failed++;
        before = after;
      }
    };
    await Promise.all(connections.map(writer));
    return { latencies, failed, elapsedMs: performance.now() - start };
  };
  await run(1000);
  const { latencies, failed, elapsedMs } = await run(seconds * 1000);
  latencies.sort((a, b) => a - b);
  return {
    perSecond: (latencies.length * 1000) / elapsedMs,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    failed,
  };
}

/** Creates `count` pods that nothing schedules, of a usual size. */
async function fill(count: number): Promise<object> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const n = next++;
      const body = JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `pod-${n}`, labels: { app: `app-${n % 50}`, tier: 'bench' } },
        spec: {
          schedulerName: 'nobody',
          containers: [
            {
              name: 'main',
              image: 'example.org/app:1',
              resources: { requests: { cpu: '10m', memory: '16Mi' } },
              env: [{ name: 'A', value: 'b' }],
            },
          ],
        },
      });
      const { status, text } = await call('POST', '/api/v1/namespaces/default/pods', body, true);
      if (status !== 201) throw new Error(`pod ${n}: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return { count };
}

/** Creates `count` ConfigMaps of `bytes` bytes of data each, over 16 connections. */
async function configMaps(count: number, bytes: number): Promise<object> {
  let next = 0;
  const value = 'x'.repeat(bytes);
  const writer = async (): Promise<void> => {
    const connection = await RawClient.open(target);
    while (next < count) {
      const n = next++;
      const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept-${n}"},"data":{"n":"${n}","value":"${value}"}}`;
      const { status } = await connection.request('POST', '/api/v1/namespaces/default/configmaps', body);
      if (status !== 201) throw new Error(`ConfigMap ${n} answered ${status}`);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: 16 }, writer));
  return { count };
}

async function list(times: number): Promise<object> {
  const latencies: number[] = [];
  let answer = new ChunkedAnswer(() => {});
  let done: () => void = () => {};
  const connection = await RawReader.open(target, (buffer, length) => {
    answer.take(buffer, length);
    if (answer.isOver) done();
  });
  for (let n = 0; n < times; n++) {
    answer = new ChunkedAnswer(() => {});
    const over = new Promise<void>((resolve) => {
      done = resolve;
    });
    const before = performance.now();
    connection.ask('/api/v1/pods');
    await over;
    latencies.push(performance.now() - before);
    if (answer.status !== 200) throw new Error(`list answered ${answer.status}`);
  }
  latencies.sort((a, b) => a - b);
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), bytes: answer.bodyBytes };
}

async function get(times: number): Promise<object> {
  const connection = await RawClient.open(target);
  const latencies: number[] = [];
  for (let n = 0; n < times; n++) {
    const before = performance.now();
    await connection.request('GET', '/api/v1/namespaces/default');
    latencies.push(performance.now() - before);
  }
  latencies.sort((a, b) => a - b);
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

/** Connections that write the events of a watch: as many as may be on their way at once. */
const WRITERS = 32;

/** `watchers` watches on ConfigMaps while `perSecond` of them are made every second, for `seconds`. */
async function watch(watchers: number, perSecond: number, seconds: number): Promise<object> {
  const total = perSecond * seconds;
  const { text } = await call('GET', '/api/v1/namespaces/default/configmaps?limit=1', undefined, true);
  const from = (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
  const path = `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${from}`;
  const deliveries = new Deliveries(total, watchers);
  const watches = Array.from({ length: watchers }, () => new FollowedWatch(total, deliveries));
  await Promise.all(watches.map((one) => one.open(target, path)));
  const idle = await Promise.all(Array.from({ length: WRITERS }, () => RawClient.open(target)));
  const waiting: ((connection: RawClient) => void)[] = [];
  const run = Date.now().toString(36);
  let made = 0;
  const write = async (n: number): Promise<void> => {
    const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"event-${n}-${run}"}}`;
    deliveries.sentAt[n] = performance.now();
    // Where all are busy the time counts that it takes until one is not.
    const free = idle.pop() ?? (await new Promise<RawClient>((next) => waiting.push(next)));
    // One that nobody needed for long the server has ended meanwhile, as every client must expect.
    const connection = free.isClosed ? await RawClient.open(target) : free;
    const { status } = await connection.request('POST', '/api/v1/namespaces/default/configmaps', body);
    if (status === 201) made++;
    const next = waiting.shift();
    if (next) next(connection);
    else idle.push(connection);
  };
  const start = performance.now();
  const writes: Promise<void>[] = [];
  for (let n = 0; n < total; n++) {
    const waitMs = start + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((next) => setTimeout(next, waitMs));
    writes.push(write(n));
  }
  await Promise.all(writes);
  await new Promise((next) => setTimeout(next, 1500));
  const counts = watches.map((one) => one.count(made));
  for (const one of watches) one.close();
  const latencies = deliveries.sorted();
  return {
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1),
    deliveries: deliveries.count,
    lost: counts.reduce((sum, { lost }) => sum + lost, 0),
    doubled: counts.reduce((sum, { doubled }) => sum + doubled, 0),
  };
}

/**
 * Waits for `/readyz` and then for a node that is Ready, the one named or `any`, unless none is wanted; tells when, in
 * milliseconds since 1970.
 */
async function ready(node: string): Promise<object> {
  const until = async (url: string, fits: (text: string) => boolean): Promise<number> => {
    for (;;) {
      const { status, text } = await call('GET', url, undefined, true).catch(() => ({ status: 0, text: '' }));
      if (status === 200 && fits(text)) return Date.now();
      await new Promise((next) => setTimeout(next, 10));
    }
  };
  const readyzAt = await until('/readyz', (text) => text === 'ok');
  const fits = (text: string): boolean => isNodeReady(text, node);
  const nodeReadyAt = node === '' ? readyzAt : await until('/api/v1/nodes', fits);
  return { readyzAt, nodeReadyAt };
}

/** The node was Ready before the restart too: only a Ready said after it counts. */
const startedAt = Date.now();
function isNodeReady(text: string, wanted: string): boolean {
  const { items } = JSON.parse(text) as {
    items: {
      metadata: { name: string };
      status?: { conditions?: { type: string; status: string; lastHeartbeatTime: string }[] };
    }[];
  };
  const nodes = items.filter(({ metadata }) => wanted === 'any' || metadata.name === wanted);
  return nodes.some(({ status }) =>
    status?.conditions?.some(
      (one) =>
        one.type === 'Ready' && one.status === 'True' && Date.parse(one.lastHeartbeatTime) >= startedAt,
    ),
  );
}

const jobs: Record<string, (...values: number[]) => Promise<object>> = {
  writes: (clients = 16, seconds = 10) => writes(clients, seconds),
  fill: (count = 5000) => fill(count),
  'config-maps': (count = 10_000, bytes = 1000) => configMaps(count, bytes),
  list: (times = 20) => list(times),
  get: (times = 300) => get(times),
  ready: () => ready(numbers[0] ?? ''),
  watch: (watchers = 200, perSecond = 100, seconds = 50) => watch(watchers, perSecond, seconds),
};
const job = jobs[what];
if (job === undefined) throw new Error(`unknown job ${what}; one of ${Object.keys(jobs).join(', ')}`);
console.log(JSON.stringify(await job(...numbers.map(Number))));
process.exit(0);
