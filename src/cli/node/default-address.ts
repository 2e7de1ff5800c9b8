import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

/**
 * The address other boards most likely reach this one at: that of the interface of the default route, else the
 * first that is up, else loopback, so that a board boots without any network.
 */
export function defaultAddress(): string {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => ({ name, address })),
  );
  const route = defaultRouteInterface();
  const chosen =
    addresses.find(({ name }) => name === route) ??
    addresses.find(({ name }) => !/^(kedge|cni|docker|veth|br-)/.test(name));
  return chosen?.address ?? '127.0.0.1';
}

/** Every IPv4 address of this board but loopback. */
export function presentAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

/** From /proc/net/route: destination and mask 0, lowest metric. */
function defaultRouteInterface(): string | undefined {
  let lines: string[];
  try {
    lines = readFileSync('/proc/net/route', 'utf8').trim().split('\n').slice(1);
  } catch {
    return undefined;
  }
  const routes = lines
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1] === '00000000' && columns[7] === '00000000')
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  return routes[0]?.[0];
}
