import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { type Exchange, sendHead } from './exchange.ts';

/**
 * The body of an answer whose length is not known when it begins. Over HTTP/1.1 whoever writes has framed the bytes as
 * chunks already (`chunkOf`, `Piece`) and they go to the socket as they are: one write, one TLS record, the same bytes
 * for all who are sent the same. Left to Node a write is four pieces, copied together for each client anew.
 */
export class StreamedBody {
  /** Whether what is written must be whole chunks of HTTP/1.1 (RFC 9112, 7.1); otherwise it is the plain bytes. */
  readonly isChunked: boolean;
  readonly #response: Exchange['response'];
  readonly #raw: ServerResponse;

  /** Sends the header fields. */
  constructor(exchange: Pick<Exchange, 'request' | 'response' | 'fields'>, code: number) {
    const { request, response } = exchange;
    this.#response = response;
    this.#raw = response as unknown as ServerResponse;
    sendHead(exchange, code);
    response.flushHeaders();
    this.isChunked =
      request.httpVersionMajor === 1 && request.method !== 'HEAD' && this.#raw.chunkedEncoding === true;
    // Node frames no more, but for the end.
    if (this.isChunked) this.#raw.chunkedEncoding = false;
  }

  /** Answers false when the client has to read first; `whenDrained` tells when it has. */
  write(bytes: Buffer): boolean {
    return this.#target.write(bytes);
  }

  /** To be called right after a `write` that answered false. Never calls back when the connection ends before. */
  whenDrained(callback: () => void): void {
    this.#target.once('drain', callback);
  }

  end(): void {
    if (this.isChunked) this.#raw.chunkedEncoding = true;
    this.#response.end();
  }

  /** An answer that waits for the one before it on the same connection has no socket yet; Node keeps its bytes. */
  get #target(): Writable {
    return (this.isChunked ? this.#raw.socket : null) ?? (this.#response as Writable);
  }
}

const CRLF = '\r\n';
const CR = 0x0d;
const LF = 0x0a;

/** Room for the head of a chunk below 4 GB. */
const HEAD_BYTES = 10;
const TAIL_BYTES = CRLF.length;

const headOf = (lengthBytes: number): string => lengthBytes.toString(16) + CRLF;

/** All parts, together not empty, as one chunk. */
export function chunkOf(parts: readonly Buffer[]): Buffer {
  let sizeBytes = 0;
  for (const part of parts) sizeBytes += part.length;
  const head = headOf(sizeBytes);
  const bytes = Buffer.allocUnsafe(head.length + sizeBytes + TAIL_BYTES);
  let at = bytes.write(head, 'latin1');
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  bytes[at] = CR;
  bytes[at + 1] = LF;
  return bytes;
}

/** What writes its JSON straight into a piece. */
export interface JsonSource {
  /** Length of its JSON. */
  readonly jsonBytes: number;
  /** Writes it at `at`, where there must be room. */
  writeJson(target: Buffer, at: number): void;
}

/** Part of a body being put together, with room for the frame of a chunk around it. */
export class Piece {
  #buffer: Buffer;
  #at = HEAD_BYTES;

  /** `sizeBytes`: how much it holds. */
  constructor(sizeBytes: number) {
    this.#buffer = Piece.#allocate(sizeBytes);
  }

  static #allocate(sizeBytes: number): Buffer {
    return Buffer.allocUnsafeSlow(HEAD_BYTES + sizeBytes + TAIL_BYTES);
  }

  get isEmpty(): boolean {
    return this.#at === HEAD_BYTES;
  }

  /** Whether so much fits as well. An empty piece makes room for whatever comes. */
  hasRoom(moreBytes: number): boolean {
    if (this.#at + moreBytes + TAIL_BYTES <= this.#buffer.length) return true;
    if (!this.isEmpty) return false;
    this.#buffer = Piece.#allocate(moreBytes);
    return true;
  }

  /** There must be room for it. */
  addText(ascii: string): void {
    this.#at += this.#buffer.write(ascii, this.#at, 'latin1');
  }

  addBytes(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  addJson(source: JsonSource): void {
    const { jsonBytes } = source;
    source.writeJson(this.#buffer, this.#at);
    this.#at += jsonBytes;
  }

  /** What was put in, for `StreamedBody.write`. The piece is empty then, but its bytes are still those that are sent. */
  take(isChunked: boolean): Buffer {
    const end = this.#at;
    this.#at = HEAD_BYTES;
    if (!isChunked) return this.#buffer.subarray(HEAD_BYTES, end);
    const head = headOf(end - HEAD_BYTES);
    const start = HEAD_BYTES - head.length;
    this.#buffer.write(head, start, 'latin1');
    this.#buffer[end] = CR;
    this.#buffer[end + 1] = LF;
    return this.#buffer.subarray(start, end + TAIL_BYTES);
  }

  /** Other bytes for the next part, as long as the last one is still being sent. */
  renew(): void {
    this.#buffer = Buffer.allocUnsafeSlow(this.#buffer.length);
  }
}
