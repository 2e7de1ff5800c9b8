import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { silentLogger as log } from '../../lib/log.ts';
import { keepRenewed } from './keep-renewed.ts';

const DAY_MS = 24 * 3_600_000;

describe('certificates of a server that is never restarted', () => {
  it('are renewed in time although the clock said 1970 when it started', async () => {
    const clock = new FakeClock(0);
    const renewAtMs = Date.UTC(2026, 11, 1);
    const renewedAt: number[] = [];
    const renew = async (): Promise<number> => {
      renewedAt.push(clock.now());
      return clock.now() + 275 * DAY_MS;
    };
    const stop = keepRenewed({ clock, log, renewAtMs, renew });
    await clock.advance(DAY_MS);
    clock.jump(Date.UTC(2026, 10, 30) - clock.now());
    expect(renewedAt).toEqual([]);
    await clock.advance(3 * DAY_MS);
    expect(renewedAt).toHaveLength(1);
    expect(renewedAt[0]! - renewAtMs).toBeLessThanOrEqual(DAY_MS);
    await clock.advance(270 * DAY_MS);
    expect(renewedAt).toHaveLength(1);
    await stop();
    expect(clock.timers).toBe(0);
  });

  it('are tried again after a failure, and no more after a stop', async () => {
    const clock = new FakeClock();
    let tries = 0;
    let fail = (): void => {};
    const renew = (): Promise<number> => {
      tries++;
      return new Promise((_, reject) => {
        fail = () => reject(new Error('disk full'));
      });
    };
    const stop = keepRenewed({ clock, log, renewAtMs: clock.now(), renew });
    await clock.advance(3_600_000);
    fail();
    await clock.advance(3_600_000);
    expect(tries).toBe(2);
    const stopped = stop();
    fail();
    await stopped;
    expect(clock.timers).toBe(0);
  });
});
