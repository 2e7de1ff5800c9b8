import { describe, expect, it } from 'vitest';
import { rfc3339, rfc3339Micro, sleep, systemClock } from './clock.ts';
import { FakeClock } from './fake-clock.ts';

describe('sleep', () => {
  it('ends in time, or at once when aborted, and leaves no timer', async () => {
    const clock = new FakeClock();
    let woke = false;
    void sleep(clock, 100).then(() => {
      woke = true;
    });
    await clock.advance(99);
    expect(woke).toBe(false);
    await clock.advance(1);
    expect(woke).toBe(true);
    const controller = new AbortController();
    const slept = sleep(clock, 1000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(slept).rejects.toThrow('enough');
    expect(clock.timers).toBe(0);
  });
});

describe('FakeClock', () => {
  it('runs timers in the order they are due and lets the wall clock jump alone', async () => {
    const clock = new FakeClock(1_000_000);
    const ran: string[] = [];
    clock.setTimer(200, () => ran.push('late'));
    clock.setTimer(100, () => {
      ran.push('early');
      clock.setTimer(50, () => ran.push('nested'));
    });
    clock.jump(-500_000);
    await clock.advance(200);
    expect(ran).toEqual(['early', 'nested', 'late']);
    expect(clock.monotonicMs()).toBe(200);
    expect(clock.now()).toBe(500_200);
  });
});

describe('timestamps', () => {
  it('have the precision of metav1.Time and MicroTime', () => {
    expect(rfc3339(1_234)).toBe('1970-01-01T00:00:01Z');
    expect(rfc3339Micro(1_234)).toBe('1970-01-01T00:00:01.234000Z');
  });
  it('come from a clock whose timers can be cancelled', async () => {
    let ran = false;
    systemClock
      .setTimer(1, () => {
        ran = true;
      })
      .cancel();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(ran).toBe(false);
  });
});
