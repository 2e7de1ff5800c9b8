const DAY_MS = 24 * 3_600_000;

/**
 * A moment that lies in the past for sure. A board without a battery-backed clock starts in 1970 or at some build
 * date; what it issues then must still be good once the clock is set.
 */
export const EARLIEST_NOW_MS = Date.UTC(2026, 0, 1);

export const LEAF_LIFETIME_MS = 365 * DAY_MS;
/** A leaf is renewed when less than this is left. */
export const RENEW_BEFORE_MS = 90 * DAY_MS;
/** Longer than any board lives: renewing a CA needs every agent. */
export const CA_LIFETIME_MS = 40 * 365 * DAY_MS;

/**
 * When a certificate issued now is valid. It starts in 1970, so that a clock that was ahead when it was issued, or
 * is behind when it is checked, never makes it "not yet valid".
 */
export function validity(nowMs: number, lifetimeMs: number): { notBeforeMs: number; notAfterMs: number } {
  return { notBeforeMs: 0, notAfterMs: Math.max(nowMs, EARLIEST_NOW_MS) + lifetimeMs };
}

/** Whether a leaf that ends at `notAfterMs` should be replaced. */
export function needsRenewal(notAfterMs: number, nowMs: number): boolean {
  return notAfterMs - Math.max(nowMs, EARLIEST_NOW_MS) < RENEW_BEFORE_MS;
}
