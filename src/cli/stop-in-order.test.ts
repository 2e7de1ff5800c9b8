import { describe, expect, it } from 'vitest';
import { FakeClock } from '../lib/fake-clock.ts';
import { silentLogger } from '../lib/log.ts';
import { stopInOrder } from './stop-in-order.ts';

describe('stopping', () => {
  const did: string[] = [];
  const log = { ...silentLogger, error: (text: string) => void did.push(text) };

  it('goes on after a failure, in order', async () => {
    const clock = new FakeClock();
    did.length = 0;
    const fail = async (): Promise<void> => {
      throw new Error('broken');
    };
    const note = (what: string) => async () => void did.push(what);
    await stopInOrder([note('a'), fail, note('b')], { log, clock, withinMs: 1000 });
    expect(did).toEqual(['a', 'while stopping', 'b']);
    expect(clock.timers).toBe(0);
  });

  it('does not wait for ever for what hangs', async () => {
    const clock = new FakeClock();
    did.length = 0;
    const hang = () => new Promise<void>(() => {});
    const stopped = stopInOrder([hang], { log, clock, withinMs: 1000 }).then(() => did.push('over'));
    await clock.advance(999);
    expect(did).toEqual([]);
    await clock.advance(1);
    await stopped;
    expect(did).toEqual(['something does not stop: going on without it', 'over']);
  });
});
