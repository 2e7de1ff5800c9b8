import { expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { Flusher } from './watch-flusher.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('serves all in one turn, then rests as long as that took', async () => {
  const clock = new FakeClock();
  let workedMs = 0;
  const flusher = new Flusher({
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs() + workedMs,
    setTimer: (delayMs, fn) => clock.setTimer(delayMs, fn),
  });
  let tookMs = 4;
  const served: number[] = [];
  const stream = (id: number) => ({
    flush: () => {
      served.push(id);
      workedMs += tookMs / 2;
    },
  });
  flusher.add(stream(1));
  flusher.add(stream(2));
  expect(served).toEqual([]);
  await turn();
  expect(served).toEqual([1, 2]);
  flusher.add(stream(3));
  await turn();
  await clock.advance(3);
  expect(served).toEqual([1, 2]);
  flusher.add(stream(4));
  tookMs = 1000;
  await clock.advance(1);
  expect(served).toEqual([1, 2, 3, 4]);
  // However long it took.
  flusher.add(stream(5));
  await clock.advance(LIMITS.watch.restMs - 1);
  expect(served).toHaveLength(4);
  await clock.advance(1);
  expect(served).toHaveLength(5);
});

it('makes what several send alike once', () => {
  const flusher = new Flusher(new FakeClock());
  const [one, two] = [Buffer.from('one\n'), Buffer.from('two\n')];
  const joined = flusher.join([one, two], true);
  expect(joined.toString()).toBe('8\r\none\ntwo\n\r\n');
  expect(flusher.join([one, two], true)).toBe(joined);
  expect(flusher.join([one, two], false).toString()).toBe('one\ntwo\n');
  expect(flusher.join([two, one], false).toString()).toBe('two\none\n');
  expect(flusher.join([one], true).toString()).toBe('4\r\none\n\r\n');
  expect(flusher.join([one], false)).toBe(one);
});
