import type { Clock, Timer } from './clock.ts';
import { LIMITS } from './limits.ts';

/** The memory of this process, as far as garbage is in it. */
export interface ProcessMemory {
  /** What the heap takes and keeps outside of it, in bytes. Costs next to nothing to ask. */
  heldBytes(): number;
  /**
   * Collects all garbage and gives what it took back to the system: stops everything for as long as that takes.
   */
  giveBack(): Promise<void>;
}

/** Gives memory back once after much was done, when little is done any more; never while nothing happens. */
export interface MemoryTidier {
  /** Something that leaves garbage was done with this many bytes of data. */
  note(bytes: number): void;
  stop(): void;
}

/**
 * V8 collects garbage when it needs room. After a burst it needs none, and would keep several times of what lives for
 * as long as the calm lasts. The start counts as a burst.
 */
export function createMemoryTidier(options: { memory: ProcessMemory; clock: Clock }): MemoryTidier {
  const { memory, clock } = options;
  const { tidyAfterBytes, quietMs, quietBytes, worthBytes, tooLargeBytes } = LIMITS.memory;
  let noted = 0;
  let timer: Timer | undefined;
  /** What was held after the last time; nothing yet. */
  let keptBytes = 0;

  const wait = (): void => {
    const before = noted;
    timer = clock.setTimer(quietMs, () => {
      if (noted - before > quietBytes) return wait();
      timer = undefined;
      noted = 0;
      const heldBytes = memory.heldBytes();
      if (heldBytes - keptBytes < worthBytes || heldBytes > tooLargeBytes) return;
      memory.giveBack().then(
        () => {
          keptBytes = memory.heldBytes();
        },
        // For want of memory perhaps; the next quiet time tries again.
        () => {},
      );
    });
  };
  wait();
  return {
    note(bytes) {
      noted += bytes;
      if (timer === undefined && noted > tidyAfterBytes) wait();
    },
    stop: () => timer?.cancel(),
  };
}
