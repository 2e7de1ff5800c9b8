import type { Writable } from 'node:stream';
import { apiVersionOf, type KubeObject } from '../../api/resource.ts';
import { apiError } from '../../api/status.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Endpoint } from '../registry/registry.ts';
import { type OpenedWatch, openWatch, prepareWatch, type WatchQuery } from '../registry/watch.ts';
import type { CachedObject, CacheEvent } from '../watchcache/port.ts';
import { type Exchange, setWarnings, statusOf } from './exchange.ts';

/** Shows an object another way than as its stored bytes (a Table row, metadata only, another version). */
export type Transform = (object: KubeObject) => object;

export interface WatchOptions {
  readonly endpoint: Endpoint;
  readonly query: WatchQuery;
  readonly timeoutSeconds: number | undefined;
  readonly transform: Transform | undefined;
}

/** All watches of a server: what ends them together and reminds them of the time together. */
export class Watches {
  readonly #streams = new Set<WatchStream>();
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }
  get size(): number {
    return this.#streams.size;
  }

  /** Answers a watch request; resolves when it has ended. Throws before anything is written for a bad query. */
  async serve(exchange: Exchange, options: WatchOptions): Promise<void> {
    if (this.#streams.size >= LIMITS.watch.perServer) {
      const text = `the server has ${LIMITS.watch.perServer} watches already; please try again`;
      throw apiError('TooManyRequests', text, { details: { retryAfterSeconds: 1 } });
    }
    const stream = new WatchStream(exchange, options);
    this.#streams.add(stream);
    this.#timer ??= this.#clock.setTimer(LIMITS.watch.bookmarkMs, () => this.#remind());
    const timer = this.#clock.setTimer(timeoutMs(options.timeoutSeconds), () => stream.end());
    try {
      await stream.run();
    } finally {
      timer.cancel();
      this.#streams.delete(stream);
      if (this.#streams.size === 0) {
        this.#timer?.cancel();
        this.#timer = undefined;
      }
    }
  }

  /** Every watch ends as if its time were up: clients simply watch again. */
  close(): void {
    for (const stream of this.#streams) stream.end();
  }

  #remind(): void {
    for (const stream of this.#streams) stream.bookmark();
    this.#timer = this.#clock.setTimer(LIMITS.watch.bookmarkMs, () => this.#remind());
  }
}

/** As upstream: what the client asks for, else a random time so that not all come back at once. */
function timeoutMs(timeoutSeconds: number | undefined): number {
  if (timeoutSeconds !== undefined && timeoutSeconds > 0) return timeoutSeconds * 1000;
  return LIMITS.watch.minTimeoutMs * (1 + Math.random());
}

/**
 * One watch being answered. Initial objects are encoded only as the client takes them; events queue as bytes shared
 * by all watchers, bounded by `lagBytes`. What arrives within one turn of the event loop leaves as one write.
 */
class WatchStream {
  readonly #exchange: Exchange;
  readonly #options: WatchOptions;
  readonly #out: Writable;
  #opened: OpenedWatch | undefined;
  #initial: Iterator<CachedObject> | undefined;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #scheduled = false;
  #blocked = false;
  #ended = false;
  /** Revision of the last event or bookmark sent; a bookmark that says nothing new is not. */
  #lastRevision = 0;
  #finish: () => void = () => {};

  constructor(exchange: Exchange, options: WatchOptions) {
    this.#exchange = exchange;
    this.#options = options;
    this.#out = exchange.response;
  }

  async run(): Promise<void> {
    const { response } = this.#exchange;
    const finished = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    let refusal: unknown;
    await prepareWatch(this.#options.endpoint.served, this.#options.query);
    try {
      this.#opened = openWatch(this.#options.endpoint.served, this.#options.query, {
        event: (event) => this.#event(event),
        closed: (error) => this.#fail(error),
      });
    } catch (error) {
      if (statusOf(error).code !== 410) throw error;
      refusal = error;
    }
    setWarnings(this.#exchange);
    response.statusCode = 200;
    response.setHeader('content-type', 'application/json');
    response.flushHeaders();
    this.#exchange.disconnect.signal.addEventListener('abort', () => this.end(), { once: true });
    this.#out.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
    if (refusal !== undefined) this.#fail(refusal);
    else this.#begin();
    await finished;
  }

  #begin(): void {
    const { initial, revision } = this.#opened!;
    this.#initial = initial[Symbol.iterator]();
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
    if (this.#ended) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > LIMITS.watch.lagBytes) {
      this.#queue = [];
      this.#fail(apiError('Expired', 'the watcher was too slow; list again'));
    } else this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (!this.#blocked && !this.#ended) {
      const chunk = this.#initial ? this.#nextInitial(this.#initial) : this.#nextQueued();
      if (!chunk) {
        if (this.#initial || this.#queue.length > 0) continue;
        return;
      }
      if (!this.#out.write(chunk)) this.#blocked = true;
    }
  }

  #nextInitial(initial: Iterator<CachedObject>): Buffer | undefined {
    const { transform, endpoint } = this.#options;
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    while (sizeBytes < LIMITS.http.listChunkBytes) {
      const { value, done } = initial.next();
      if (done) {
        this.#initial = undefined;
        const { marksInitialEnd, revision } = this.#opened!;
        if (marksInitialEnd) parts.push(bookmarkFrame(endpoint, revision, true));
        break;
      }
      const bytes = transform ? frame('ADDED', transform(value.object())) : spliceFrame(value.json());
      parts.push(bytes);
      sizeBytes += bytes.length;
    }
    return parts.length === 0 ? undefined : Buffer.concat(parts);
  }

  #nextQueued(): Buffer | undefined {
    const [first] = this.#queue;
    if (!first) return undefined;
    const chunk = this.#queue.length === 1 ? first : Buffer.concat(this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
    return chunk;
  }

  /** An ERROR event, then the end: clients know a 410 there. */
  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#out.write(frame('ERROR', statusOf(error)));
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#opened?.handle.stop();
    this.#queue = [];
    this.#initial = undefined;
    this.#out.end();
    this.#finish();
  }
}

function frame(type: string, object: object): Buffer {
  return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
}

const ADDED_HEAD = Buffer.from('{"type":"ADDED","object":');
const FRAME_TAIL = Buffer.from('}\n');

function spliceFrame(json: Buffer): Buffer {
  return Buffer.concat([ADDED_HEAD, json, FRAME_TAIL]);
}

/** An otherwise empty object that says: nothing up to this revision is still to come (KEP-956, KEP-3157). */
function bookmarkFrame({ resource }: Endpoint, revision: number, initialEnd: boolean): Buffer {
  const annotations = initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  return frame('BOOKMARK', {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: { resourceVersion: String(revision), creationTimestamp: null, ...annotations },
  });
}
