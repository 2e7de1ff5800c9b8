import type { Clock, Timer } from './clock.ts';

interface Deadline {
  readonly endMs: number;
  readonly expire: () => void;
}

/**
 * Deadlines that are all equally long, such as those of requests: the oldest ends first, so that one timer serves them
 * all. Most are cancelled long before their end; the timer then finds nothing and is not set again.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #delayMs: number;
  /** A set keeps the order in which they began, which is that of their ends. */
  readonly #running = new Set<Deadline>();
  #timer: Timer | undefined;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** Calls `expire` once after the delay, unless it is cancelled first. */
  start(expire: () => void): Timer {
    const one: Deadline = { endMs: this.#clock.monotonicMs() + this.#delayMs, expire };
    this.#running.add(one);
    this.#timer ??= this.#clock.setTimer(this.#delayMs, () => this.#look());
    return { cancel: () => void this.#running.delete(one) };
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    try {
      for (const one of this.#running) {
        if (one.endMs > nowMs) break;
        this.#running.delete(one);
        one.expire();
      }
    } finally {
      // One that throws must not leave the others without a timer.
      const [next] = this.#running;
      this.#timer = next && this.#clock.setTimer(Math.max(0, next.endMs - nowMs), () => this.#look());
    }
  }
}
