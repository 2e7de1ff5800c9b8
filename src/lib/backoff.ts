/**
 * Exponential delays per key with a ceiling, without jitter, as client-go's `ItemExponentialFailureRateLimiter`: the
 * first failure waits `baseMs`. Remembers a key until `forget`, so forget keys that are gone.
 */
export class Backoff {
  readonly #failures = new Map<string, number>();
  readonly #baseMs: number;
  readonly #maxMs: number;
  constructor(options: { baseMs: number; maxMs: number }) {
    this.#baseMs = options.baseMs;
    this.#maxMs = options.maxMs;
  }
  /** Counts one more failure of `key` and says how long to wait now. */
  next(key: string): number {
    const count = this.#failures.get(key) ?? 0;
    this.#failures.set(key, count + 1);
    return Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(count, 30));
  }
  forget(key: string): void {
    this.#failures.delete(key);
  }
}
