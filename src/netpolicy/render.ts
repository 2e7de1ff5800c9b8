import type { NftChain, NftMap, NftSet, NftTable } from '../lib/nft/table.ts';
import { type AllowRule, familyOf, type IPFamily, type Isolation, type PolicyModel } from './model.ts';

export const POLICY_TABLE = { family: 'inet', name: 'kedge-policy' } as const;

const FAMILIES = {
  ipv4: { ip: 'ip', type: 'ipv4_addr', suffix: '' },
  ipv6: { ip: 'ip6', type: 'ipv6_addr', suffix: '-v6' },
} as const satisfies Record<IPFamily, object>;

/** After the rules that refuse Services without endpoints, before what an administrator adds late. */
const PRIORITY = 5;

/**
 * Writes the model as one table, or nothing where no pod of this node is isolated. Verdict maps lead from a pod's
 * address to its chain, which returns for what is allowed and drops the rest. The forward hook sees addresses of pods
 * behind a Service, since those were rewritten before. What the node itself sends to its pods passes neither hook, so
 * probes always arrive. Deterministic.
 */
export function renderPolicies(model: PolicyModel): NftTable | undefined {
  const isolated = new Set([...model.ingress.pods.keys(), ...model.egress.pods.keys()]);
  if (isolated.size === 0) return undefined;
  const families = (['ipv4', 'ipv6'] as const).filter((family) =>
    [...isolated].some((ip) => familyOf(ip) === family),
  );
  const sets = new Map<string, NftSet>();
  const maps = new Map<string, NftMap>();
  for (const family of families) {
    const { type, suffix } = FAMILIES[family];
    const ofFamily = (ips: Iterable<string>): string[] => [...ips].filter((ip) => familyOf(ip) === family);
    const self = ofFamily(isolated).map((ip) => `${ip} . ${ip}`);
    sets.set(`itself${suffix}`, { type: `${type} . ${type}`, elements: new Set(self) });
    for (const [name, ips] of model.podSets)
      sets.set(`${name}${suffix}`, { type, elements: new Set(ofFamily(ips)) });
    for (const [name, listeners] of model.portSets) {
      const own = listeners.filter(({ ip }) => familyOf(ip) === family);
      sets.set(`${name}${suffix}`, {
        type: `${type} . inet_proto . inet_service`,
        elements: new Set(own.map(({ ip, protocol, port }) => `${ip} . ${protocol} . ${port}`)),
      });
    }
    for (const direction of ['ingress', 'egress'] as const) {
      const elements = ofFamily(model[direction].pods.keys()).map(
        (ip) => [ip, `jump ${model[direction].pods.get(ip)}`] as const,
      );
      maps.set(`${direction}-pods${suffix}`, { type: `${type} : verdict`, elements: new Map(elements) });
    }
  }
  const chains = new Map<string, NftChain>([
    ...podChains(model.ingress, 'saddr', families),
    ...podChains(model.egress, 'daddr', families),
    ...baseChains(families),
  ]);
  return { ...POLICY_TABLE, dynamicSets: new Map(), sets, maps, chains };
}

function podChains(
  { chains }: Isolation,
  peerSide: 'saddr' | 'daddr',
  families: readonly IPFamily[],
): readonly (readonly [string, NftChain])[] {
  return [...chains].map(([name, rules]) => [
    name,
    { rules: [...rules.flatMap((rule) => renderRule(rule, peerSide, families)), 'drop'] },
  ]);
}

function renderRule(
  { peer, port }: AllowRule,
  peerSide: 'saddr' | 'daddr',
  families: readonly IPFamily[],
): readonly string[] {
  if (peer.is === 'anyone' && port.is !== 'named') return [words(renderPort(port, 'ipv4'), 'return')];
  return families
    .filter((family) => peer.is !== 'block' || familyOf(peer.cidr) === family)
    .map((family) => {
      const { ip, suffix } = FAMILIES[family];
      const from = ((): string => {
        if (peer.is === 'anyone') return '';
        if (peer.is === 'pods') return `${ip} ${peerSide} @${peer.set}${suffix}`;
        // One comparison for each exception: they may overlap, which the elements of one set may not.
        const except = peer.except.map((cidr) => `${ip} ${peerSide} != ${cidr}`);
        const within = peer.cidr.endsWith('/0') ? `meta nfproto ${family}` : `${ip} ${peerSide} ${peer.cidr}`;
        return [within, ...except].join(' ');
      })();
      return words(from, renderPort(port, family), 'return');
    });
}

function renderPort(port: AllowRule['port'], family: IPFamily): string {
  const { ip, suffix } = FAMILIES[family];
  if (port.is === 'any') return '';
  if (port.is === 'named') return `${ip} daddr . meta l4proto . th dport @${port.set}${suffix}`;
  const [first] = port.ranges;
  if (first?.from === 0 && first.to === 65_535) return `meta l4proto ${port.protocol}`;
  const ranges = port.ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return `${port.protocol} dport ${ranges.length === 1 ? ranges[0] : `{ ${ranges.join(', ')} }`}`;
}

function baseChains(families: readonly IPFamily[]): readonly (readonly [string, NftChain])[] {
  const each = (write: (family: (typeof FAMILIES)[IPFamily]) => string): string[] =>
    families.map((family) => write(FAMILIES[family]));
  const leaving = each(({ ip, suffix }) => `${ip} saddr vmap @egress-pods${suffix}`);
  const hook = (name: string): string => `type filter hook ${name} priority ${PRIORITY}; policy accept;`;
  const answers = 'ct state established,related accept';
  return [
    [
      'forward',
      {
        hook: hook('forward'),
        rules: [
          answers,
          // A pod cannot be kept from itself, not even through a Service.
          ...each(({ ip, suffix }) => `${ip} saddr . ${ip} daddr @itself${suffix} accept`),
          ...leaving,
          ...each(({ ip, suffix }) => `${ip} daddr vmap @ingress-pods${suffix}`),
        ],
      },
    ],
    [
      // What pods send to the node itself: the resolver, the API server.
      'input',
      {
        hook: hook('input'),
        rules: [
          answers,
          // Without neighbour discovery there is no IPv6 at all.
          ...(families.includes('ipv6')
            ? [
                'icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept',
              ]
            : []),
          ...leaving,
        ],
      },
    ],
  ];
}

const words = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');
