import type { LifecycleHandler } from '../../api/types.gen.ts';
import { type Clock, sleep } from '../../lib/clock.ts';
import { type CheckTarget, check } from '../probes/check.ts';

/** Runs a postStart or preStop hook to its end; answers why it failed, or undefined. */
export async function runHook(
  handler: LifecycleHandler,
  timeoutMs: number,
  target: CheckTarget,
  clock: Clock,
): Promise<string | undefined> {
  if (handler.sleep !== undefined) {
    await sleep(clock, Math.min(handler.sleep.seconds * 1000, timeoutMs));
    return undefined;
  }
  const { ok, output } = await check(handler, timeoutMs, target);
  return ok ? undefined : output;
}
