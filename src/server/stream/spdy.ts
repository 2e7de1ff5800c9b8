import { Duplex } from 'node:stream';
import { LIMITS } from '../../lib/limits.ts';
import { SpdyHeaderCodec, type SpdyHeaders } from './spdy-headers.ts';

/**
 * The server's side of SPDY/3.1 as kubectl speaks it for exec, attach and port-forward: streams that the client
 * opens, without flow control (moby/spdystream has none either). A reader that is slow holds up its connection.
 */
const VERSION = 3;
const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const HEADERS = 8;
const FLAG_FIN = 1;
const STATUS_PROTOCOL_ERROR = 1;
const STATUS_CANCEL = 5;
const MAX_DATA_BYTES = 64 * 1024;
const MAX_CONTROL_BYTES = 64 * 1024;

/** One stream of a session: bytes both ways; ends each way on its own. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #session: SpdySession;
  #resume: (() => void) | undefined;
  #sentEnd = false;

  constructor(session: SpdySession, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true, emitClose: true });
    this.id = id;
    this.headers = headers;
    this.#session = session;
    // A stream that is reset is not the process's problem; whoever reads it sees it end.
    this.on('error', () => {});
  }

  /** Resolves when the reader takes more. */
  receive(bytes: Buffer): Promise<void> | undefined {
    if (this.destroyed || this.push(bytes)) return undefined;
    return new Promise((resolve) => {
      this.#resume = resolve;
      this.once('close', resolve);
    });
  }
  receiveEnd(): void {
    if (!this.destroyed) this.push(null);
  }

  override _read(): void {
    this.#resume?.();
    this.#resume = undefined;
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#session.sendData(this.id, chunk, false).then(() => callback(), callback);
  }
  override _final(callback: (error?: Error | null) => void): void {
    this.#sentEnd = true;
    this.#session.sendData(this.id, Buffer.alloc(0), true).then(() => callback(), callback);
  }
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#session.forget(this, this.#sentEnd ? undefined : STATUS_CANCEL);
    callback(error);
  }
}

export interface SpdySessionOptions {
  /** A new stream; called before it is answered. A rejection refuses it. */
  readonly onStream: (stream: SpdyStream) => void;
}

/** One connection. Ends, and destroys its streams, when the transport does. */
export class SpdySession {
  readonly #transport: Duplex;
  readonly #options: SpdySessionOptions;
  readonly #codec = new SpdyHeaderCodec();
  readonly #streams = new Map<number, SpdyStream>();
  #closed = false;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;

  constructor(transport: Duplex, options: SpdySessionOptions, head: Buffer = Buffer.alloc(0)) {
    this.#transport = transport;
    this.#options = options;
    transport.on('error', () => {});
    if (head.length > 0) transport.unshift(head);
    this.closed = this.#run().then(
      () => this.close(),
      () => this.close(),
    );
  }

  /** Sends one data frame after another; resolves when the transport took them. */
  async sendData(id: number, bytes: Buffer, end: boolean): Promise<void> {
    let at = 0;
    do {
      const part = bytes.subarray(at, at + MAX_DATA_BYTES);
      at += part.length;
      const frame = Buffer.alloc(8);
      frame.writeUInt32BE(id, 0);
      frame.writeUInt32BE(part.length, 4);
      if (end && at >= bytes.length) frame[4] = FLAG_FIN;
      await this.#send(Buffer.concat([frame, part]));
    } while (at < bytes.length);
  }

  forget(stream: SpdyStream, status: number | undefined): void {
    if (!this.#streams.delete(stream.id) || status === undefined || this.#closed) return;
    void this.#sendReset(stream.id, status);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of [...this.#streams.values()]) stream.destroy();
    this.#streams.clear();
    this.#codec.close();
    this.#transport.end();
    setImmediate(() => this.#transport.destroy());
  }

  async #run(): Promise<void> {
    let waiting: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#transport) {
      waiting = waiting.length === 0 ? (chunk as Buffer) : Buffer.concat([waiting, chunk as Buffer]);
      for (;;) {
        if (waiting.length < 8) break;
        const length = waiting.readUInt32BE(4) & 0xffffff;
        const isControl = (waiting[0]! & 0x80) !== 0;
        if (isControl && length > MAX_CONTROL_BYTES) throw new Error('SPDY frame is too large');
        if (waiting.length < 8 + length) break;
        const frame = waiting.subarray(0, 8 + length);
        waiting = waiting.subarray(8 + length);
        if (isControl) await this.#control(frame);
        else await this.#data(frame);
      }
    }
  }

  async #data(frame: Buffer): Promise<void> {
    const id = frame.readUInt32BE(0) & 0x7fffffff;
    const stream = this.#streams.get(id);
    if (!stream) return;
    if (frame.length > 8) await stream.receive(Buffer.from(frame.subarray(8)));
    if ((frame[4]! & FLAG_FIN) !== 0) stream.receiveEnd();
  }

  async #control(frame: Buffer): Promise<void> {
    if ((frame.readUInt16BE(0) & 0x7fff) !== VERSION) throw new Error('unknown SPDY version');
    const type = frame.readUInt16BE(2);
    const body = frame.subarray(8);
    const id = body.length >= 4 ? body.readUInt32BE(0) & 0x7fffffff : 0;
    switch (type) {
      case SYN_STREAM:
        return this.#open(id, frame[4]!, await this.#codec.decode(body.subarray(10)));
      case HEADERS:
        // Nothing here reads trailers, but the decompressor must see every block.
        await this.#codec.decode(body.subarray(4));
        return;
      case RST_STREAM:
        this.#streams.get(id)?.receiveEnd();
        this.#streams.get(id)?.destroy();
        return;
      case PING:
        await this.#send(Buffer.from(frame));
        return;
      case GOAWAY:
        return;
      default:
        // SETTINGS and WINDOW_UPDATE ask for nothing that is done here.
        return;
    }
  }

  async #open(id: number, flags: number, headers: SpdyHeaders): Promise<void> {
    if (this.#streams.size >= LIMITS.stream.spdyStreams || this.#streams.has(id))
      return this.#sendReset(id, STATUS_PROTOCOL_ERROR);
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    const block = await this.#codec.encode({});
    await this.#send(controlFrame(SYN_REPLY, Buffer.concat([uint32(id), block])));
    if ((flags & FLAG_FIN) !== 0) stream.receiveEnd();
    this.#options.onStream(stream);
  }

  async #sendReset(id: number, status: number): Promise<void> {
    await this.#send(controlFrame(RST_STREAM, Buffer.concat([uint32(id), uint32(status)]))).catch(() => {});
  }

  #send(bytes: Buffer): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('connection is closed'));
    return new Promise((resolve, reject) => {
      this.#transport.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}

function controlFrame(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
