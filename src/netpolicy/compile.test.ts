import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { selectorFromObject } from '../api/labels.ts';
import type {
  IPBlock,
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../api/types.gen.ts';
import { compilePolicies } from './compile.ts';
import type { Isolation, Peer, PolicyInput, PolicyModel, PolicyPod, PortMatch, Protocol } from './model.ts';

interface Packet {
  readonly from: string;
  readonly to: string;
  readonly protocol: Protocol;
  readonly port: number;
}

const inBlock = (ip: string, cidr: string): boolean => {
  const [address, [base, bits]] = [ipaddr.parse(ip), ipaddr.parseCIDR(cidr)];
  return address.kind() === base.kind() && address.match(base, bits);
};

/** What the rendered rules do with a packet, read from the model. */
function passes(model: PolicyModel, packet: Packet): boolean {
  const { from, to, protocol, port } = packet;
  if (from === to) return true;
  const isPeer = (peer: Peer, ip: string): boolean => {
    if (peer.is === 'anyone') return true;
    if (peer.is === 'pods') return model.podSets.get(peer.set)?.has(ip) === true;
    return inBlock(ip, peer.cidr) && !peer.except.some((cidr) => inBlock(ip, cidr));
  };
  const isPort = (match: PortMatch): boolean => {
    if (match.is === 'any') return true;
    if (match.is === 'numbers')
      return (
        match.protocol === protocol && match.ranges.some((range) => range.from <= port && port <= range.to)
      );
    return (model.portSets.get(match.set) ?? []).some(
      (listener) => listener.ip === to && listener.protocol === protocol && listener.port === port,
    );
  };
  const through = ({ pods, chains }: Isolation, own: string, peer: string): boolean => {
    const chain = pods.get(own);
    if (chain === undefined) return true;
    return (chains.get(chain) ?? []).some((rule) => isPeer(rule.peer, peer) && isPort(rule.port));
  };
  return through(model.egress, from, to) && through(model.ingress, to, from);
}

/** The same question answered from the words of the specification, policy by policy. */
function allowed({ pods, namespaces, policies }: PolicyInput, packet: Packet): boolean {
  if (packet.from === packet.to) return true;
  const podAt = (ip: string): PolicyPod | undefined => pods.find(({ ips }) => ips.includes(ip));
  const selects = (selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean =>
    selectorFromObject(selector).matches(labels);
  const isPeer = (peer: NetworkPolicyPeer, home: string, ip: string): boolean => {
    if (peer.ipBlock)
      return inBlock(ip, peer.ipBlock.cidr) && !(peer.ipBlock.except ?? []).some((cidr) => inBlock(ip, cidr));
    const pod = podAt(ip);
    if (pod === undefined) return false;
    const isHere = peer.namespaceSelector
      ? selects(peer.namespaceSelector, namespaces.get(pod.namespace) ?? {})
      : pod.namespace === home;
    return isHere && selects(peer.podSelector ?? {}, pod.labels);
  };
  const isPort = ({ protocol = 'TCP', port, endPort }: NetworkPolicyPort): boolean => {
    if (protocol.toLowerCase() !== packet.protocol) return false;
    if (port === undefined) return true;
    if (typeof port === 'number') return packet.port >= port && packet.port <= (endPort ?? port);
    return (podAt(packet.to)?.ports ?? []).some(
      (named) => named.name === port && named.protocol === packet.protocol && named.port === packet.port,
    );
  };
  const through = (direction: 'Ingress' | 'Egress', own: string, other: string): boolean => {
    const pod = podAt(own);
    if (!pod?.isLocal) return true;
    const isolating = policies.filter(({ metadata, spec }) => {
      const types = spec?.policyTypes ?? (spec?.egress?.length ? ['Ingress', 'Egress'] : ['Ingress']);
      return (
        types.includes(direction) &&
        metadata.namespace === pod.namespace &&
        selects(spec?.podSelector ?? {}, pod.labels)
      );
    });
    if (isolating.length === 0) return true;
    return isolating.some(({ metadata, spec }) => {
      const rules =
        direction === 'Ingress'
          ? (spec?.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
          : (spec?.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
      return rules.some(
        ({ peers = [], ports = [] }) =>
          (peers.length === 0 || peers.some((peer) => isPeer(peer, metadata.namespace ?? '', other))) &&
          (ports.length === 0 || ports.some(isPort)),
      );
    });
  };
  return through('Egress', packet.from, packet.to) && through('Ingress', packet.to, packet.from);
}

const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('a', 'b'), { maxKeys: 2 });
const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
  fc.constant({}),
  labels.map((matchLabels) => ({ matchLabels })),
  fc
    .constantFrom('In', 'NotIn')
    .map((operator) => ({ matchExpressions: [{ key: 'app', operator, values: ['a'] }] })),
  fc
    .constantFrom('Exists', 'DoesNotExist')
    .map((operator) => ({ matchExpressions: [{ key: 'tier', operator }] })),
);
const block = fc.constantFrom<IPBlock[]>(
  { cidr: '0.0.0.0/0', except: ['10.42.0.0/30', '10.42.0.2/32'] },
  { cidr: '10.42.0.0/30' },
  { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] },
  { cidr: 'fd42::/64' },
);
const peer: fc.Arbitrary<NetworkPolicyPeer> = fc.oneof(
  block.map((ipBlock) => ({ ipBlock })),
  selector.map((podSelector) => ({ podSelector })),
  selector.map((namespaceSelector) => ({ namespaceSelector })),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
);
const port: fc.Arbitrary<NetworkPolicyPort> = fc.oneof(
  fc.record({ protocol: fc.constantFrom('TCP', 'UDP', 'SCTP') }),
  fc.constantFrom('http', 'dns').map((name) => ({ port: name })),
  fc.record({ port: fc.constantFrom(80, 81, 100), protocol: fc.constantFrom('TCP', 'UDP') }),
  fc.constant({ port: 79, endPort: 90 }),
);
const rule = { peers: fc.array(peer, { maxLength: 2 }), ports: fc.array(port, { maxLength: 2 }) };
const policy = fc
  .record({
    namespace: fc.constantFrom('one', 'two'),
    podSelector: selector,
    ingress: fc.array(fc.record(rule), { maxLength: 2 }),
    egress: fc.array(fc.record(rule), { maxLength: 2 }),
    policyTypes: fc.option(fc.subarray(['Ingress', 'Egress'], { minLength: 1 }), { nil: undefined }),
  })
  .map(({ namespace, podSelector, ingress, egress, policyTypes }) => ({
    namespace,
    spec: {
      podSelector,
      ingress: ingress.map(({ peers, ports }) => ({ from: peers, ports })),
      egress: egress.map(({ peers, ports }) => ({ to: peers, ports })),
      ...(policyTypes ? { policyTypes } : {}),
    },
  }));
const pod = fc.record({
  namespace: fc.constantFrom('one', 'two', 'three'),
  labels,
  isLocal: fc.boolean(),
  hasSix: fc.boolean(),
  ports: fc.subarray([
    { name: 'http', protocol: 'tcp' as const, port: 80 },
    { name: 'dns', protocol: 'udp' as const, port: 53 },
    { name: 'http', protocol: 'tcp' as const, port: 100 },
  ]),
});

describe('compiled policies', () => {
  it('allow exactly what the specification allows', () => {
    const cluster = fc.record({
      pods: fc.array(pod, { maxLength: 5 }),
      namespaceLabels: fc.array(labels, { minLength: 3, maxLength: 3 }),
      policies: fc.array(policy, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(cluster, ({ pods, namespaceLabels, policies }) => {
        const input: PolicyInput = {
          pods: pods.map(({ hasSix, ...one }, index) => ({
            ...one,
            ips: [`10.42.0.${index + 1}`, ...(hasSix ? [`fd42::${index + 1}`] : [])],
          })),
          namespaces: new Map(['one', 'two', 'three'].map((name, at) => [name, namespaceLabels[at] ?? {}])),
          policies: policies.map(
            ({ namespace, spec }, index): NetworkPolicy => ({
              metadata: { namespace, name: `policy-${index}` },
              spec,
            }),
          ),
        };
        const model = compilePolicies(input);
        const ips = [...input.pods.flatMap((one) => one.ips), '192.0.2.1', '192.0.2.200', 'fd42::99'];
        for (const from of ips) {
          for (const to of ips.filter((ip) => ip.includes(':') === from.includes(':'))) {
            for (const [protocol, number] of [
              ['tcp', 80],
              ['tcp', 85],
              ['tcp', 100],
              ['udp', 53],
              ['udp', 81],
              ['sctp', 80],
            ] as const) {
              const packet = { from, to, protocol, port: number };
              if (passes(model, packet) !== allowed(input, packet))
                throw new Error(
                  `${JSON.stringify(packet)} should be ${allowed(input, packet) ? 'allowed' : 'denied'}`,
                );
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  const local: PolicyPod = {
    namespace: 'one',
    labels: { app: 'a' },
    ips: ['10.42.0.1'],
    ports: [],
    isLocal: true,
  };
  const compile = (spec: NetworkPolicy['spec'], pods: readonly PolicyPod[] = [local]): PolicyModel =>
    compilePolicies({
      pods,
      namespaces: new Map([['one', {}]]),
      policies: [{ metadata: { namespace: 'one', name: 'p' }, ...(spec ? { spec } : {}) }],
    });

  it('isolate ingress alone unless egress is named or has rules', () => {
    expect(compile({ podSelector: {} })).toMatchObject({
      ingress: { pods: { size: 1 } },
      egress: { pods: { size: 0 } },
    });
    expect(compile({ podSelector: {}, egress: [{}] }).egress.pods.size).toBe(1);
    expect(compile({ podSelector: {}, policyTypes: ['Egress'] })).toMatchObject({
      ingress: { pods: { size: 0 } },
      egress: { pods: { size: 1 } },
    });
  });

  it('merge ports that overlap or touch, as elements of one set may not', () => {
    const ports = [{ port: 80, endPort: 90 }, { port: 85 }, { port: 91, endPort: 95 }, { port: 443 }];
    const [rules] = [...compile({ podSelector: {}, ingress: [{ ports }] }).ingress.chains.values()];
    expect(rules?.map((one) => one.port)).toEqual([
      {
        is: 'numbers',
        protocol: 'tcp',
        ranges: [
          { from: 80, to: 95 },
          { from: 443, to: 443 },
        ],
      },
    ]);
  });

  it('share chains among pods and sets among peers, so that a new pod changes elements only', () => {
    const from = [{ podSelector: { matchLabels: { app: 'a' } } }];
    const spec = { podSelector: {}, ingress: [{ from }, { from, ports: [{ port: 80 }] }] };
    const before = compile(spec);
    const after = compile(spec, [local, { ...local, ips: ['10.42.0.2'] }]);
    expect(after.ingress.chains).toEqual(before.ingress.chains);
    expect(before.podSets.size).toBe(1);
    expect([...after.podSets.values()]).toEqual([new Set(['10.42.0.1', '10.42.0.2'])]);
  });

  it('select nothing with a selector that cannot be read', () => {
    const broken = { matchExpressions: [{ key: 'app', operator: 'Near', values: ['a'] }] };
    expect(compile({ podSelector: broken }).ingress.pods.size).toBe(0);
  });
});
