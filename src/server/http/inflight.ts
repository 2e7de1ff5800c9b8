import { apiError } from '../../api/status.ts';

/** Bounds requests under way, reads and writes apart; more than that is refused at once rather than queued. */
export class Inflight {
  reads = 0;
  writes = 0;
  readonly #maxReads: number;
  readonly #maxWrites: number;

  constructor(limits: { readonly inflightReads: number; readonly inflightWrites: number }) {
    this.#maxReads = limits.inflightReads;
    this.#maxWrites = limits.inflightWrites;
  }

  /** Counts a request in; call what it returns when the request is over. Throws 429. */
  enter(isRead: boolean): () => void {
    if (isRead ? this.reads >= this.#maxReads : this.writes >= this.#maxWrites) {
      throw apiError('TooManyRequests', 'Too many requests, please try again later.', {
        details: { retryAfterSeconds: 1 },
      });
    }
    if (isRead) this.reads++;
    else this.writes++;
    return () => {
      if (isRead) this.reads--;
      else this.writes--;
    };
  }
}
