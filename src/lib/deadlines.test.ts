import { beforeEach, describe, expect, it } from 'vitest';
import { Deadlines } from './deadlines.ts';
import { FakeClock } from './fake-clock.ts';

describe('deadlines of one length', () => {
  let clock: FakeClock;
  let deadlines: Deadlines;
  let ended: string[];
  beforeEach(() => {
    clock = new FakeClock();
    deadlines = new Deadlines(clock, 100);
    ended = [];
  });
  const start = (name: string) => deadlines.start(() => ended.push(name));

  it('end each in its time, with one timer for all', async () => {
    start('first');
    await clock.advance(30);
    start('second');
    start('third');
    expect(clock.timers).toBe(1);
    await clock.advance(69);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual(['first']);
    await clock.advance(29);
    expect(ended).toEqual(['first']);
    await clock.advance(1);
    expect(ended).toEqual(['first', 'second', 'third']);
    expect(clock.timers).toBe(0);
  });

  it('say nothing once they are cancelled, and leave no timer behind', async () => {
    const first = start('first');
    await clock.advance(50);
    start('second').cancel();
    first.cancel();
    first.cancel();
    await clock.advance(1000);
    expect(ended).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  it('end although one of them throws', async () => {
    deadlines.start(() => {
      throw new Error('no');
    });
    start('second');
    await clock.advance(100).catch(() => {});
    await clock.advance(0);
    expect(ended).toEqual(['second']);
  });

  it('may begin, and be cancelled, while another one ends', async () => {
    const second = { cancel: () => {} };
    deadlines.start(() => {
      ended.push('first');
      second.cancel();
      start('late');
    });
    second.cancel = start('second').cancel;
    start('third');
    await clock.advance(100);
    expect(ended).toEqual(['first', 'third']);
    await clock.advance(99);
    expect(ended).toEqual(['first', 'third']);
    await clock.advance(1);
    expect(ended).toEqual(['first', 'third', 'late']);
  });
});
