import { apiError } from '../../api/status.ts';
import type { WatchCache } from '../watchcache/port.ts';

/** A cache, and what feeds it. */
export interface Opened {
  readonly cache: WatchCache;
  /** Resolves when the cache shows everything committed so far; absent where it always does. */
  readonly settled?: () => Promise<void>;
  /** Lets go of what feeds the cache. */
  readonly end?: () => void;
}

/**
 * A cache that is filled when somebody comes: of the resources that definitions add, most are never asked for between
 * two starts. Whoever uses it awaits `open` first.
 */
export class LazyCache {
  readonly #make: (onLost: (error: Error) => void) => Promise<Opened>;
  #opening: Promise<void> | undefined;
  #opened: Opened | undefined;
  #isClosed = false;

  /** `make` calls `onLost` when the cache can show nothing new any more; the next one who comes tries again. */
  constructor(make: (onLost: (error: Error) => void) => Promise<Opened>) {
    this.#make = make;
  }

  /**
   * Resolves when the cache shows everything that was written before. Rejects when it cannot be filled; the next one who
   * comes tries again.
   */
  async open(): Promise<void> {
    if (this.#isClosed) throw goneError();
    this.#opening ??= this.#fill().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    await this.#opening;
    await this.settled();
  }

  async #fill(): Promise<void> {
    let lost: Error | undefined;
    const opened = await this.#make((error) => {
      lost = error;
      this.#lose();
    });
    if (lost) {
      release(opened);
      throw lost;
    }
    this.#opened = opened;
    if (this.#isClosed) this.#end();
  }

  #lose(): void {
    const opened = this.#opened;
    if (!opened) return;
    this.#opened = undefined;
    this.#opening = undefined;
    release(opened);
  }

  async settled(): Promise<void> {
    await this.#opened?.settled?.();
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  /** Throws 503 before `open` resolved. */
  get cache(): WatchCache {
    if (!this.#opened) throw goneError();
    return this.#opened.cache;
  }

  /** For good: watches end, nothing is kept. Resolves when the cache is gone. */
  async end(): Promise<void> {
    this.#isClosed = true;
    this.#end();
    await this.#opening?.catch(() => {});
  }

  #end(): void {
    this.#opened?.cache.end();
    this.#opened?.end?.();
  }

  endWatches(): void {
    this.#opened?.cache.endWatches();
  }
}

function release({ cache, end }: Opened): void {
  cache.close();
  end?.();
}

function goneError() {
  return apiError('ServiceUnavailable', 'the resource is being set up or taken down; please try again', {
    details: { retryAfterSeconds: 1 },
  });
}
