/** Time as a port, so that tests and simulations own it. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. May jump; for timestamps only. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start; for durations and deadlines. */
  monotonicMs(): number;
  /** Calls `fn` once after `delayMs`. Never keeps the process alive by itself. */
  setTimer(delayMs: number, fn: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** setTimeout holds at most this much; longer delays are chained. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, fn) {
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      handle = setTimeout(
        () => (leftMs > MAX_TIMEOUT_MS ? arm(leftMs - MAX_TIMEOUT_MS) : fn()),
        Math.min(leftMs, MAX_TIMEOUT_MS),
      );
      handle.unref();
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** RFC 3339 with seconds, as `metav1.Time` is written. */
export function rfc3339(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  // A busy second is written hundreds of times.
  if (second !== lastSecond.at)
    lastSecond = { at: second, text: `${new Date(epochMs).toISOString().slice(0, 19)}Z` };
  return lastSecond.text;
}

let lastSecond = { at: Number.NaN, text: '' };

/** RFC 3339 with microseconds, as `metav1.MicroTime` is written. */
export function rfc3339Micro(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}
