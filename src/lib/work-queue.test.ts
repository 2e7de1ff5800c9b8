import { describe, expect, it } from 'vitest';
import { FakeClock } from './fake-clock.ts';
import { WorkQueue } from './work-queue.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('WorkQueue', () => {
  it('works on a key once however often it is added, and again when it was added meanwhile', async () => {
    const clock = new FakeClock();
    const done: string[] = [];
    const gates: (() => void)[] = [];
    const queue = new WorkQueue({
      clock,
      work: async (key) => {
        done.push(key);
        await new Promise<void>((open) => gates.push(open));
        return undefined;
      },
    });
    queue.add('a');
    queue.add('a');
    await turn();
    expect(done).toEqual(['a']);
    queue.add('a');
    queue.add('a');
    await turn();
    expect(done).toEqual(['a']);
    gates.shift()?.();
    await turn();
    await turn();
    expect(done).toEqual(['a', 'a']);
    gates.shift()?.();
    await queue.stop();
  });

  it('never runs one key twice at a time, whatever the concurrency', async () => {
    const clock = new FakeClock();
    let running = 0;
    let most = 0;
    const perKey = new Map<string, number>();
    const queue = new WorkQueue({
      clock,
      concurrency: 2,
      work: async (key) => {
        perKey.set(key, (perKey.get(key) ?? 0) + 1);
        expect(perKey.get(key)).toBe(1);
        most = Math.max(most, ++running);
        await turn();
        running--;
        perKey.set(key, 0);
        return undefined;
      },
    });
    for (const key of ['a', 'b', 'c', 'a', 'b']) queue.add(key);
    for (let n = 0; n < 10; n++) await turn();
    expect(most).toBe(2);
    expect(queue.length).toBe(0);
    await queue.stop();
  });

  it('retries a failed key with growing delays and forgets them after success', async () => {
    const clock = new FakeClock();
    const at: number[] = [];
    let failures = 3;
    const queue = new WorkQueue({
      clock,
      baseMs: 100,
      work: async () => {
        at.push(clock.monotonicMs());
        if (failures-- > 0) throw new Error('not yet');
        return undefined;
      },
    });
    queue.add('a');
    await clock.advance(10_000);
    expect(at).toEqual([0, 100, 300, 700]);
    failures = 1;
    queue.add('a');
    await clock.advance(10_000);
    expect(at.slice(4).map((ms) => ms - 10_000)).toEqual([0, 100]);
    await queue.stop();
  });

  it('lets the soonest of several delays win and runs again when asked to', async () => {
    const clock = new FakeClock();
    const at: number[] = [];
    const queue = new WorkQueue({
      clock,
      work: async () => {
        at.push(clock.monotonicMs());
        return at.length === 1 ? 250 : undefined;
      },
    });
    queue.addAfter('a', 500);
    queue.addAfter('a', 100);
    queue.addAfter('a', 900);
    await clock.advance(2000);
    expect(at).toEqual([100, 350]);
    await queue.stop();
    expect(clock.timers).toBe(0);
  });

  it('stops: waits for what runs, drops the rest, leaves no timer', async () => {
    const clock = new FakeClock();
    let open = (): void => {};
    let ended = false;
    const queue = new WorkQueue({
      clock,
      work: async () => {
        await new Promise<void>((resolve) => {
          open = resolve;
        });
        ended = true;
        return 50;
      },
    });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 100);
    await turn();
    const stopped = queue.stop();
    open();
    await stopped;
    expect(ended).toBe(true);
    expect(clock.timers).toBe(0);
    queue.add('d');
    await clock.advance(1000);
    expect(queue.length).toBe(0);
  });
});
