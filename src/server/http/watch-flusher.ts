import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { chunkOf } from './streamed-body.ts';

interface Flushed {
  /** Writes what has come together. */
  flush(): void;
}

/** Lets all watchers that have something to send do so together, once in a turn of the event loop. */
export class Flusher {
  readonly #clock: Clock;
  #waiting: Flushed[] = [];
  #restUntilMs = 0;
  #parts: readonly Buffer[] = [];
  #joined: Buffer | undefined;
  #isChunked = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(stream: Flushed): void {
    this.#waiting.push(stream);
    if (this.#waiting.length > 1) return;
    const restMs = this.#restUntilMs - this.#clock.monotonicMs();
    if (restMs < 1) setImmediate(() => this.#flush());
    else this.#clock.setTimer(restMs, () => this.#flush());
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const startMs = this.#clock.monotonicMs();
    for (const stream of waiting) stream.flush();
    const endMs = this.#clock.monotonicMs();
    // Half of the time at most goes into watches: who asks for something waits for less, and more events leave together.
    this.#restUntilMs = endMs + Math.min(endMs - startMs, LIMITS.watch.restMs);
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
