import { apiError } from '../../api/status.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Exchange } from './exchange.ts';
import type { Metrics } from './metrics.ts';
import { Flusher } from './watch-flusher.ts';
import { Lag, type Shared, type WatchOptions, WatchStream } from './watch-stream.ts';

/** All watches of a server: what ends them together and reminds them of the time together. */
export class Watches {
  readonly #streams = new Set<WatchStream>();
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #users = new Map<string, number>();
  readonly #shared: Shared;
  #timer: Timer | undefined;

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#shared = { lag: new Lag(), flusher: new Flusher(clock) };
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
    const stream = new WatchStream(exchange, options, { ...this.#shared, sent });
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

/** As upstream: what the client asks for, else a random time so that not all come back at once. */
function timeoutMs(timeoutSeconds: number | undefined): number {
  if (timeoutSeconds !== undefined && timeoutSeconds > 0) return timeoutSeconds * 1000;
  return LIMITS.watch.minTimeoutMs * (1 + Math.random());
}
