import type { Clock, Timer } from './clock.ts';

interface Pending {
  atMs: number;
  sequence: number;
  fn: () => void;
}

/** Virtual time: nothing happens until `advance`. Timers due at the same instant run in the order they were set. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #sequence = 0;
  readonly #pending = new Set<Pending>();
  readonly #settle: () => Promise<void>;

  /** `settle` lets what is under way go on; one turn of the event loop is enough for all but files and children. */
  constructor(startMs = Date.UTC(2026, 0, 1), settle: () => Promise<void> = oneTurn) {
    this.#wallMs = startMs;
    this.#settle = settle;
  }
  now(): number {
    return this.#wallMs;
  }
  monotonicMs(): number {
    return this.#monotonicMs;
  }
  setTimer(delayMs: number, fn: () => void): Timer {
    const entry = { atMs: this.#monotonicMs + Math.max(0, delayMs), sequence: this.#sequence++, fn };
    this.#pending.add(entry);
    return { cancel: () => this.#pending.delete(entry) };
  }
  /** Moves the wall clock alone, as a clock correction does. */
  jump(deltaMs: number): void {
    this.#wallMs += deltaMs;
  }
  get timers(): number {
    return this.#pending.size;
  }
  /** Runs every timer due within `deltaMs`, letting promises settle in between. */
  async advance(deltaMs: number): Promise<void> {
    const endMs = this.#monotonicMs + deltaMs;
    for (;;) {
      await this.#settle();
      let next: Pending | undefined;
      for (const entry of this.#pending) {
        if (entry.atMs > endMs) continue;
        if (!next || entry.atMs < next.atMs || (entry.atMs === next.atMs && entry.sequence < next.sequence))
          next = entry;
      }
      if (!next) break;
      this.#pending.delete(next);
      this.#wallMs += next.atMs - this.#monotonicMs;
      this.#monotonicMs = next.atMs;
      next.fn();
    }
    this.#wallMs += endMs - this.#monotonicMs;
    this.#monotonicMs = endMs;
    await this.#settle();
  }
}

function oneTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
