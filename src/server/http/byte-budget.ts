import { apiError } from '../../api/status.ts';

/** Bytes that all requests together may hold, such as bodies on their way in. */
export class ByteBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }
  get usedBytes(): number {
    return this.#usedBytes;
  }
  /** Throws 429 when there are not so many left. */
  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.#limitBytes)
      throw apiError('TooManyRequests', 'Too many requests, please try again later.', {
        details: { retryAfterSeconds: 1 },
      });
    this.#usedBytes += bytes;
  }
  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
