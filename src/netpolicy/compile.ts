import { createHash } from 'node:crypto';
import { NOTHING, type Selector, SelectorError, selectorFromObject } from '../api/labels.ts';
import type { LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../api/types.gen.ts';
import type {
  AllowRule,
  Isolation,
  Listener,
  Peer,
  PolicyInput,
  PolicyModel,
  PolicyPod,
  PortMatch,
  PortRange,
  Protocol,
} from './model.ts';

type Direction = 'ingress' | 'egress';

/**
 * Decides what the policies mean for the pods of this node, as https://kubernetes.io/docs/concepts/services-networking/
 * network-policies/ defines it. Pods that the same policies select share a chain; peers with the same selectors share
 * a set, so that a pod that comes or goes changes elements, not rules. Pure.
 */
export function compilePolicies(input: PolicyInput): PolicyModel {
  const compiler = new Compiler(input);
  const ingress = compiler.isolate('ingress');
  const egress = compiler.isolate('egress');
  return { ingress, egress, podSets: compiler.podSets, portSets: compiler.portSets };
}

/** Whether a policy isolates pods in this direction; without `policyTypes`, ingress and, with egress rules, egress. */
export function isolates({ spec }: NetworkPolicy, direction: Direction): boolean {
  const types = spec?.policyTypes ?? [];
  if (types.length > 0) return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
  return direction === 'ingress' || (spec?.egress ?? []).length > 0;
}

/** A selector of a stored object has been checked; should one be broken all the same, it selects nothing. */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  try {
    return selectorFromObject(selector ?? {});
  } catch (error) {
    if (error instanceof SelectorError) return NOTHING;
    throw error;
  }
}

class Compiler {
  readonly podSets = new Map<string, ReadonlySet<string>>();
  readonly portSets = new Map<string, readonly Listener[]>();
  readonly #input: PolicyInput;
  readonly #local: readonly PolicyPod[];

  constructor(input: PolicyInput) {
    this.#input = input;
    this.#local = input.pods.filter(({ isLocal }) => isLocal);
  }

  isolate(direction: Direction): Isolation {
    const policies = this.#input.policies
      .filter((policy) => isolates(policy, direction))
      .map((policy) => ({
        policy,
        key: `${policy.metadata.namespace}/${policy.metadata.name}`,
        selector: selectorOf(policy.spec?.podSelector),
      }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const pods = new Map<string, string>();
    const chains = new Map<string, readonly AllowRule[]>();
    for (const pod of this.#local) {
      const own = policies.filter(
        ({ policy, selector }) => policy.metadata.namespace === pod.namespace && selector.matches(pod.labels),
      );
      if (own.length === 0) continue;
      const chain = chainName(
        direction,
        own.map(({ key }) => key),
      );
      for (const ip of pod.ips) pods.set(ip, chain);
      if (chains.has(chain)) continue;
      const rules = own.flatMap(({ policy }) => this.#rules(policy, direction));
      chains.set(chain, [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()]);
    }
    return { pods, chains };
  }

  #rules({ metadata, spec }: NetworkPolicy, direction: Direction): readonly AllowRule[] {
    const rules =
      direction === 'ingress'
        ? (spec?.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
        : (spec?.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
    return rules.flatMap(({ peers = [], ports = [] }) => {
      // An empty list is no restriction at all, not a restriction to nothing.
      const from: readonly Peer[] =
        peers.length === 0
          ? [{ is: 'anyone' }]
          : peers.map((peer) => this.#peer(peer, metadata.namespace ?? ''));
      const to = this.#ports(ports);
      return from.flatMap((peer) => to.map((port): AllowRule => ({ peer, port })));
    });
  }

  #peer({ ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer, namespace: string): Peer {
    if (ipBlock !== undefined) return { is: 'block', cidr: ipBlock.cidr, except: ipBlock.except ?? [] };
    const home = namespaceSelector === undefined ? namespace : undefined;
    const set = `pods-${hash(JSON.stringify([home ?? namespaceSelector, podSelector ?? {}]))}`;
    if (!this.podSets.has(set)) {
      const namespaces = selectorOf(namespaceSelector);
      const pods = selectorOf(podSelector);
      const isIn = (name: string): boolean =>
        home === undefined ? namespaces.matches(this.#input.namespaces.get(name)) : name === home;
      const selected = this.#input.pods.filter((pod) => isIn(pod.namespace) && pods.matches(pod.labels));
      this.podSets.set(set, new Set(selected.flatMap(({ ips }) => ips)));
    }
    return { is: 'pods', set };
  }

  #ports(ports: readonly NetworkPolicyPort[]): readonly PortMatch[] {
    if (ports.length === 0) return [{ is: 'any' }];
    const numbers = new Map<Protocol, PortRange[]>();
    const named = new Set<string>();
    for (const { port, endPort, protocol: wanted = 'TCP' } of ports) {
      const protocol = wanted.toLowerCase() as Protocol;
      if (typeof port === 'string') {
        named.add(this.#portSet(port, protocol));
        continue;
      }
      const range = port === undefined ? { from: 0, to: 65_535 } : { from: port, to: endPort ?? port };
      numbers.set(protocol, [...(numbers.get(protocol) ?? []), range]);
    }
    return [
      ...[...numbers].map(
        ([protocol, ranges]): PortMatch => ({ is: 'numbers', protocol, ranges: merge(ranges) }),
      ),
      ...[...named].map((set): PortMatch => ({ is: 'named', set })),
    ];
  }

  /** Where the pods of the cluster listen under this name; which of them are meant, the rest of the rule says. */
  #portSet(name: string, protocol: Protocol): string {
    const set = `port-${protocol}-${name}`;
    if (!this.portSets.has(set)) {
      const listeners = this.#input.pods.flatMap(({ ips, ports }) =>
        ports
          .filter((port) => port.name === name && port.protocol === protocol)
          .flatMap(({ port }) => ips.map((ip) => ({ ip, protocol, port }))),
      );
      this.portSets.set(set, listeners);
    }
    return set;
  }
}

/** The same ports as sorted ranges that neither overlap nor touch. */
function merge(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || range.from > last.to + 1) merged.push(range);
    else merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
  }
  return merged;
}

/** Tells a reader of the ruleset whose rules these are, within nftables' 128 characters. */
function chainName(direction: Direction, policies: readonly string[]): string {
  const [first = ''] = policies;
  const more = policies.length > 1 ? `.and-${policies.length - 1}-more` : '';
  return `${direction}-${hash(policies.join())}-${first.slice(0, 60)}${more}`;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
