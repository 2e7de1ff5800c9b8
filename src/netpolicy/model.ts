import type { NetworkPolicy } from '../api/types.gen.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';
export type IPFamily = 'ipv4' | 'ipv6';

/** A pod as far as policies can tell pods apart. Pods of the host's network and ended ones are not among them. */
export interface PolicyPod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ips: readonly string[];
  readonly ports: readonly PolicyPodPort[];
  /** Whether it runs on this node, so that its policies are enforced here. */
  readonly isLocal: boolean;
}

export interface PolicyPodPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

export interface PolicyInput {
  readonly pods: readonly PolicyPod[];
  /** Labels of each namespace by its name. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly policies: readonly NetworkPolicy[];
}

/** What this node lets through to and from its pods; everything is decided, rendering only writes it down. */
export interface PolicyModel {
  readonly ingress: Isolation;
  readonly egress: Isolation;
  /** Addresses of the pods that a peer selects, by the set's name. */
  readonly podSets: ReadonlyMap<string, ReadonlySet<string>>;
  /** Where pods listen under a port's name, by the set's name. */
  readonly portSets: ReadonlyMap<string, readonly Listener[]>;
}

/** One direction. A pod without a chain is open; one with a chain may do what a rule of it allows, and no more. */
export interface Isolation {
  /** Address of a pod of this node → name of its chain. */
  readonly pods: ReadonlyMap<string, string>;
  readonly chains: ReadonlyMap<string, readonly AllowRule[]>;
}

export interface Listener {
  readonly ip: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** Allows what matches the peer and the port. */
export interface AllowRule {
  readonly peer: Peer;
  readonly port: PortMatch;
}

export type Peer =
  | { readonly is: 'anyone' }
  | { readonly is: 'pods'; readonly set: string }
  | { readonly is: 'block'; readonly cidr: string; readonly except: readonly string[] };

export type PortMatch =
  | { readonly is: 'any' }
  /** Sorted, without overlaps. */
  | { readonly is: 'numbers'; readonly protocol: Protocol; readonly ranges: readonly PortRange[] }
  | { readonly is: 'named'; readonly set: string };

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export function familyOf(address: string): IPFamily {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
