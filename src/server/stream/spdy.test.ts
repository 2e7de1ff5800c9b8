import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SpdySession, type SpdyStream } from './spdy.ts';
import { SPDY_DICTIONARY, SpdyHeaderCodec } from './spdy-headers.ts';

const control = (type: number, flags: number, body: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  head[4] = flags;
  return Buffer.concat([head, body]);
};
const data = (id: number, flags: number, bytes: string): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(id, 0);
  head.writeUInt32BE(bytes.length, 4);
  head[4] = flags;
  return Buffer.concat([head, Buffer.from(bytes)]);
};
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const synStream = async (codec: SpdyHeaderCodec, id: number, headers: Record<string, string>) =>
  control(1, 0, Buffer.concat([uint32(id), uint32(0), Buffer.from([0, 0]), await codec.encode(headers)]));

describe('SPDY headers', () => {
  it('preloads the dictionary of the draft', () => {
    expect(SPDY_DICTIONARY).toHaveLength(1423);
  });
  it('keeps its state from block to block', async () => {
    const [sender, receiver] = [new SpdyHeaderCodec(), new SpdyHeaderCodec()];
    for (const port of ['80', '81', '82']) {
      const headers = { streamtype: 'data', port, requestid: '0' };
      expect(await receiver.decode(await sender.encode(headers))).toEqual(headers);
    }
  });
  it('is what any other zlib reads', async () => {
    const inflate = createInflate({ dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
    inflate.end(await new SpdyHeaderCodec().encode({ a: 'b' }));
    expect(await text(inflate)).toBe('\0\0\0\x01\0\0\0\x01a\0\0\0\x01b');
  });
  it('refuses a block that unpacks to too much', async () => {
    const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
    deflate.end(Buffer.alloc(1_000_000));
    const chunks: Buffer[] = [];
    for await (const chunk of deflate) chunks.push(chunk as Buffer);
    await expect(new SpdyHeaderCodec().decode(Buffer.concat(chunks))).rejects.toThrow();
  });
});

describe('SPDY session', () => {
  const open = () => {
    const [client, server] = duplexPair();
    const streams: SpdyStream[] = [];
    const session = new SpdySession(server, { onStream: (stream) => streams.push(stream) });
    const received: Buffer[] = [];
    client.on('data', (chunk: Buffer) => received.push(chunk));
    return { client, session, streams, received: () => Buffer.concat(received) };
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  };

  it('answers a stream and carries bytes both ways', async () => {
    const { client, streams, received, session } = open();
    const frames = [await synStream(new SpdyHeaderCodec(), 1, { StreamType: 'data' }), data(1, 1, 'hello')];
    // Cut where it hurts: frames do not respect chunks.
    const bytes = Buffer.concat(frames);
    for (let at = 0; at < bytes.length; at += 7) client.write(bytes.subarray(at, at + 7));
    await until(() => streams.length === 1);
    expect(streams[0]?.headers).toEqual({ streamtype: 'data' });
    const input: Buffer[] = [];
    streams[0]?.on('data', (chunk: Buffer) => input.push(chunk));
    await once(streams[0]!, 'end');
    expect(Buffer.concat(input).toString()).toBe('hello');
    streams[0]?.end('bye');
    const wanted = Buffer.concat([data(1, 0, 'bye'), data(1, 1, '')]);
    await until(() => received().subarray(-wanted.length).equals(wanted));
    const answer = received();
    expect(answer.readUInt16BE(2)).toBe(2);
    expect(answer.readUInt32BE(8)).toBe(1);
    session.close();
  });
  it('answers a ping with the same', async () => {
    const { client, received, session } = open();
    client.write(control(6, 0, uint32(7)));
    await until(() => received().length >= 12);
    expect(received()).toEqual(control(6, 0, uint32(7)));
    session.close();
  });
  it('ends everything with the connection', async () => {
    const { client, session, streams } = open();
    client.write(await synStream(new SpdyHeaderCodec(), 1, {}));
    await until(() => streams.length === 1);
    client.destroy();
    await session.closed;
    expect(streams[0]?.destroyed).toBe(true);
  });
  it.each([
    ['a version nobody speaks', Buffer.from([0x80, 9, 0, 1, 0, 0, 0, 0])],
    ['a frame that is too large', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
    ['nonsense for headers', control(1, 0, Buffer.alloc(40, 7))],
  ])('closes on %s', async (_what, bytes) => {
    const { client, session } = open();
    client.write(bytes);
    await session.closed;
  });
});
