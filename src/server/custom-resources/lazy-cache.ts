import { apiError } from '../../api/status.ts';
import type { WatchCache } from '../watchcache/port.ts';

/**
 * A cache that is filled when somebody comes: of the resources that definitions add, most are never asked for between
 * two starts. Whoever uses it awaits `open` first.
 */
export class LazyCache {
  readonly #make: () => Promise<WatchCache>;
  #opening: Promise<void> | undefined;
  #opened: WatchCache | undefined;
  #isClosed = false;

  constructor(make: () => Promise<WatchCache>) {
    this.#make = make;
  }

  /** Rejects when the cache cannot be filled; the next one who comes tries again. */
  open(): Promise<void> {
    if (this.#isClosed) return Promise.reject(goneError());
    this.#opening ??= this.#fill().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #fill(): Promise<void> {
    const cache = await this.#make();
    this.#opened = cache;
    if (this.#isClosed) cache.end();
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  /** Throws 503 before `open` resolved. */
  get cache(): WatchCache {
    if (!this.#opened) throw goneError();
    return this.#opened;
  }

  /** For good: watches end, nothing is kept. Resolves when the cache is gone. */
  async end(): Promise<void> {
    this.#isClosed = true;
    this.#opened?.end();
    await this.#opening?.catch(() => {});
  }

  endWatches(): void {
    this.#opened?.endWatches();
  }
}

function goneError() {
  return apiError('ServiceUnavailable', 'the resource is being set up or taken down; please try again', {
    details: { retryAfterSeconds: 1 },
  });
}
