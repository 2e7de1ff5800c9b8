import type { Clock } from '../../lib/clock.ts';

const MAX_SECONDS = 32;

/**
 * How many seconds a refused client should wait: more while many are refused, less when few are (upstream's
 * dropped_requests_tracker).
 */
export class RetryAfter {
  readonly #clock: Clock;
  #seconds = 1;
  #dropped = 0;
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Counts a refusal and says what to tell its client. */
  next(): number {
    const nowMs = this.#clock.monotonicMs();
    const elapsed = (nowMs - this.#sinceMs) / 1000;
    if (elapsed >= this.#seconds) {
      const quiet = Math.floor(elapsed / this.#seconds) - 1;
      if (this.#dropped > 3 * this.#seconds && quiet === 0)
        this.#seconds = Math.min(this.#seconds * 2, MAX_SECONDS);
      else if (this.#dropped < this.#seconds || quiet > 0)
        this.#seconds = Math.max(this.#seconds - 1 - quiet, 1);
      this.#dropped = 0;
      this.#sinceMs = nowMs;
    }
    this.#dropped++;
    return this.#seconds;
  }
}
