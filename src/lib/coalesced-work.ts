import { Backoff } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';

export interface CoalescedWorkOptions {
  readonly clock: Clock;
  /** How long after being asked for it begins, so that changes that come together are worked on together. */
  readonly coalesceMs: number;
  /** Between two tries after failures. */
  readonly retry: { readonly baseMs: number; readonly maxMs: number };
  readonly work: () => Promise<void>;
  readonly onError: (error: unknown, delayMs: number) => void;
}

/**
 * Work that many ask for: done once for all who asked, never twice at the same time, again for those who asked meanwhile,
 * and again after a failure.
 */
export class CoalescedWork {
  readonly #options: CoalescedWorkOptions;
  readonly #backoff: Backoff;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #isStopped = false;

  constructor(options: CoalescedWorkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.retry);
  }

  ask(delayMs: number = this.#options.coalesceMs): void {
    if (this.#isStopped || this.#timer) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        if (this.#again) {
          this.#again = false;
          this.ask();
        }
      });
    });
  }

  async #run(): Promise<void> {
    const { clock, work, onError } = this.#options;
    try {
      await work();
      this.#backoff.forget('work');
    } catch (error) {
      if (this.#isStopped) return;
      const delayMs = this.#backoff.next('work');
      onError(error, delayMs);
      this.#timer = clock.setTimer(delayMs, () => {
        this.#timer = undefined;
        this.ask(0);
      });
    }
  }

  /** Resolves when nothing runs any more; nothing begins after that. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }
}
