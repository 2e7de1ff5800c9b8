import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { EARLIEST_NOW_MS } from '../../lib/pki/validity.ts';

export interface KeepRenewedOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Epoch milliseconds from which on `renew` has something to do. */
  readonly renewAtMs: number;
  /** Renews what is due; resolves with the next such moment. */
  readonly renew: () => Promise<number>;
}

/**
 * Renews certificates while the server runs, so that a board that is never restarted does not lock itself out. Looks at
 * their end once a day rather than sleeping until then: a board may boot in 1970 and be told the time later. Returns
 * what stops it, which resolves once a renewal under way has ended.
 */
export function keepRenewed({ clock, log, renewAtMs, renew }: KeepRenewedOptions): () => Promise<void> {
  const { renewalLookMs, renewalRetryMs } = LIMITS.pki;
  let dueMs = renewAtMs;
  let timer: Timer | undefined;
  let running: Promise<void> | undefined;
  let isOver = false;
  const leftMs = (): number => dueMs - Math.max(clock.now(), EARLIEST_NOW_MS);
  const wait = (delayMs: number): void => {
    if (!isOver) timer = clock.setTimer(delayMs, look);
  };
  const waitUntilDue = (): void => wait(Math.min(renewalLookMs, Math.max(renewalRetryMs, leftMs())));
  function look(): void {
    if (leftMs() > 0) waitUntilDue();
    else running = renewNow();
  }
  function renewNow(): Promise<void> {
    return renew().then(
      (nextMs) => {
        dueMs = nextMs;
        waitUntilDue();
      },
      (error: unknown) => {
        log.error('cannot renew certificates, will try again in an hour', { error });
        wait(renewalRetryMs);
      },
    );
  }
  waitUntilDue();
  return async () => {
    isOver = true;
    timer?.cancel();
    await running;
  };
}
