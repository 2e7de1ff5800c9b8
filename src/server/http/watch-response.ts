import type { Writable } from 'node:stream';
import { apiVersionOf, type KubeObject } from '../../api/resource.ts';
import { apiError } from '../../api/status.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { CounterSeries } from '../../lib/metrics.ts';
import type { Endpoint } from '../registry/registry.ts';
import { type OpenedWatch, openWatch, prepareWatch, type WatchQuery } from '../registry/watch.ts';
import type { CachedObject, CacheEvent } from '../watchcache/port.ts';
import { type Exchange, setWarnings, statusOf } from './exchange.ts';
import type { Metrics } from './metrics.ts';

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
  readonly #metrics: Metrics;
  readonly #users = new Map<string, number>();
  readonly #lag = new Lag();
  #timer: Timer | undefined;

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }
  get size(): number {
    return this.#streams.size;
  }

  /** How many there are of each resource. */
  counts(): { labels: string[]; value: number }[] {
    const counts = new Map<string, { labels: string[]; value: number }>();
    for (const { resource } of this.#streams) {
      const labels = ['WATCH', resource.group, resource.version, resource.resource];
      const one = counts.get(labels.join()) ?? { labels, value: 0 };
      one.value++;
      counts.set(labels.join(), one);
    }
    return [...counts.values()];
  }

  /** Answers a watch request; resolves when it has ended. Throws before anything is written for a bad query. */
  async serve(exchange: Exchange, options: WatchOptions): Promise<void> {
    const { name } = exchange.user;
    const own = this.#users.get(name) ?? 0;
    if (this.#streams.size >= LIMITS.watch.perServer) throw tooMany('the server', LIMITS.watch.perServer);
    if (own >= LIMITS.watch.perUser) throw tooMany(`user ${JSON.stringify(name)}`, LIMITS.watch.perUser);
    const { group, version, resource } = options.endpoint.resource;
    const sent = this.#metrics.watchEvents.of(group, version, resource);
    const stream = new WatchStream(exchange, options, { lag: this.#lag, sent });
    this.#streams.add(stream);
    this.#users.set(name, own + 1);
    this.#timer ??= this.#clock.setTimer(LIMITS.watch.bookmarkMs, () => this.#remind());
    const timer = this.#clock.setTimer(timeoutMs(options.timeoutSeconds), () => stream.end());
    try {
      await stream.run();
    } finally {
      timer.cancel();
      this.#streams.delete(stream);
      const left = (this.#users.get(name) ?? 1) - 1;
      if (left > 0) this.#users.set(name, left);
      else this.#users.delete(name);
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

function tooMany(who: string, limit: number): Error {
  const text = `${who} has ${limit} watches already; please try again`;
  return apiError('TooManyRequests', text, { details: { retryAfterSeconds: 1 } });
}

/** What all watchers together have not read yet. */
class Lag {
  totalBytes = 0;
  /** Watchers that have something left to read. */
  behind = 0;

  /** Whether somebody with so much is among those who are in the way of others. */
  isTooMuch(ownBytes: number): boolean {
    if (ownBytes > LIMITS.watch.lagBytes) return true;
    return this.totalBytes > LIMITS.watch.totalLagBytes && ownBytes >= this.totalBytes / (this.behind + 1);
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
  readonly #lag: Lag;
  readonly #sent: CounterSeries;
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

  constructor(exchange: Exchange, options: WatchOptions, shared: { lag: Lag; sent: CounterSeries }) {
    this.#exchange = exchange;
    this.#options = options;
    this.#out = exchange.response;
    this.#lag = shared.lag;
    this.#sent = shared.sent;
  }
  get resource(): Endpoint['resource'] {
    return this.#options.endpoint.resource;
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
        closed: (error) => (error ? this.#fail(error) : this.#finishQueued()),
      });
    } catch (error) {
      if (statusOf(error).code !== 410) throw error;
      refusal = error;
    }
    setWarnings(this.#exchange);
    response.statusCode = 200;
    response.setHeader('content-type', 'application/json');
    response.flushHeaders();
    this.#exchange.audit?.started(200);
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
        this.#exchange.release();
        return;
      }
      if (!this.#out.write(chunk)) this.#blocked = true;
      // From here on it waits: for events, or for a client that reads slowly.
      if (this.#blocked || !this.#initial) this.#exchange.release();
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
    // A watcher that was far behind catches up piece by piece, as it reads.
    let count = 0;
    let sizeBytes = 0;
    while (count < this.#queue.length && (count === 0 || sizeBytes < LIMITS.http.listChunkBytes))
      sizeBytes += this.#queue[count++]!.length;
    const parts = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = parts === this.#queue ? [] : this.#queue.slice(count);
    this.#setQueued(this.#queuedBytes - sizeBytes);
    return parts.length === 1 ? first : Buffer.concat(parts);
  }

  /** An ERROR event, then the end: clients know a 410 there. */
  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#out.write(frame('ERROR', statusOf(error)));
    this.end();
  }

  /** What is queued still goes out. */
  #finishQueued(): void {
    if (this.#initial === undefined) for (const chunk of this.#queue) this.#out.write(chunk);
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#opened?.handle.stop();
    this.#clear();
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
