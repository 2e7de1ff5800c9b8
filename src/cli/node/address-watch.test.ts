import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { watchAddress } from './address-watch.ts';

const { addressCheckMs, addressSettleMs } = LIMITS.network;

/** What the board has at each look; the first is what it would choose. */
async function watch(looks: readonly (readonly string[])[]): Promise<readonly string[]> {
  const clock = new FakeClock();
  const told: string[] = [];
  let at = -1;
  const stop = watchAddress({
    address: '192.0.2.7',
    present: () => looks[Math.min(++at, looks.length - 1)] ?? [],
    choose: () => looks[Math.min(at, looks.length - 1)]?.[0] ?? '127.0.0.1',
    clock,
    onChange: (address) => void told.push(address),
  });
  await clock.advance(addressCheckMs * (looks.length + 1));
  stop();
  expect(clock.timers).toBe(0);
  return told;
}

describe('watchAddress', () => {
  it('is silent while the address is there, whatever else is', async () => {
    expect(await watch([['192.0.2.7'], ['198.51.100.3', '192.0.2.7'], ['192.0.2.7']])).toEqual([]);
  });
  it('is silent while there is none', async () => {
    expect(await watch([[], [], ['192.0.2.7']])).toEqual([]);
  });
  it('waits for an address that comes and goes', async () => {
    expect(await watch([['192.0.2.8'], ['198.51.100.3'], ['192.0.2.7']])).toEqual([]);
  });
  it('tells of another one that stays, once', async () => {
    expect(await watch([['192.0.2.7'], ['192.0.2.8'], ['192.0.2.8'], ['192.0.2.9']])).toEqual(['192.0.2.8']);
  });
  it('looks again soon after the first sight', async () => {
    const clock = new FakeClock();
    const told: string[] = [];
    const options = { present: () => ['192.0.2.8'], choose: () => '192.0.2.8', clock };
    watchAddress({ address: '192.0.2.7', ...options, onChange: (address) => void told.push(address) });
    await clock.advance(addressCheckMs + addressSettleMs);
    expect(told).toEqual(['192.0.2.8']);
  });
});
