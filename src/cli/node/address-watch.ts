import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';

export interface AddressWatchOptions {
  /** The address that the board goes by. */
  readonly address: string;
  /** Every address that the board has now, without loopback. */
  readonly present: () => readonly string[];
  /** The one that it would go by if it started now. */
  readonly choose: () => string;
  readonly clock: Clock;
  /** Called once: the board has lost its address and has this one instead. */
  readonly onChange: (address: string) => void;
}

const SELF = '127.0.0.1';

/**
 * Notices when the board has lost the address that everybody knows it by: a router that gave it another one, a cable
 * instead of radio. An address that is still there counts, whatever the default route says; without any, there is nothing
 * to change to. Returns what stops it.
 */
export function watchAddress(options: AddressWatchOptions): () => void {
  const { address, present, choose, clock, onChange } = options;
  let timer: Timer;
  let seen: string | undefined;
  const look = (): void => {
    const now = present().includes(address) ? undefined : choose();
    const candidate = now === SELF || now === address ? undefined : now;
    // While addresses change, one may be there for a moment.
    if (candidate !== undefined && candidate === seen) {
      onChange(candidate);
      return;
    }
    seen = candidate;
    const { addressCheckMs, addressSettleMs } = LIMITS.network;
    timer = clock.setTimer(candidate === undefined ? addressCheckMs : addressSettleMs, look);
  };
  timer = clock.setTimer(LIMITS.network.addressCheckMs, look);
  return () => timer.cancel();
}
