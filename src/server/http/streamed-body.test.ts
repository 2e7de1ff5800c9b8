import { connect as connectHttp2 } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { chunkOf, Piece } from './streamed-body.ts';
import { startTestHttp, type TestHttp } from './test-http.fake.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const clock = new FakeClock();
let http: TestHttp;
/** Names and sizes of what the lists show: some larger than a piece, and letters of more than one byte. */
const DATA = [10, 3 * LIMITS.http.listChunkBytes, 0, 40_000, 40_000, 40_000, 1];
beforeAll(async () => {
  http = await startTestHttp({ clock });
  for (const [index, chars] of DATA.entries())
    await http.send('POST', MAPS, { metadata: { name: `map-${index}` }, data: { x: 'ü'.repeat(chars) } });
});
afterAll(() => http.stop());

/** A connection that shows all bytes that came. */
class Raw {
  readonly socket: TLSSocket;
  #bytes: Buffer = Buffer.alloc(0);
  constructor() {
    this.socket = connect({ port: http.port, host: '127.0.0.1', ca: http.ca, servername: 'localhost' });
    this.socket.on('data', (more: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, more]);
    });
  }
  get text(): string {
    return this.#bytes.toString();
  }
  ask(path: string, method = 'GET', version = '1.1', accept = 'application/json'): void {
    const fields = `host: a\r\naccept: ${accept}\r\nauthorization: Bearer tester\r\n`;
    this.socket.write(`${method} ${path} HTTP/${version}\r\n${fields}\r\n`);
  }
  /** The next answer, once it is whole. */
  async answer(): Promise<{ head: string; body: string }> {
    for (;;) {
      const found = firstAnswer(this.#bytes);
      if (found) {
        this.#bytes = this.#bytes.subarray(found.end);
        return found;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  async untilClosed(): Promise<string> {
    await new Promise((resolve) => this.socket.once('close', resolve));
    return this.#bytes.toString();
  }
}

/** Strict: everything that is not a chunk throws. */
function firstAnswer(bytes: Buffer): { head: string; body: string; end: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  let at = headEnd + 4;
  if (length !== undefined) {
    const end = at + Number(length);
    return bytes.length < end ? undefined : { head, body: bytes.toString('utf8', at, end), end };
  }
  expect(head).toMatch(/\r\ntransfer-encoding: chunked/i);
  const parts: Buffer[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    expect(line).toMatch(/^[0-9a-f]{1,8}$/);
    const end = lineEnd + 2 + Number.parseInt(line, 16);
    if (bytes.length < end + 2) return undefined;
    expect(bytes.toString('latin1', end, end + 2)).toBe('\r\n');
    if (line === '0') return { head, body: Buffer.concat(parts).toString(), end: end + 2 };
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}

const sizes = (body: string): number[] =>
  (JSON.parse(body) as { items: { data: { x: string } }[] }).items.map(({ data }) => data.x.length);

describe('over HTTP/1.1', () => {
  it('lists come whole, one behind the other on one connection', async () => {
    const raw = new Raw();
    raw.ask(MAPS);
    raw.ask(`${MAPS}?limit=2`);
    raw.ask(`${MAPS}/map-0`);
    raw.ask(MAPS);
    expect(sizes((await raw.answer()).body)).toEqual(DATA);
    expect(sizes((await raw.answer()).body)).toEqual(DATA.slice(0, 2));
    expect(JSON.parse((await raw.answer()).body)).toMatchObject({ metadata: { name: 'map-0' } });
    expect(sizes((await raw.answer()).body)).toEqual(DATA);
    raw.socket.destroy();
  });
  it('the connection of a watch that ended carries the next request', async () => {
    const raw = new Raw();
    const timers = clock.timers;
    // The one in front is still under way when the watch begins: it has no socket yet.
    raw.ask(MAPS);
    raw.ask(`${MAPS}?watch=1&timeoutSeconds=20&resourceVersion=0`);
    raw.ask(`${MAPS}/map-0`);
    expect(sizes((await raw.answer()).body)).toEqual(DATA);
    while (clock.timers < timers + 2) await new Promise((resolve) => setImmediate(resolve));
    while (!raw.text.includes('map-6')) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(20_000);
    const lines = (await raw.answer()).body.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).object.data.x.length)).toEqual(DATA);
    expect(JSON.parse((await raw.answer()).body)).toMatchObject({ metadata: { name: 'map-0' } });
    raw.socket.destroy();
  });
  it('HEAD has no body', async () => {
    const raw = new Raw();
    raw.ask(`${MAPS}?watch=1&timeoutSeconds=20&resourceVersion=0`, 'HEAD');
    while (!raw.text.includes('\r\n\r\n')) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(20_000);
    raw.socket.end();
    expect((await raw.untilClosed()).split('\r\n\r\n').slice(1)).toEqual(['']);
  });
});

it('over HTTP/1.0 the body has no frames', async () => {
  const raw = new Raw();
  raw.ask(MAPS, 'GET', '1.0');
  const [head, body = ''] = (await raw.untilClosed()).split('\r\n\r\n');
  expect(head).not.toMatch(/chunked/i);
  expect(sizes(body)).toEqual(DATA);
});

it('over HTTP/2 the body has no frames of its own', async () => {
  const session = connectHttp2(`https://localhost:${http.port}`, { ca: http.ca });
  const stream = session.request({ ':path': MAPS, authorization: 'Bearer tester' });
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  expect(sizes(Buffer.concat(parts).toString())).toEqual(DATA);
  session.close();
});

describe('other forms of a list', () => {
  const form = (as: string) => ({ accept: `application/json;as=${as};v=v1;g=meta.k8s.io` });
  it('are tables, whose rows may be larger than a piece', async () => {
    const { json } = await http.send('GET', `${MAPS}?includeObject=Object`, undefined, form('Table'));
    expect(json).toMatchObject({ kind: 'Table', metadata: { resourceVersion: expect.any(String) } });
    expect(json.columnDefinitions).toHaveLength(3);
    const rows = json.rows as { cells: unknown[]; object: { data: { x: string } } }[];
    expect(rows.map(({ cells, object }) => [cells[0], object.data.x.length])).toEqual(
      DATA.map((chars, index) => [`map-${index}`, chars]),
    );
  });
  it('are metadata alone', async () => {
    const { json } = await http.send('GET', `${MAPS}?limit=3`, undefined, form('PartialObjectMetadataList'));
    expect(json).toMatchObject({ kind: 'PartialObjectMetadataList', metadata: { remainingItemCount: 4 } });
    const items = json.items as { metadata: { name: string }; data?: unknown }[];
    expect(items.map(({ metadata, data }) => [metadata.name, data])).toEqual([
      ['map-0', undefined],
      ['map-1', undefined],
      ['map-2', undefined],
    ]);
  });
  it('are YAML', async () => {
    const accept = { accept: 'application/yaml' };
    expect((await http.send('GET', `${MAPS}?limit=1`, undefined, accept)).text).toMatch(
      /^kind: ConfigMapList\n/,
    );
  });
  it('a table that is watched tells ages as of now', async () => {
    const raw = new Raw();
    const { json } = await http.send('GET', MAPS);
    raw.ask(
      `${MAPS}?watch=1&timeoutSeconds=90&resourceVersion=${json.metadata.resourceVersion}`,
      ...(['GET', '1.1', form('Table').accept] as const),
    );
    while (!raw.text.includes('\r\n\r\n')) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(60_000);
    await http.send('POST', MAPS, { metadata: { name: 'young' } });
    await clock.advance(5_000);
    await http.send('PUT', `${MAPS}/young`, { metadata: { name: 'young' }, data: { a: 'b' } });
    await clock.advance(30_000);
    const lines = (await raw.answer()).body.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).object.rows[0].cells)).toEqual([
      ['young', 0, '0s'],
      ['young', 1, '5s'],
    ]);
    raw.socket.destroy();
  });
});

