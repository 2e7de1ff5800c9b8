import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LIMITS } from '../../lib/limits.ts';
import { startTestHttp, type TestAnswer, type TestHttp } from './test-http.fake.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
let http: TestHttp;
beforeAll(async () => {
  http = await startTestHttp();
});
afterAll(() => http.stop());

interface Line {
  readonly type: string;
  readonly object: { metadata: { name: string; resourceVersion: string }; code?: number };
}

const revision = async (): Promise<string> => (await http.send('GET', MAPS)).json.metadata.resourceVersion;

/** Lines of a watch over HTTP/2, until there are so many. */
async function watchHttp2(path: string, count: number, begun: () => void): Promise<Line[]> {
  const session = connectHttp2(`https://localhost:${http.port}`, { ca: http.ca });
  const stream = session.request({ ':path': path, authorization: 'Bearer tester' });
  stream.once('response', begun);
  let text = '';
  for await (const part of stream) {
    text += String(part);
    if (text.split('\n').length > count) break;
  }
  session.destroy();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function watching(count: number): Promise<void> {
  const line = /longrunning_requests\{verb="WATCH",group="",version="v1",resource="configmaps"\} (\d+)/;
  for (;;) {
    const { text } = await http.send('GET', '/metrics');
    if (Number(line.exec(text)?.[1] ?? 0) === count) return;
  }
}

it('every watcher gets every event once and in order, however many leave together', async () => {
  const WATCHERS = 10;
  const EVENTS = 200;
  const WRITERS = 10;
  const path = `${MAPS}?watch=1&resourceVersion=${await revision()}`;
  const selected = `${path}&labelSelector=${encodeURIComponent('odd=yes')}`;
  const all = [
    ...Array.from({ length: WATCHERS }, () => http.watch(path, EVENTS)),
    watchHttp2(path, EVENTS, () => {}),
  ] as Promise<Line[]>[];
  const odd = [http.watch(selected, EVENTS / 2), watchHttp2(selected, EVENTS / 2, () => {})] as Promise<
    Line[]
  >[];
  await watching(all.length + odd.length);
  // Several at once: they are committed, and leave, in groups.
  const made: TestAnswer[] = [];
  const writer = async (_: unknown, first: number): Promise<void> => {
    for (let index = first; index < EVENTS; index += WRITERS) {
      const labels = index % 2 === 1 ? { odd: 'yes' } : {};
      made.push(await http.send('POST', MAPS, { metadata: { name: `many-${index}`, labels } }));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  const written = made.map(({ json }) => json.metadata).sort((a, b) => a.resourceVersion - b.resourceVersion);
  const names = (lines: readonly Line[]): string[] => lines.map(({ object }) => object.metadata.name);
  for (const lines of await Promise.all(all)) expect(names(lines)).toEqual(written.map(({ name }) => name));
  const oddNames = written.filter(({ labels }) => labels?.odd === 'yes').map(({ name }) => name);
  for (const lines of await Promise.all(odd)) expect(names(lines)).toEqual(oddNames);
});

it('a watch ends with its client, over HTTP/2 too', async () => {
  await watching(0);
  const session = connectHttp2(`https://localhost:${http.port}`, { ca: http.ca });
  const stream = session.request({ ':path': `${MAPS}?watch=1`, authorization: 'Bearer tester' });
  stream.on('error', () => {});
  await watching(1);
  stream.close(constants.NGHTTP2_CANCEL);
  await watching(0);
  session.destroy();
});

it('a watcher that does not read is dropped with 410, and nobody else notices', async () => {
  const CHARS = 900_000;
  const path = `${MAPS}?watch=1&resourceVersion=${await revision()}`;
  const slow = connect({ port: http.port, host: '127.0.0.1', ca: http.ca, servername: 'localhost' });
  slow.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer tester\r\n\r\n`);
  await watching(1);
  slow.pause();
  const COUNT = 24;
  const quick = http.watch(path, COUNT);
  await watching(2);
  const big = { metadata: { name: 'big' }, data: { x: 'x'.repeat(CHARS) } };
  await http.send('POST', MAPS, big);
  for (let n = 1; n < COUNT; n++)
    await http.send('PUT', `${MAPS}/big`, { ...big, metadata: { name: 'big', labels: { n: String(n) } } });
  expect(await quick).toHaveLength(COUNT);
  let text = '';
  slow.on('data', (part: Buffer) => {
    text += part.toString('latin1');
  });
  slow.resume();
  while (!text.endsWith('\r\n0\r\n\r\n')) await new Promise((resolve) => setImmediate(resolve));
  slow.destroy();
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  const last = JSON.parse(lines.at(-1) ?? '') as Line;
  expect(last).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  const shown = lines
    .slice(0, -1)
    .map((line) => Number((JSON.parse(line) as Line).object.metadata.resourceVersion));
  expect(shown).toEqual([...shown].sort((a, b) => a - b));
  expect(new Set(shown).size).toBe(shown.length);
  expect(shown.length).toBeLessThan(COUNT - LIMITS.watch.lagBytes / CHARS + 1);
});
