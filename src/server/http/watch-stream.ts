import { apiError } from '../../api/status.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { CounterSeries } from '../../lib/metrics.ts';
import type { Endpoint } from '../registry/registry.ts';
import { type OpenedWatch, openWatch, prepareWatch, type WatchQuery } from '../registry/watch.ts';
import type { CacheEvent } from '../watchcache/port.ts';
import { type Exchange, setWarnings, statusOf } from './exchange.ts';
import { StreamedBody } from './streamed-body.ts';
import type { Transform } from './transform.ts';
import type { Flusher } from './watch-flusher.ts';
import { bookmarkFrame, frame, InitialEvents } from './watch-frames.ts';

export interface WatchOptions {
  readonly endpoint: Endpoint;
  readonly query: WatchQuery;
  readonly timeoutSeconds: number | undefined;
  readonly transform: Transform | undefined;
}

/** What all watchers together have not read yet. */
export class Lag {
  totalBytes = 0;
  /** Watchers that have something left to read. */
  behind = 0;

  /** Whether somebody with so much is among those who are in the way of others. */
  isTooMuch(ownBytes: number): boolean {
    if (ownBytes > LIMITS.watch.lagBytes) return true;
    return this.totalBytes > LIMITS.watch.totalLagBytes && ownBytes >= this.totalBytes / (this.behind + 1);
  }
}

/** What all watchers of a server share. */
export interface Shared {
  readonly lag: Lag;
  readonly flusher: Flusher;
}

/**
 * One watch being answered. Initial objects are encoded only as the client takes them; events queue as bytes shared
 * by all watchers, bounded by `lagBytes`. What arrives within one turn of the event loop leaves as one write.
 */
export class WatchStream {
  readonly #exchange: Exchange;
  readonly #options: WatchOptions;
  readonly #lag: Lag;
  readonly #flusher: Flusher;
  readonly #sent: CounterSeries;
  #body: StreamedBody | undefined;
  #opened: OpenedWatch | undefined;
  #initial: InitialEvents | undefined;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #scheduled = false;
  #blocked = false;
  #ended = false;
  /** Why the watch ends as soon as it has begun. */
  #refusal: unknown;
  /** Revision of the last event or bookmark sent; a bookmark that says nothing new is not. */
  #lastRevision = 0;
  #finish: () => void = () => {};

  constructor(exchange: Exchange, options: WatchOptions, shared: Shared & { sent: CounterSeries }) {
    this.#exchange = exchange;
    this.#options = options;
    this.#lag = shared.lag;
    this.#flusher = shared.flusher;
    this.#sent = shared.sent;
  }
  get resource(): Endpoint['resource'] {
    return this.#options.endpoint.resource;
  }

  async run(): Promise<void> {
    const finished = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    await prepareWatch(this.#options.endpoint.served, this.#options.query);
    try {
      this.#opened = openWatch(this.#options.endpoint.served, this.#options.query, {
        event: (event) => this.#event(event),
        closed: (error) => (error ? this.#fail(error) : this.#finishQueued()),
      });
    } catch (error) {
      if (statusOf(error).code !== 410) throw error;
      this.#refusal = error;
    }
    setWarnings(this.#exchange);
    this.#exchange.fields.set('content-type', 'application/json');
    this.#body = new StreamedBody(this.#exchange, 200);
    this.#exchange.audit?.started(200);
    this.#exchange.disconnect.onceHappened(() => this.end());
    if (this.#refusal !== undefined) this.#fail(this.#refusal);
    else this.#begin(this.#opened as OpenedWatch);
    await finished;
  }

  #begin(opened: OpenedWatch): void {
    const { initial, revision, marksInitialEnd } = opened;
    const { endpoint, transform } = this.#options;
    const end = marksInitialEnd ? bookmarkFrame(endpoint, revision, true) : undefined;
    if (initial.length > 0 || end) this.#initial = new InitialEvents(initial, end, transform);
    this.#lastRevision = revision;
    this.#schedule();
  }

  #event(event: CacheEvent): void {
    this.#lastRevision = event.object.revision;
    const { transform } = this.#options;
    this.#push(transform ? frame(event.type, transform(event.object.object())) : event.frame());
  }

