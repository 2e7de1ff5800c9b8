import type { Probe } from '../../api/types.gen.ts';

/** Consecutive answers of one probe, and what they amount to. */
export interface ProbeTrack {
  readonly successes: number;
  readonly failures: number;
}

export const UNTRIED: ProbeTrack = { successes: 0, failures: 0 };

/** One more answer: the new counts and, once a threshold is reached, the verdict (upstream's prober worker). */
export function track(
  state: ProbeTrack,
  ok: boolean,
  probe: Probe,
): { readonly state: ProbeTrack; readonly verdict: boolean | undefined } {
  const next: ProbeTrack = ok
    ? { successes: state.successes + 1, failures: 0 }
    : { successes: 0, failures: state.failures + 1 };
  const enough = ok
    ? next.successes >= (probe.successThreshold ?? 1)
    : next.failures >= (probe.failureThreshold ?? 3);
  return { state: next, verdict: enough ? ok : undefined };
}
