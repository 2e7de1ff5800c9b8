import ipaddr from 'ipaddr.js';
import type { Node } from '../../api/types.gen.ts';
import type { OverlayState, Route } from './state.ts';

/**
 * How pods of different boards reach each other; K3s' names. `vxlan`: in UDP between boards, wherever they are. `host-gw`:
 * by routes to boards on the same network. `none`: somebody else's network does it.
 */
export const OVERLAY_MODES = ['vxlan', 'host-gw', 'none'] as const;
export type OverlayMode = (typeof OVERLAY_MODES)[number];

/** A node says here that it does otherwise than its cluster, such as a kernel without VXLAN. */
export const MODE_ANNOTATION = 'kedge.io/overlay';

export interface OverlayInput {
  readonly nodes: readonly Node[];
  readonly nodeName: string;
  /** What the cluster does unless a node says otherwise, and what this node does. */
  readonly clusterMode: OverlayMode;
  readonly mode: OverlayMode;
  /** Of this board on the network of boards. */
  readonly address: string;
  /** Largest packet of a pod between boards in the overlay. */
  readonly mtu: number;
  readonly clusterCIDR: string;
  /** Ranges of addresses that this board reaches without a router. */
  readonly onLink: readonly string[];
}

export interface OverlayPlan {
  readonly state: OverlayState;
  /** Nodes whose pods cannot be reached, and why. */
  readonly unreachable: readonly { readonly node: string; readonly why: string }[];
}

/** Decides the way to every other node's pods. Deterministic and pure; IPv4 only. */
export function planOverlay(input: OverlayInput): OverlayPlan {
  const routes = new Map<string, Route>();
  const neighbours = new Map<string, string>();
  const forwards = new Map<string, string>();
  const unreachable: { node: string; why: string }[] = [];
  const own = podRange(input.nodes.find(({ metadata }) => metadata.name === input.nodeName));
  const others = input.nodes
    .filter(({ metadata }) => metadata.name !== input.nodeName)
    .toSorted((a, b) => (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''));
  for (const node of input.mode === 'none' || own === undefined ? [] : others) {
    const way = wayTo(node, input);
    if (way === undefined) continue;
    if ('why' in way) {
      unreachable.push({ node: node.metadata.name ?? '', why: way.why });
      continue;
    }
    const { range, address } = way;
    if (way.is === 'direct') {
      routes.set(range, { is: 'direct', via: address });
      continue;
    }
    const device = baseOf(range);
    routes.set(range, { is: 'tunnelled', via: device });
    neighbours.set(device, macOf(device));
    forwards.set(macOf(device), address);
  }
  // Else what is for a board that is gone would leave for the network outside.
  if (routes.size > 0) routes.set(input.clusterCIDR, { is: 'refused' });
  const { address: local, mtu } = input;
  const device =
    own === undefined || forwards.size === 0
      ? {}
      : { device: { mac: macOf(baseOf(own)), address: baseOf(own), local, mtu } };
  return { state: { ...device, routes, neighbours, forwards }, unreachable };
}

type Way =
  | { readonly is: 'tunnelled' | 'direct'; readonly range: string; readonly address: string }
  | { readonly why: string };

/** `undefined` for a node that has no pods of its own network yet. */
function wayTo(
  node: Node,
  { mode, clusterMode, address: ownAddress, onLink }: OverlayInput,
): Way | undefined {
  const range = podRange(node);
  const theirs = modeOf(node) ?? clusterMode;
  if (range === undefined || theirs === 'none') return undefined;
  const address = node.status?.addresses?.find(
    ({ type, address: one }) => type === 'InternalIP' && isIPv4(one),
  );
  if (address === undefined) return { why: 'it has no InternalIP of IPv4' };
  if (address.address === ownAddress) return { why: `it has the address of this node, ${ownAddress}` };
  if (mode === 'vxlan' && theirs === 'vxlan') return { is: 'tunnelled', range, address: address.address };
  const isNear = onLink.some((cidr) => contains(cidr, address.address));
  if (isNear) return { is: 'direct', range, address: address.address };
  return { why: `${address.address} is not on a network of this board, and one of the two has no vxlan` };
}

/** What the node says it does; `undefined` where it does as its cluster. */
export function modeOf({ metadata }: Node): OverlayMode | undefined {
  const said = metadata.annotations?.[MODE_ANNOTATION];
  return OVERLAY_MODES.find((mode) => mode === said);
}

/** The node's range of IPv4 pod addresses, if it has one that makes sense. */
function podRange(node: Node | undefined): string | undefined {
  const { podCIDRs = [], podCIDR } = node?.spec ?? {};
  return [...podCIDRs, ...(podCIDR === undefined ? [] : [podCIDR])].find(
    (cidr) => ipaddr.isValidCIDR(cidr) && isIPv4(cidr.split('/')[0] ?? ''),
  );
}

const isIPv4 = (address: string): boolean => ipaddr.IPv4.isValidFourPartDecimal(address);

export function contains(cidr: string, address: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(cidr);
  const parsed = ipaddr.parse(address);
  return parsed.kind() === base.kind() && parsed.match(base, bits);
}

const baseOf = (range: string): string => range.split('/')[0] ?? range;

/**
 * The hardware address of a device follows from its own, so that no board has to tell it: locally administered, then
 * `k`, then the address.
 */
function macOf(address: string): string {
  const bytes = [0x0e, 0x6b, ...address.split('.').map(Number)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
