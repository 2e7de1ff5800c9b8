/** What one watch delivered, in order. */
export interface WatchEvent<T> {
  readonly type: string;
  readonly object: T;
}

/** The events of one watch, to be awaited one after the other. */
export class WatchEvents<T> {
  readonly all: WatchEvent<T>[] = [];
  #read = 0;
  #wake: (() => void) | undefined;
  #controller: AbortController | undefined;
  #ended = false;
  #error: unknown;

  push(event: WatchEvent<T>): void {
    this.all.push(event);
    this.#wake?.();
  }
  end(error: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#wake?.();
  }
  /** Whether the server or `stop` ended the watch. */
  get ended(): boolean {
    return this.#ended;
  }
  stopWith(controller: AbortController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort();
  }
  stop(): void {
    this.#ended = true;
    this.#controller?.abort();
    this.#wake?.();
  }

  /** The next event for which `match` holds; earlier ones are passed over. */
  async next(
    match: (event: WatchEvent<T>) => boolean = () => true,
    timeoutMs = 30_000,
  ): Promise<WatchEvent<T>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      while (this.#read < this.all.length) {
        const event = this.all[this.#read++];
        if (event && match(event)) return event;
      }
      const leftMs = deadline - performance.now();
      if (this.#ended || leftMs <= 0) {
        const why = this.#ended ? `the watch ended (${String(this.#error)})` : `nothing for ${timeoutMs} ms`;
        throw new Error(`waited for an event: ${why}; seen: ${this.all.map(({ type }) => type).join(' ')}`);
      }
      await this.#change(leftMs);
    }
  }

  /** Types of the next `count` events in their order. */
  async types(count: number): Promise<string[]> {
    const types: string[] = [];
    while (types.length < count) types.push((await this.next()).type);
    return types;
  }

  /** Resolves with what came within `forMs` (or with the first event, if one comes earlier). */
  async quiet(forMs: number): Promise<readonly WatchEvent<T>[]> {
    if (this.#read === this.all.length) await this.#change(forMs);
    return this.all.slice(this.#read);
  }

  async #change(withinMs: number): Promise<void> {
    await new Promise<void>((done) => {
      const timer = setTimeout(done, withinMs);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.#wake = undefined;
  }
}
