const CR = 0x0d;
const LF = 0x0a;

/** Gets a part of a body: bytes `from` to `to` of a buffer that is used again afterwards. */
export type OnBody = (buffer: Buffer, from: number, to: number) => void;

/** Reads an HTTP/1.1 answer in chunks as its bytes come, without keeping any. */
export class ChunkedAnswer {
  readonly #onBody: OnBody;
  #part: 'head' | 'size' | 'body' | 'over' = 'head';
  /** A head or a chunk's size that did not come whole yet. */
  #text = '';
  /** What is still to come of a chunk, the line's end after it included. */
  #left = 0;
  status = 0;
  bodyBytes = 0;

  constructor(onBody: OnBody) {
    this.#onBody = onBody;
  }

  get isOver(): boolean {
    return this.#part === 'over';
  }

  /** The next `length` bytes, which lie at the start of `buffer`. */
  take(buffer: Buffer, length: number): void {
    let at = 0;
    while (at < length && this.#part !== 'over') {
      if (this.#part === 'body') at = this.#takeBody(buffer, at, length);
      else this.#takeByte(buffer[at++] ?? 0);
    }
  }

  #takeBody(buffer: Buffer, at: number, length: number): number {
    const end = Math.min(at + this.#left, length);
    this.#left -= end - at;
    // The last two bytes of what is left end the line.
    const bodyEnd = Math.min(end, end + this.#left - 2);
    if (bodyEnd > at) {
      this.bodyBytes += bodyEnd - at;
      this.#onBody(buffer, at, bodyEnd);
    }
    if (this.#left === 0) this.#part = 'size';
    return end;
  }

  #takeByte(byte: number): void {
    this.#text += String.fromCharCode(byte);
    if (byte !== LF) return;
    if (this.#part === 'head') {
      if (!this.#text.endsWith('\r\n\r\n')) return;
      this.status = Number(this.#text.slice(9, 12));
      if (!/\r\ntransfer-encoding: chunked\r\n/i.test(this.#text))
        throw new Error(`not chunked: ${this.#text}`);
      this.#part = 'size';
    } else {
      if (this.#text.charCodeAt(this.#text.length - 2) !== CR) throw new Error('a chunk without its end');
      const sizeBytes = Number.parseInt(this.#text, 16);
      if (Number.isNaN(sizeBytes))
        throw new Error(`${JSON.stringify(this.#text)} is not the size of a chunk`);
      // Nothing but an empty line follows the last chunk: no server of ours sends trailers.
      this.#left = sizeBytes + 2;
      this.#part = sizeBytes === 0 ? 'over' : 'body';
    }
    this.#text = '';
  }
}
