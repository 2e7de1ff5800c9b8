import { Backoff } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import { workQueueMetrics } from './work-queue-metrics.ts';

export interface WorkQueueOptions {
  clock: Clock;
  /** Under which `/metrics` counts it; without one it is not counted. */
  name?: string;
  /** Handles one key. A rejection retries the key with back-off; a number asks for another run after so many ms. */
  work: (key: string) => Promise<number | undefined>;
  onError?: (key: string, error: unknown) => void;
  concurrency?: number;
  baseMs?: number;
  maxMs?: number;
}

/**
 * Keys only, each at most once waiting and never worked on twice at the same time (client-go workqueue). A key
 * added while it is being worked on runs again afterwards.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #backoff: Backoff;
  readonly #waiting = new Set<string>();
  /** Keys that are worked on, and since when. */
  readonly #running = new Map<string, number>();
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { timer: Timer; atMs: number }>();
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: options.baseMs ?? 20, maxMs: options.maxMs ?? 60_000 });
    if (options.name !== undefined) workQueueMetrics.add(this);
  }

  get name(): string {
    return this.#options.name ?? '';
  }
  get depth(): number {
    return this.#waiting.size;
  }
  get longestMs(): number {
    const [sinceMs] = this.#running.values();
    return sinceMs === undefined ? 0 : this.#options.clock.monotonicMs() - sinceMs;
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#running.has(key)) this.#again.add(key);
    else if (!this.#waiting.has(key)) {
      this.#waiting.add(key);
      if (this.#options.name !== undefined) workQueueMetrics.adds.add([this.#options.name]);
      queueMicrotask(() => this.#pump());
    }
  }

  /** Adds later; of several delays for one key the soonest wins. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const atMs = this.#options.clock.monotonicMs() + delayMs;
    const known = this.#delayed.get(key);
    if (known && known.atMs <= atMs) return;
    known?.timer.cancel();
    const timer = this.#options.clock.setTimer(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { timer, atMs });
  }

  get length(): number {
    return this.#waiting.size + this.#running.size;
  }

  /** Takes no more work; resolves when what is running has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    workQueueMetrics.remove(this);
    this.#waiting.clear();
    this.#again.clear();
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#stopped || this.#running.size >= (this.#options.concurrency ?? 1)) return;
      this.#waiting.delete(key);
      this.#running.set(key, this.#options.clock.monotonicMs());
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      const againMs = await this.#options.work(key);
      this.#backoff.forget(key);
      if (typeof againMs === 'number') this.addAfter(key, againMs);
    } catch (error) {
      this.#options.onError?.(key, error);
      if (this.#options.name !== undefined) workQueueMetrics.retries.add([this.#options.name]);
      this.addAfter(key, this.#backoff.next(key));
    }
    this.#finish(key);
    if (this.#again.delete(key)) this.add(key);
    if (this.#stopped && this.#running.size === 0) for (const wake of this.#idle.splice(0)) wake();
    this.#pump();
  }

  #finish(key: string): void {
    const { name, clock } = this.#options;
    const sinceMs = this.#running.get(key) ?? 0;
    this.#running.delete(key);
    if (name !== undefined) workQueueMetrics.work.of(name).observe((clock.monotonicMs() - sinceMs) / 1000);
  }
}
