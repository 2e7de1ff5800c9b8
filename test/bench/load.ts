/**
 * Load on an API server, run inside a board's network: `node load.ts <kubeconfig> <what> [numbers…]`. Prints one
 * JSON object with what it measured. Bounded in count and time.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';

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

const percentile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;

/** `clients` connections create ConfigMaps one after another for `seconds`. */
async function writes(clients: number, seconds: number): Promise<object> {
  const latencies: number[] = [];
  let failed = 0;
  const start = performance.now();
  const end = start + seconds * 1000;
  const writer = async (client: number): Promise<void> => {
    for (let n = 0; performance.now() < end; n++) {
      const before = performance.now();
      const body = JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `load-${client}-${n}` },
        data: { n: String(n) },
      });
      const { status } = await call('POST', '/api/v1/namespaces/default/configmaps', body);
      if (status === 201) latencies.push(performance.now() - before);
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => writer(client)));
  const seconds_ = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / seconds_,
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

async function list(times: number): Promise<object> {
  const latencies: number[] = [];
  let bytes = 0;
  for (let n = 0; n < times; n++) {
    const before = performance.now();
    const answer = await call('GET', '/api/v1/pods');
    if (answer.status !== 200) throw new Error(`list answered ${answer.status}`);
    bytes = answer.bytes;
    latencies.push(performance.now() - before);
  }
  latencies.sort((a, b) => a - b);
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), bytes };
}

async function get(times: number): Promise<object> {
  const latencies: number[] = [];
  for (let n = 0; n < times; n++) {
    const before = performance.now();
    await call('GET', '/api/v1/namespaces/default');
    latencies.push(performance.now() - before);
  }
  latencies.sort((a, b) => a - b);
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

/** `watchers` watches on ConfigMaps while one writer changes one `perSecond` times a second, for `seconds`. */
async function watch(watchers: number, perSecond: number, seconds: number): Promise<object> {
  const wide = new Agent({ keepAlive: true, maxSockets: watchers + 10, ...tls });
  const sent = new Map<string, number>();
  const latencies: number[] = [];
  const seen = Array.from({ length: watchers }, () => new Map<string, number>());
  const { text } = await call('GET', '/api/v1/namespaces/default/configmaps?limit=1', undefined, true);
  const from = (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
  const opened = seen.map(
    (mine) =>
      new Promise<void>((resolve, reject) => {
        const path = `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${from}`;
        const outgoing = request(
          { agent: wide, host: server.hostname, port: server.port, path },
          (response) => {
            resolve();
            let rest = '';
            response.on('data', (chunk: Buffer) => {
              const parts = (rest + chunk.toString()).split('\n');
              rest = parts.pop() ?? '';
              const now = performance.now();
              for (const part of parts) {
                const name = /"name":"(event-\d+)"/.exec(part)?.[1];
                if (name === undefined) continue;
                mine.set(name, (mine.get(name) ?? 0) + 1);
                latencies.push(now - (sent.get(name) ?? now));
              }
            });
            response.on('error', () => {});
          },
        );
        outgoing.on('error', reject);
        outgoing.end();
      }),
  );
  await Promise.all(opened);
  const total = perSecond * seconds;
  const start = performance.now();
  const writes: Promise<Answer>[] = [];
  for (let n = 0; n < total; n++) {
    const waitMs = start + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((next) => setTimeout(next, waitMs));
    const name = `event-${n}`;
    sent.set(name, performance.now());
    writes.push(
      call(
        'POST',
        '/api/v1/namespaces/default/configmaps',
        JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }),
      ),
    );
  }
  const made = (await Promise.all(writes)).filter(({ status }) => status === 201).length;
  await new Promise((next) => setTimeout(next, 1500));
  wide.destroy();
  latencies.sort((a, b) => a - b);
  const lost = seen.reduce((sum, mine) => sum + (made - mine.size), 0);
  const doubled = seen.reduce((sum, mine) => sum + [...mine.values()].filter((count) => count > 1).length, 0);
  return {
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    deliveries: latencies.length,
    lost,
    doubled,
  };
}

/** Waits for `/readyz` and, with `node`, for a node that is Ready; tells when, in milliseconds since 1970. */
async function ready(node: boolean): Promise<object> {
  const until = async (url: string, fits: (text: string) => boolean): Promise<number> => {
    for (;;) {
      const { status, text } = await call('GET', url, undefined, true).catch(() => ({ status: 0, text: '' }));
      if (status === 200 && fits(text)) return Date.now();
      await new Promise((next) => setTimeout(next, 10));
    }
  };
  const readyzAt = await until('/readyz', (text) => text === 'ok');
  const nodeReadyAt = node ? await until('/api/v1/nodes', isNodeReady) : readyzAt;
  return { readyzAt, nodeReadyAt };
}

/** The node was Ready before the restart too: only a Ready said after it counts. */
const startedAt = Date.now();
function isNodeReady(text: string): boolean {
  const { items } = JSON.parse(text) as {
    items: { status?: { conditions?: { type: string; status: string; lastHeartbeatTime: string }[] } }[];
  };
  return items.some(({ status }) =>
    status?.conditions?.some(
      (one) =>
        one.type === 'Ready' && one.status === 'True' && Date.parse(one.lastHeartbeatTime) >= startedAt,
    ),
  );
}

const jobs: Record<string, (...values: number[]) => Promise<object>> = {
  writes: (clients = 16, seconds = 10) => writes(clients, seconds),
  fill: (count = 5000) => fill(count),
  list: (times = 20) => list(times),
  get: (times = 300) => get(times),
  ready: (node = 0) => ready(node === 1),
  watch: (watchers = 200, perSecond = 100, seconds = 10) => watch(watchers, perSecond, seconds),
};
const job = jobs[what];
if (job === undefined) throw new Error(`unknown job ${what}; one of ${Object.keys(jobs).join(', ')}`);
console.log(JSON.stringify(await job(...numbers.map(Number))));
process.exit(0);
