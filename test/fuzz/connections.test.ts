import { connect as connectH2, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/lib/limits.ts';
import { startTestHttp, type TestHttp } from '../../src/server/http/test-http.fake.ts';
import { open, rawExchange } from './raw-connection.ts';

/** Short enough to be waited for; the real ones are in `LIMITS.http`. */
const TIMEOUTS = {
  handshakeTimeoutMs: 1000,
  headersTimeoutMs: 800,
  requestTimeoutMs: 1600,
  idleTimeoutMs: 800,
};
const MAPS = '/api/v1/namespaces/default/configmaps';
const AUTH = 'Authorization: Bearer tester';

let http: TestHttp;
/** The same server where it has little patience. */
let impatient: { port: number; ca: string };
beforeAll(async () => {
  http = await startTestHttp();
  impatient = { port: await http.listen(TIMEOUTS), ca: http.ca };
});
afterAll(() => http.stop());

const alive = async (): Promise<void> => {
  expect(await http.send('GET', '/readyz')).toMatchObject({ code: 200, text: 'ok' });
};
const metric = async (name: string): Promise<number> => {
  const { text } = await http.send('GET', '/metrics');
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
};
const until = async (check: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + 20_000;
  while (!(await check())) if (performance.now() > deadline) throw new Error('it never came true');
};
const closed = (one: { readonly destroyed: boolean; once(event: 'close', then: () => void): unknown }) =>
  new Promise<void>((resolve) => {
    if (one.destroyed) resolve();
    else one.once('close', () => resolve());
  });

describe('slow clients', () => {
  it('that never finish a handshake, or their headers, are cut off', async () => {
    const silent = connectTcp(impatient.port, '127.0.0.1').on('error', () => {});
    const halfway = await open(impatient);
    halfway.write(`GET ${MAPS} HTTP/1.1\r\nHost: localhost\r\nX-Slow:`);
    halfway.resume();
    await Promise.all([closed(silent), closed(halfway)]);
    await alive();
  });

  it('that never finish a body are cut off, and give their seats back', async () => {
    const name = 'apiserver_current_inflight_requests\\{request_kind="mutating"\\}';
    const before = await metric(name);
    const slow = await Promise.all(Array.from({ length: 20 }, () => open(impatient)));
    for (const socket of slow) {
      socket.write(
        `POST ${MAPS} HTTP/1.1\r\nHost: localhost\r\n${AUTH}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
      );
      socket.resume();
    }
    await Promise.all(slow.map(closed));
    await until(async () => (await metric(name)) === before);
    await alive();
  });

  it('that read nothing cost no more than their share', async () => {
    for (let at = 0; at < 40; at++)
      await http.send('POST', MAPS, { metadata: { name: `big-${at}` }, data: { x: 'x'.repeat(100_000) } });
    const readers = await Promise.all(Array.from({ length: 60 }, () => open(http)));
    for (const socket of readers) {
      socket.pause();
      socket.write(`GET ${MAPS} HTTP/1.1\r\nHost: localhost\r\n${AUTH}\r\nAccept-Encoding: identity\r\n\r\n`);
    }
    await alive();
    const { external, heapUsed } = process.memoryUsage();
    // Sixty lists of four megabytes would be 240 MB.
    expect(external + heapUsed).toBeLessThan(200 * 1024 * 1024);
    for (const socket of readers) socket.destroy();
    await alive();
  });

  it('that watch and read nothing are dropped before they hold too much', async () => {
    const watchers = await Promise.all(Array.from({ length: 12 }, () => open(http)));
    for (const socket of watchers) {
      socket.pause();
      socket.write(`GET ${MAPS}?watch=1&resourceVersion=0 HTTP/1.1\r\nHost: localhost\r\n${AUTH}\r\n\r\n`);
    }
    const watching =
      'apiserver_longrunning_requests\\{verb="WATCH",group="",version="v1",resource="configmaps"\\}';
    await until(async () => (await metric(watching)) === 12);
    const data = { x: 'y'.repeat(500_000) };
    for (let at = 0; at < 20; at++) {
      const patch = { 'content-type': 'application/merge-patch+json' };
      await http.send('PATCH', `${MAPS}/big-0`, { data: { ...data, at: String(at) } }, patch);
    }
    // Ten megabytes went by, and nobody may be further behind than four.
    expect(LIMITS.watch.lagBytes).toBeLessThan(10_000_000);
    await until(async () => !((await metric(watching)) > 0));
    for (const socket of watchers) socket.destroy();
    await alive();
  });

  it('that leave in the middle of a watch are forgotten', async () => {
    const watcher = await open(http);
    watcher.write(`GET ${MAPS}?watch=1 HTTP/1.1\r\nHost: localhost\r\n${AUTH}\r\n\r\n`);
    await new Promise((resolve) => watcher.once('data', resolve));
    watcher.destroy();
    const watching =
      'apiserver_longrunning_requests\\{verb="WATCH",group="",version="v1",resource="configmaps"\\}';
    await until(async () => !((await metric(watching)) > 0));
  });
});

describe('bytes that are no request', () => {
  it.each([
    ['nonsense', 'hello\r\n\r\n'],
    ['two lengths', `POST ${MAPS} HTTP/1.1\r\nHost: l\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}`],
    [
      'a length and chunks',
      `POST ${MAPS} HTTP/1.1\r\nHost: l\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a negative length', `POST ${MAPS} HTTP/1.1\r\nHost: l\r\nContent-Length: -1\r\n\r\n`],
    ['bad chunks', `POST ${MAPS} HTTP/1.1\r\nHost: l\r\n${AUTH}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['no host', `GET ${MAPS} HTTP/1.1\r\n\r\n`],
    ['too many header bytes', `GET ${MAPS} HTTP/1.1\r\nHost: l\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`],
    ['a very long path', `GET /api/v1/${'a'.repeat(200_000)} HTTP/1.1\r\nHost: l\r\n\r\n`],
    ['a null byte in a header', `GET ${MAPS} HTTP/1.1\r\nHost: l\r\nX: a\0b\r\n\r\n`],
    ['HTTP/2 in clear text inside', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s ends the connection or is refused', async (_what, text) => {
    const answer = await rawExchange(http, Buffer.from(text, 'latin1'));
    if (answer === 'closed') return;
    expect(answer).toMatchObject({ code: expect.toSatisfy((code: number) => code >= 400 && code < 500) });
  });

  it('instead of TLS end the connection', async () => {
    const socket = connectTcp(http.port, '127.0.0.1').on('error', () => {});
    socket.write(`GET ${MAPS} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    socket.resume();
    await closed(socket);
    await alive();
  });
});

describe('HTTP/2', () => {
  const session = async ({ port } = { port: http.port }) => {
    const socket = await open({ port, ca: http.ca }, 'h2');
    const client = connectH2(`https://127.0.0.1:${port}`, { createConnection: () => socket });
    client.on('error', () => {});
    return client;
  };
  const ask = (headers: Record<string, string>, client: Awaited<ReturnType<typeof session>>) =>
    new Promise<number>((resolve, reject) => {
      const stream = client.request({ ':path': MAPS, authorization: 'Bearer tester', ...headers });
      let code = 0;
      stream.on('response', (answer) => {
        code = Number(answer[':status']);
      });
      stream.on('error', reject);
      stream.on('close', () => resolve(code));
      stream.resume();
      stream.end();
    });

  it('answers, and closes a connection that carries nothing', async () => {
    const client = await session(impatient);
    expect(await ask({}, client)).toBe(200);
    await closed(client);
  });

  const frame = (type: number, payload: Buffer, streamId = 0, flags = 0): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(streamId, 5);
    return Buffer.concat([head, payload]);
  };
  /** A connection that sends what it likes, after the preface. */
  async function rawSession(): Promise<TLSSocket> {
    const socket = await open(http, 'h2');
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, Buffer.alloc(0))]));
    return socket;
  }
  /** Error codes of the GOAWAY frames in what a server said. */
  function farewells(said: Buffer): number[] {
    const codes: number[] = [];
    for (let at = 0; at + 17 <= said.length; at += 9 + said.readUIntBE(at, 3))
      if (said[at + 3] === 7) codes.push(said.readUInt32BE(at + 13));
    return codes;
  }

  it('cuts off who resets streams as fast as they open', async () => {
    const socket = await rawSession();
    const said: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => said.push(chunk));
    const gone = closed(socket);
    const headers = [
      // GET and https, then :authority, :path and authorization as literals that nobody keeps (RFC 7541, 6.2.2).
      Buffer.from([0x82, 0x87]),
      ...(
        [
          [[0x01], 'localhost'],
          [[0x04], '/version'],
          [[0x0f, 0x08], 'Bearer tester'],
        ] as const
      ).map(([index, text]) => Buffer.concat([Buffer.from([...index, text.length]), Buffer.from(text)])),
    ];
    const request = Buffer.concat(headers);
    const CANCEL = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
    // At once: what a slow machine takes between two of them would count for the client.
    socket.write(
      Buffer.concat(
        Array.from({ length: LIMITS.http.streamResets * 3 }, (_, at) => [
          frame(1, request, 2 * at + 1, 0x5),
          frame(3, CANCEL, 2 * at + 1),
        ]).flat(),
      ),
    );
    await gone;
    expect(farewells(Buffer.concat(said))).toContainEqual(expect.toSatisfy((code: number) => code !== 0));
    await alive();
  });

  it('refuses more headers than fit', async () => {
    const client = await session();
    const many = Object.fromEntries(
      Array.from({ length: LIMITS.http.headerPairs + 50 }, (_, at) => [`x-${at}`, 'y']),
    );
    expect(await ask(many, client).catch(() => 0)).not.toBe(200);
    client.destroy();
    await alive();
  });

  it('survives floods of settings, pings and priority frames', async () => {
    const floods = [
      frame(4, Buffer.alloc(0)),
      frame(6, Buffer.alloc(8)),
      frame(2, Buffer.from([0, 0, 0, 0, 1]), 1),
      frame(8, Buffer.from([0, 0, 0, 1])),
      frame(9, Buffer.alloc(100), 1),
      frame(200, Buffer.alloc(10)),
    ];
    for (const one of floods) {
      const socket = await rawSession();
      const batch = Buffer.concat(Array.from({ length: 1000 }, () => one));
      for (let times = 0; times < 10 && !socket.destroyed; times++) {
        socket.write(batch);
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.destroy();
    }
    await alive();
  });

  it('ends the connection of who has no credential', async () => {
    const client = await session();
    const gone = closed(client);
    expect(await ask({ authorization: 'Bearer bad' }, client)).toBe(401);
    await gone;
  });

  it('refuses a body that is too large, and says so', async () => {
    const client = await session();
    const stream = client.request({
      ':path': MAPS,
      ':method': 'POST',
      authorization: 'Bearer tester',
      'content-type': 'application/json',
    });
    stream.on('error', () => {});
    const answer = new Promise<number>((resolve) =>
      stream.once('response', (headers) => resolve(Number(headers[':status']))),
    );
    const text: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => text.push(chunk));
    stream.write(Buffer.alloc(LIMITS.http.bodyBytes + 1000, 'x'));
    expect(await answer).toBe(413);
    await closed(stream);
    expect(JSON.parse(Buffer.concat(text).toString())).toMatchObject({ kind: 'Status', code: 413 });
    client.destroy();
  });
});
