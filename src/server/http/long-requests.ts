import { apiError } from '../../api/status.ts';
import { LIMITS } from '../../lib/limits.ts';

/** Counts requests that last (logs, exec, port-forward, proxies): only so many at a time. */
export class LongRequests {
  #count = 0;

  get count(): number {
    return this.#count;
  }
  /** Returns what counts the request out again, once. Throws 429. */
  enter(): () => void {
    if (this.#count >= LIMITS.http.longRequests)
      throw apiError('TooManyRequests', 'Too many requests, please try again later.', {
        details: { retryAfterSeconds: 1 },
      });
    this.#count++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count--;
    };
  }
}
