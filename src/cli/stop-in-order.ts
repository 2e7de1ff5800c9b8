import type { Clock, Timer } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';

/**
 * Stops one after the other; a failure is told and the next one follows. Resolves when all have stopped, or after
 * `withinMs`: what hangs then is left to the end of the process.
 */
export async function stopInOrder(
  stops: readonly (() => Promise<void>)[],
  { log, clock, withinMs }: { readonly log: Logger; readonly clock: Clock; readonly withinMs?: number },
): Promise<void> {
  let timer: Timer | undefined;
  let isLate = false;
  const late = new Promise<void>((resolve) => {
    if (withinMs === undefined) return;
    timer = clock.setTimer(withinMs, () => {
      isLate = true;
      log.error('something does not stop: going on without it', { withinMs });
      resolve();
    });
  });
  const all = async (): Promise<void> => {
    for (const stop of stops) {
      if (isLate) return;
      await stop().catch((error: unknown) => log.error('while stopping', { error }));
    }
  };
  await Promise.race([all(), late]);
  timer?.cancel();
}