describe('a piece', () => {
  it('is a chunk whose head ends where its bytes begin', () => {
    const piece = new Piece(100);
    piece.addText('ab');
    piece.addBytes(Buffer.from('cd'));
    expect(piece.take(true).toString()).toBe('4\r\nabcd\r\n');
    piece.addText('x'.repeat(20));
    expect(piece.take(true).toString()).toBe(`14\r\n${'x'.repeat(20)}\r\n`);
    piece.addText('plain');
    expect(piece.take(false).toString()).toBe('plain');
  });
  it('has no room for more than it holds, unless it is empty', () => {
    const piece = new Piece(10);
    expect(piece.hasRoom(10)).toBe(true);
    piece.addText('a');
    expect([piece.hasRoom(9), piece.hasRoom(10)]).toEqual([true, false]);
    piece.take(true);
    expect(piece.hasRoom(5000)).toBe(true);
    piece.addText('y'.repeat(5000));
    expect(piece.take(false).toString()).toBe('y'.repeat(5000));
  });
  it('leaves what is being sent alone once it is renewed', () => {
    const piece = new Piece(10);
    piece.addText('first');
    const sent = piece.take(true);
    piece.renew();
    piece.addText('other');
    expect([sent.toString(), piece.take(true).toString()]).toEqual(['5\r\nfirst\r\n', '5\r\nother\r\n']);
  });
});

it('joins parts to one chunk', () => {
  expect(chunkOf([Buffer.from('one '), Buffer.from('two')]).toString()).toBe('7\r\none two\r\n');
});
