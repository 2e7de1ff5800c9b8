import { Duplex } from 'node:stream';
import { LIMITS } from '../../lib/limits.ts';

export interface LaneOptions {
  /** Whether bytes come in, or go out, on this lane here. */
  readonly reads: boolean;
  readonly writes: boolean;
  readonly send: (bytes: Buffer) => void;
  readonly sendEnd: () => void;
  readonly sendCredit: (bytes: number) => void;
  /** Somebody here destroyed the lane before it had ended. */
  readonly onAbandoned: () => void;
}

type Done = (error?: Error | null) => void;

/**
 * One byte stream of a call. Each direction has a window: a sender stops when the receiver has so many bytes unread, and
 * goes on when it is told that some were read. Directions end separately.
 */
export class Lane extends Duplex {
  readonly #options: LaneOptions;
  readonly #unread: Buffer[] = [];
  #isWanted = false;
  #isEnded = false;
  #isCut = false;
  #failure: Error | undefined;
  #receivable: number = LIMITS.tunnel.windowBytes;
  #uncredited = 0;
  #sendable: number = LIMITS.tunnel.windowBytes;
  #waiting: { readonly bytes: Buffer; readonly done: Done } | undefined;

  constructor(options: LaneOptions) {
    // The window is the buffer; a second one would only hide how much was read.
    super({
      ...{ readable: options.reads, writable: options.writes },
      allowHalfOpen: true,
      readableHighWaterMark: 0,
    });
    this.#options = options;
    // Whoever uses the lane sees its errors; one that nobody uses any more must not end the process.
    this.on('error', () => {});
  }

  /** Bytes from the other side. Throws when it sends more than it was allowed to. */
  receive(bytes: Buffer): void {
    if (bytes.length > this.#receivable) throw new Error('the other side does not keep to its window');
    this.#receivable -= bytes.length;
    if (this.destroyed || !this.#options.reads) {
      this.#consumed(bytes.length);
      return;
    }
    this.#unread.push(bytes);
    this.#deliver();
  }

  /** The other side has no more bytes; what is unread can still be read, and then the failure shows. */
  receiveEnd(failure?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#failure = failure;
    this.#deliver();
  }

  /** The other side takes more. Throws when that is more than a window: what it does not read would pile up here. */
  credit(bytes: number): void {
    if (this.#sendable + bytes > LIMITS.tunnel.windowBytes)
      throw new Error('the other side offers more room than a window has');
    this.#sendable += bytes;
    const { bytes: left, done } = this.#waiting ?? {};
    this.#waiting = undefined;
    if (left && done) this.#send(left, done);
  }

  /** The call is over: what is still written goes nowhere, as with a connection whose other end is done. */
  cut(failure: Error | undefined): void {
    this.#isCut = true;
    this.receiveEnd(failure);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.done();
    if (failure !== undefined && !this.#options.reads) this.destroy(failure);
  }

  override _read(): void {
    this.#isWanted = true;
    this.#deliver();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#isCut) done();
    else this.#send(chunk, done);
  }

  override _final(done: Done): void {
    if (!this.#isCut) this.#options.sendEnd();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#waiting?.done(error ?? new Error('the stream was destroyed'));
    this.#waiting = undefined;
    for (const bytes of this.#unread.splice(0)) this.#consumed(bytes.length);
    const hasRead = !this.#options.reads || this.readableEnded;
    const hasWritten = !this.#options.writes || this.writableFinished;
    if (!this.#isCut && !hasWritten) this.#options.sendEnd();
    if (!this.#isCut && !(hasRead && hasWritten)) this.#options.onAbandoned();
    done(error);
  }

  #send(chunk: Buffer, done: Done): void {
    let left = chunk;
    while (left.length > 0 && this.#sendable > 0) {
      const slice = left.subarray(0, Math.min(this.#sendable, LIMITS.tunnel.sliceBytes));
      this.#sendable -= slice.length;
      this.#options.send(slice);
      left = left.subarray(slice.length);
    }
    if (left.length === 0) done();
    else this.#waiting = { bytes: left, done };
  }

  #deliver(): void {
    while (this.#isWanted && this.#unread.length > 0) {
      const bytes = this.#unread.shift() ?? Buffer.alloc(0);
      this.#consumed(bytes.length);
      this.#isWanted = this.push(bytes);
    }
    if (!this.#isEnded || this.#unread.length > 0 || !this.#options.reads || this.destroyed) return;
    if (this.#failure === undefined) this.push(null);
    // What was pushed and is not read yet would be lost; `_read` comes once it is.
    else if (this.readableLength === 0) this.destroy(this.#failure);
  }

  /** Told in halves of the window: neither a frame for each read, nor a sender that waits. */
  #consumed(sizeBytes: number): void {
    this.#uncredited += sizeBytes;
    if (this.#isEnded || this.#uncredited < LIMITS.tunnel.windowBytes / 2) return;
    this.#receivable += this.#uncredited;
    this.#options.sendCredit(this.#uncredited);
    this.#uncredited = 0;
  }
}
