import { chunkOf } from './streamed-body.ts';

interface Flushed {
  /** Writes what has come together. */
  flush(): void;
}

/** Lets all watchers that have something to send do so together, once in a turn of the event loop. */
export class Flusher {
  #waiting: Flushed[] = [];
  #parts: readonly Buffer[] = [];
  #joined: Buffer | undefined;
  #isChunked = false;

  add(stream: Flushed): void {
    this.#waiting.push(stream);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const stream of waiting) stream.flush();
    this.#parts = [];
    this.#joined = undefined;
  }

  /** The frames of some events as what is written; made once for all who are sent the same, one after the other. */
  join(parts: readonly Buffer[], isChunked: boolean): Buffer {
    const [first] = parts;
    if (!isChunked && parts.length === 1 && first) return first;
    if (this.#joined && this.#isChunked === isChunked && isSame(parts, this.#parts)) return this.#joined;
    this.#parts = parts;
    this.#isChunked = isChunked;
    this.#joined = isChunked ? chunkOf(parts) : Buffer.concat(parts);
    return this.#joined;
  }
}

function isSame(one: readonly Buffer[], other: readonly Buffer[]): boolean {
  return one.length === other.length && one.every((part, index) => part === other[index]);
}
