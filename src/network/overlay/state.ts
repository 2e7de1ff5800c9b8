/** What the kernel holds of the pod network between boards: our device, and routes that carry our protocol number. */
export interface OverlayState {
  readonly device?: VxlanDevice;
  /** By range of pod addresses. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Hardware address of a peer's device, by its address. */
  readonly neighbours: ReadonlyMap<string, string>;
  /** Address of a peer's board, by the hardware address of its device. */
  readonly forwards: ReadonlyMap<string, string>;
}

export interface VxlanDevice {
  readonly mac: string;
  /** Its own address, such as `10.42.1.0`. */
  readonly address: string;
  /** The board's address, which peers send to. */
  readonly local: string;
  readonly mtu: number;
}

export type Route =
  /** Through the device of the overlay, to the address of the peer's. */
  | { readonly is: 'tunnelled'; readonly via: string }
  /** To the peer's board itself, which is on a network of this one. */
  | { readonly is: 'direct'; readonly via: string }
  /** To nobody: the sender is told at once. */
  | { readonly is: 'refused' };

/** Not flannel's name, number or network: both may be on one machine while it moves from one to the other. */
export const DEVICE = 'kedge-overlay';
const NETWORK_ID = 107;
/** The port that Linux uses for VXLAN by itself, as flannel does; firewalls must let it pass between boards. */
export const UDP_PORT = 8472;
/** Marks routes as ours; see rtnetlink(7). No routing daemon has this number. */
export const ROUTE_PROTOCOL = 107;

export const NOTHING: OverlayState = { routes: new Map(), neighbours: new Map(), forwards: new Map() };

/** Lines for `ip -batch` and `bridge -batch`, in this order. */
export interface OverlayChange {
  readonly ip: readonly string[];
  readonly bridge: readonly string[];
}

/** What leads from one state to the other, and nothing else. Pure. */
export function overlayChange(before: OverlayState, after: OverlayState): OverlayChange {
  const { device } = after;
  const keepsDevice = device !== undefined && sameDevice(before.device, device);
  // What belongs to a device goes with it.
  const from: OverlayState = keepsDevice
    ? before
    : { ...NOTHING, routes: new Map([...before.routes].filter(([, { is }]) => is !== 'tunnelled')) };
  const ip: string[] = [];
  const bridge: string[] = [];
  if (before.device && !keepsDevice) ip.push(`link delete ${DEVICE}`);
  if (device && !keepsDevice) ip.push(...deviceLines(device));
  for (const [range] of missing(from.routes, after.routes))
    ip.push(`route delete ${range} proto ${ROUTE_PROTOCOL}`);
  for (const [address] of missing(from.neighbours, after.neighbours))
    ip.push(`neigh delete ${address} dev ${DEVICE}`);
  for (const [mac, board] of missing(from.forwards, after.forwards))
    bridge.push(`fdb delete ${mac} dev ${DEVICE} dst ${board} self`);
  for (const [address, mac] of after.neighbours)
    if (from.neighbours.get(address) !== mac)
      ip.push(`neigh replace ${address} lladdr ${mac} dev ${DEVICE} nud permanent`);
  for (const [mac, board] of after.forwards)
    if (from.forwards.get(mac) !== board)
      bridge.push(`fdb replace ${mac} dev ${DEVICE} dst ${board} self permanent`);
  for (const [range, route] of after.routes)
    if (!sameRoute(from.routes.get(range), route)) ip.push(routeLine(range, route));
  return { ip, bridge };
}

function deviceLines({ mac, address, local, mtu }: VxlanDevice): string[] {
  return [
    `link add ${DEVICE} address ${mac} mtu ${mtu} type vxlan id ${NETWORK_ID} local ${local} dstport ${UDP_PORT} nolearning`,
    `address replace ${address}/32 dev ${DEVICE}`,
    `link set ${DEVICE} up`,
  ];
}

function routeLine(range: string, route: Route): string {
  const proto = `proto ${ROUTE_PROTOCOL}`;
  if (route.is === 'refused') return `route replace unreachable ${range} ${proto}`;
  if (route.is === 'direct') return `route replace ${range} via ${route.via} ${proto}`;
  return `route replace ${range} via ${route.via} dev ${DEVICE} onlink ${proto}`;
}

function missing<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): [string, V][] {
  return [...before].filter(([key]) => !after.has(key));
}

function sameDevice(a: VxlanDevice | undefined, b: VxlanDevice): boolean {
  return a?.mac === b.mac && a.address === b.address && a.local === b.local && a.mtu === b.mtu;
}

function sameRoute(a: Route | undefined, b: Route): boolean {
  return a?.is === b.is && (a.is === 'refused' ? '' : a.via) === (b.is === 'refused' ? '' : b.via);
}