  bookmark(): void {
    const { revision } = this.#options.endpoint.served.cache;
    if (this.#ended || !this.#options.query.allowWatchBookmarks || revision <= this.#lastRevision) return;
    // Initial objects still to be sent are older than this; they must not come after it.
    if (this.#initial) return;
    this.#lastRevision = revision;
    this.#push(bookmarkFrame(this.#options.endpoint, revision, false));
  }

  #push(bytes: Buffer): void {
    if (this.#ended || this.#refusal !== undefined) return;
    this.#sent.value++;
    this.#queue.push(bytes);
    this.#setQueued(this.#queuedBytes + bytes.length);
    if (this.#lag.isTooMuch(this.#queuedBytes)) {
      this.#clear();
      this.#fail(apiError('Expired', 'the watcher was too slow; list again'));
    } else this.#schedule();
  }

  #clear(): void {
    this.#queue = [];
    this.#setQueued(0);
  }

  #setQueued(bytes: number): void {
    this.#lag.totalBytes += bytes - this.#queuedBytes;
    if (this.#queuedBytes === 0 && bytes > 0) this.#lag.behind++;
    if (this.#queuedBytes > 0 && bytes === 0) this.#lag.behind--;
    this.#queuedBytes = bytes;
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    this.#flusher.add(this);
  }

  flush(): void {
    this.#scheduled = false;
    this.#pump();
  }

  #pump(): void {
    const body = this.#body;
    while (body && !this.#blocked && !this.#ended) {
      const bytes = this.#initial ? this.#nextInitial(this.#initial, body) : this.#nextQueued(body);
      if (!bytes) {
        this.#exchange.release();
        return;
      }
      if (!body.write(bytes)) this.#block(body);
      else this.#initial?.renew();
      // From here on it waits: for events, or for a client that reads slowly.
      if (this.#blocked || !this.#initial) this.#exchange.release();
    }
  }

  #block(body: StreamedBody): void {
    this.#blocked = true;
    body.whenDrained(() => {
      this.#blocked = false;
      this.#pump();
    });
  }

  #nextInitial(initial: InitialEvents, { isChunked }: StreamedBody): Buffer {
    const bytes = initial.next(isChunked);
    if (initial.isOver) this.#initial = undefined;
    return bytes;
  }

  #nextQueued({ isChunked }: StreamedBody): Buffer | undefined {
    const queue = this.#queue;
    if (queue.length === 0) return undefined;
    // A watcher that was far behind catches up piece by piece, as it reads.
    let count = 0;
    let sizeBytes = 0;
    while (count < queue.length && (count === 0 || sizeBytes < LIMITS.http.listChunkBytes))
      sizeBytes += (queue[count++] as Buffer).length;
    const isAll = count === queue.length;
    this.#queue = isAll ? [] : queue.slice(count);
    this.#setQueued(this.#queuedBytes - sizeBytes);
    return this.#flusher.join(isAll ? queue : queue.slice(0, count), isChunked);
  }

  /** An ERROR event, then the end: clients know a 410 there. */
  #fail(error: unknown): void {
    if (this.#ended) return;
    if (!this.#body) {
      this.#refusal = error;
      return;
    }
    this.#send(this.#body, [frame('ERROR', statusOf(error))]);
    this.end();
  }

  /** What is queued still goes out. */
  #finishQueued(): void {
    if (this.#body && !this.#initial && this.#queue.length > 0) this.#send(this.#body, this.#queue);
    this.end();
  }

  #send(body: StreamedBody, frames: readonly Buffer[]): void {
    body.write(this.#flusher.join(frames, body.isChunked));
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#opened?.handle.stop();
    this.#clear();
    this.#initial = undefined;
    this.#body?.end();
    this.#finish();
  }
}
