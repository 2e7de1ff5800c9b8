import { systemClock } from '../../lib/clock.ts';
import type { Running } from '../running.ts';
import { watchAddress } from './address-watch.ts';
import type { NodeConfig } from './config.ts';
import { defaultAddress, presentAddresses } from './default-address.ts';

/**
 * Begins anew when the board has another address: certificates, Node, routes and what pods are told all follow from it.
 * Containers go on. Where somebody gave the address, nothing is watched. Returns what stops it.
 */
export function restartOnNewAddress(config: NodeConfig, running: Running): () => Promise<void> {
  if (config.isIpGiven) return async () => {};
  const stop = watchAddress({
    address: config.ip,
    present: presentAddresses,
    choose: defaultAddress,
    clock: systemClock,
    onChange(address) {
      running.log.warn('this board has another address: beginning anew, pods go on', {
        before: config.ip,
        now: address,
      });
      running.restart();
    },
  });
  return async () => stop();
}
