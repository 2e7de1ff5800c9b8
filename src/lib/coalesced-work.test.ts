import { beforeEach, expect, it } from 'vitest';
import { CoalescedWork } from './coalesced-work.ts';
import { FakeClock } from './fake-clock.ts';

let clock: FakeClock;
let runs: PromiseWithResolvers<void>[];
let errors: [string, number][];
let work: CoalescedWork;
beforeEach(() => {
  clock = new FakeClock();
  runs = [];
  errors = [];
  work = new CoalescedWork({
    clock,
    coalesceMs: 100,
    retry: { baseMs: 1000, maxMs: 4000 },
    work: () => {
      const run = Promise.withResolvers<void>();
      runs.push(run);
      return run.promise;
    },
    onError: (error, delayMs) => errors.push([(error as Error).message, delayMs]),
  });
});

it('is done once for all who ask together', async () => {
  for (let at = 0; at < 5; at++) work.ask();
  await clock.advance(99);
  expect(runs).toHaveLength(0);
  await clock.advance(1);
  expect(runs).toHaveLength(1);
  runs[0]?.resolve();
  await clock.advance(10_000);
  expect([runs.length, clock.timers]).toEqual([1, 0]);
});

it('is done again for those who ask meanwhile, and not beside itself', async () => {
  work.ask(0);
  await clock.advance(0);
  work.ask();
  work.ask();
  await clock.advance(10_000);
  expect(runs).toHaveLength(1);
  runs[0]?.resolve();
  await clock.advance(100);
  expect(runs).toHaveLength(2);
});

it('is tried again after a failure, ever more slowly', async () => {
  work.ask();
  for (let at = 0; at < 3; at++) {
    await clock.advance(4000);
    runs.at(-1)?.reject(new Error(`failure ${at}`));
    await clock.advance(0);
    // Whoever asks now waits as long.
    work.ask();
  }
  expect(errors.map(([text]) => text)).toEqual(['failure 0', 'failure 1', 'failure 2']);
  const [first = 0, second = 0, third = 0] = errors.map(([, delayMs]) => delayMs);
  expect([first <= second, second <= third, third <= 4000]).toEqual([true, true, true]);
  await clock.advance(4000);
  runs.at(-1)?.resolve();
  await clock.advance(10_000);
  expect([runs.length, clock.timers]).toEqual([4, 0]);
});

it('does not begin after it was stopped, and ends what runs', async () => {
  work.ask(0);
  await clock.advance(0);
  work.ask();
  let hasStopped = false;
  const stopping = work.stop().then(() => {
    hasStopped = true;
  });
  await clock.advance(1000);
  expect(hasStopped).toBe(false);
  runs[0]?.reject(new Error('cut short'));
  await stopping;
  work.ask();
  await clock.advance(10_000);
  expect([runs.length, errors, clock.timers]).toEqual([1, [], 0]);
});
