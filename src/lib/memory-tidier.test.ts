import { describe, expect, it } from 'vitest';
import { FakeClock } from './fake-clock.ts';
import { LIMITS } from './limits.ts';
import { createMemoryTidier } from './memory-tidier.ts';

const { tidyAfterBytes, quietMs, quietBytes, worthBytes, tooLargeBytes } = LIMITS.memory;

describe('memory tidier', () => {
  const setUp = (heldBytes: number) => {
    const clock = new FakeClock();
    const memory = { held: heldBytes, live: heldBytes / 2, times: 0 };
    const tidier = createMemoryTidier({
      clock,
      memory: {
        heldBytes: () => memory.held,
        giveBack: async () => {
          memory.times++;
          memory.held = memory.live;
        },
      },
    });
    return { clock, memory, tidier };
  };

  it('gives back what the start left', async () => {
    const { clock, memory } = setUp(4 * worthBytes);
    await clock.advance(quietMs - 1);
    expect(memory.times).toBe(0);
    await clock.advance(1);
    expect(memory.times).toBe(1);
  });

  it('waits until a burst is over, and then does it once', async () => {
    const { clock, memory, tidier } = setUp(4 * worthBytes);
    await clock.advance(quietMs);
    for (let seconds = 0; seconds < 60; seconds++) {
      tidier.note(tidyAfterBytes + 1);
      memory.held = 8 * worthBytes;
      await clock.advance(1000);
    }
    expect(memory.times).toBe(1);
    await clock.advance(2 * quietMs);
    expect(memory.times).toBe(2);
  });

  it('has no timer while nothing happens, or little', async () => {
    const { clock, memory, tidier } = setUp(4 * worthBytes);
    await clock.advance(quietMs);
    expect(clock.timers).toBe(0);
    tidier.note(tidyAfterBytes);
    expect(clock.timers).toBe(0);
    expect(memory.times).toBe(1);
  });

  it('does not mind a trickle', async () => {
    const { clock, memory, tidier } = setUp(4 * worthBytes);
    tidier.note(quietBytes);
    await clock.advance(quietMs);
    expect(memory.times).toBe(1);
  });

  it('leaves alone what is not worth the pause', async () => {
    const { clock, memory, tidier } = setUp(4 * worthBytes);
    await clock.advance(quietMs);
    memory.held += worthBytes - 1;
    tidier.note(tidyAfterBytes + 1);
    await clock.advance(2 * quietMs);
    expect(memory.times).toBe(1);
  });

  it('leaves a heap alone whose collection would stop everything for long', async () => {
    const { clock, memory } = setUp(tooLargeBytes + 1);
    await clock.advance(quietMs);
    expect(memory.times).toBe(0);
  });

  it('ends its timer', () => {
    const { clock, tidier } = setUp(0);
    tidier.stop();
    expect(clock.timers).toBe(0);
  });
});
