import { createHash } from 'node:crypto';
import type { NftChain, NftMap, NftTable } from '../../lib/nft/table.ts';
import type { Backend, IPFamily, PortRule, ServiceRuleset } from './plan.ts';
import { familyOf } from './plan.ts';

export const SERVICE_TABLE = { family: 'inet', name: 'kedge' } as const;

/** As kube-proxy marks packets whose source has to be rewritten. */
const MASQUERADE_MARK = '0x4000';

const FAMILIES = {
  ipv4: { ip: 'ip', type: 'ipv4_addr', suffix: '', loopback: '127.0.0.0/8' },
  ipv6: { ip: 'ip6', type: 'ipv6_addr', suffix: '-v6', loopback: '::1' },
} as const satisfies Record<IPFamily, object>;

export interface RenderOptions {
  /** Ranges of all pods of the cluster: what comes from elsewhere is masqueraded on its way to a Service. */
  readonly clusterCIDRs: readonly string[];
}

/**
 * Writes the ruleset as one table: verdict maps lead from an address, protocol and port to a chain for the Service
 * port, which picks an endpoint at random or by client, whose chain rewrites the destination. Addresses without
 * endpoints are rejected in the filter hooks. Deterministic.
 */
export function renderServices(ruleset: ServiceRuleset, options: RenderOptions): NftTable {
  const table = new TableBuilder(options);
  for (const rule of ruleset.ports) table.addPort(rule);
  return table.build();
}

class TableBuilder {
  readonly #options: RenderOptions;
  readonly #sets = new Map<string, string>();
  readonly #chains = new Map<string, NftChain>();
  readonly #elements = new Map<string, Map<string, string>>();

  constructor(options: RenderOptions) {
    this.#options = options;
    for (const family of Object.values(FAMILIES)) {
      this.#elements.set(`service-ips${family.suffix}`, new Map());
      this.#elements.set(`no-endpoints${family.suffix}`, new Map());
      this.#elements.set(`node-ports${family.suffix}`, new Map());
      this.#elements.set(`no-endpoint-node-ports${family.suffix}`, new Map());
    }
  }

  addPort(rule: PortRule): void {
    const { ip } = FAMILIES[rule.family];
    const name = chainName(rule);
    const internal = this.#spread(rule, rule.internal.backends);
    const fromPods = this.#podCidrs(rule.family);
    if (internal) {
      // Somebody outside the pod network (this host, say) must get its answers through here.
      const masquerade = fromPods ? [`${ip} saddr != ${fromPods} jump mark-for-masquerade`] : [];
      this.#chains.set(`cluster-ip-${name}`, { rules: [...masquerade, `goto ${internal}`] });
      this.#address(rule, rule.clusterIP, `goto cluster-ip-${name}`);
    } else {
      this.#unanswered(rule, rule.clusterIP, rule.internal.localOnly ? 'drop' : 'goto reject-service');
    }
    if (rule.externalIPs.length === 0 && rule.nodePort === undefined) return;
    const external = this.#external(rule, name, fromPods);
    const refusal = rule.external.localOnly && rule.cluster.length > 0 ? 'drop' : 'goto reject-service';
    for (const address of rule.externalIPs) {
      if (external === undefined) this.#unanswered(rule, address, refusal);
      else this.#address(rule, address, `goto ${this.#guarded(rule, name, address, external)}`);
    }
    if (rule.nodePort === undefined) return;
    const { suffix } = FAMILIES[rule.family];
    const key = `${rule.protocol} . ${rule.nodePort}`;
    if (external !== undefined) this.#put(`node-ports${suffix}`, key, `goto ${external}`);
    else this.#put(`no-endpoint-node-ports${suffix}`, key, refusal);
  }

  build(): NftTable {
    for (const [name, chain] of Object.entries(this.#baseChains())) this.#chains.set(name, chain);
    const maps = new Map<string, NftMap>();
    for (const [name, elements] of this.#elements) {
      const { type } = name.endsWith('-v6') ? FAMILIES.ipv6 : FAMILIES.ipv4;
      const isNodePort = name.includes('node-ports');
      maps.set(name, {
        type: `${isNodePort ? '' : `${type} . `}inet_proto . inet_service : verdict`,
        elements,
      });
    }
    return { ...SERVICE_TABLE, dynamicSets: this.#sets, sets: new Map(), maps, chains: this.#chains };
  }

  /** The chain for traffic from outside, or undefined when there is no endpoint it may use. */
  #external(rule: PortRule, name: string, fromPods: string | undefined): string | undefined {
    const { ip } = FAMILIES[rule.family];
    const cluster = this.#spread(rule, rule.cluster);
    if (!rule.external.localOnly) {
      if (cluster === undefined) return undefined;
      this.#chains.set(`external-${name}`, { rules: ['jump mark-for-masquerade', `goto ${cluster}`] });
      return `external-${name}`;
    }
    const local = this.#spread(rule, rule.external.backends);
    // Clients inside the cluster are served by any endpoint, as if they had used the cluster IP.
    const inside =
      cluster === undefined
        ? []
        : [
            ...(fromPods ? [`${ip} saddr ${fromPods} goto ${cluster}`] : []),
            'fib saddr type local jump mark-for-masquerade',
            `fib saddr type local goto ${cluster}`,
          ];
    if (local === undefined && inside.length === 0) return undefined;
    this.#chains.set(`external-${name}`, {
      rules: [...inside, local === undefined ? 'drop' : `goto ${local}`],
    });
    return `external-${name}`;
  }

  /** Puts a check of the source before the way to a load balancer's address. */
  #guarded(rule: PortRule, name: string, address: string, target: string): string {
    if (rule.sourceRanges.length === 0 || !rule.loadBalancerIPs.includes(address)) return target;
    const { ip } = FAMILIES[rule.family];
    const allowed = `{ ${rule.sourceRanges.join(', ')} }`;
    this.#chains.set(`firewall-${name}`, { rules: [`${ip} saddr != ${allowed} drop`, `goto ${target}`] });
    return `firewall-${name}`;
  }

  /** A chain that picks one of the backends; the same backends share one. */
  #spread(rule: PortRule, backends: readonly Backend[]): string | undefined {
    if (backends.length === 0) return undefined;
    const isWhole = backends.map(backendKey).join() === rule.cluster.map(backendKey).join();
    const chain = `${isWhole ? 'service' : 'local'}-${chainName(rule)}`;
    if (this.#chains.has(chain)) return chain;
    const { ip } = FAMILIES[rule.family];
    const targets = backends.map((backend) => this.#backend(rule, backend));
    const sticky =
      rule.affinitySeconds === undefined
        ? []
        : targets.map((target) => `${ip} saddr @${affinitySet(target)} goto ${target}`);
    const choices = targets.map((target, index) => `${index} : goto ${target}`).join(', ');
    const [only] = targets;
    const pick =
      targets.length === 1 ? `goto ${only}` : `numgen random mod ${targets.length} vmap { ${choices} }`;
    this.#chains.set(chain, { rules: [...sticky, pick] });
    return chain;
  }

  #backend(rule: PortRule, { ip: address, port }: Backend): string {
    const { ip, type } = FAMILIES[rule.family];
    const chain = `endpoint-${chainName(rule)}/${address.replaceAll(':', '.')}/${port}`;
    if (this.#chains.has(chain)) return chain;
    const rules = [`${ip} saddr ${address} jump mark-for-masquerade`];
    if (rule.affinitySeconds !== undefined) {
      const set = affinitySet(chain);
      this.#sets.set(
        set,
        `type ${type}; size 65535; flags dynamic,timeout; timeout ${rule.affinitySeconds}s;`,
      );
      rules.push(`update @${set} { ${ip} saddr }`);
    }
    const target = rule.family === 'ipv6' ? `[${address}]:${port}` : `${address}:${port}`;
    rules.push(`meta l4proto ${rule.protocol} dnat ${ip} to ${target}`);
    this.#chains.set(chain, { rules });
    return chain;
  }

  #address({ family, protocol, port }: PortRule, address: string, verdict: string): void {
    this.#put(`service-ips${FAMILIES[family].suffix}`, `${address} . ${protocol} . ${port}`, verdict);
  }

  #unanswered({ family, protocol, port }: PortRule, address: string, verdict: string): void {
    this.#put(`no-endpoints${FAMILIES[family].suffix}`, `${address} . ${protocol} . ${port}`, verdict);
  }

  /** Two Services may claim one external address and port; the first by name has it, as the order is fixed. */
  #put(map: string, key: string, verdict: string): void {
    const elements = this.#elements.get(map);
    if (elements && !elements.has(key)) elements.set(key, verdict);
  }

  #podCidrs(family: IPFamily): string | undefined {
    const own = this.#options.clusterCIDRs.filter((cidr) => familyOf(cidr) === family);
    return own.length === 0 ? undefined : own.length === 1 ? own[0] : `{ ${own.join(', ')} }`;
  }

  #baseChains(): Record<string, NftChain> {
    const families = Object.entries(FAMILIES) as [IPFamily, (typeof FAMILIES)[IPFamily]][];
    const lookups = (ips: string, ports: string): string[] =>
      families.flatMap(([family, { ip, suffix, loopback }]) => [
        `${ip} daddr . meta l4proto . th dport vmap @${ips}${suffix}`,
        `meta nfproto ${family} fib daddr type local ${ip} daddr != ${loopback} meta l4proto . th dport vmap @${ports}${suffix}`,
      ]);
    const leaving = families.flatMap(([family, { ip }]) => {
      const pods = this.#podCidrs(family);
      const multicast = family === 'ipv4' ? '224.0.0.0/4' : 'ff00::/8';
      return pods
        ? [`${ip} saddr ${pods} ${ip} daddr != ${pods} ${ip} daddr != ${multicast} masquerade fully-random`]
        : [];
    });
    const refuse = { rules: lookups('no-endpoints', 'no-endpoint-node-ports') };
    const nat = (hook: string, priority: number, rules: readonly string[]): NftChain => ({
      hook: `type nat hook ${hook} priority ${priority}; policy accept;`,
      rules,
    });
    const filter = (hook: string, priority: number): NftChain => ({
      hook: `type filter hook ${hook} priority ${priority}; policy accept;`,
      rules: ['ct state new jump refuse-unanswered'],
    });
    return {
      'mark-for-masquerade': { rules: [`meta mark set meta mark | ${MASQUERADE_MARK}`] },
      'reject-service': { rules: ['meta l4proto tcp reject with tcp reset', 'reject'] },
      'refuse-unanswered': refuse,
      services: { rules: lookups('service-ips', 'node-ports') },
      'nat-prerouting': nat('prerouting', -100, ['jump services']),
      'nat-output': nat('output', -100, ['jump services']),
      'nat-postrouting': nat('postrouting', 100, [
        `meta mark & ${MASQUERADE_MARK} == ${MASQUERADE_MARK} jump masquerade-marked`,
        ...leaving,
      ]),
      'masquerade-marked': { rules: [`meta mark set meta mark & 0xffffbfff`, 'masquerade fully-random'] },
      // A reject is only possible where the packet has a way to go; by then nothing has been rewritten.
      'filter-input': filter('input', 0),
      'filter-forward': filter('forward', 0),
      'filter-output': filter('output', -110),
    };
  }
}

/** A readable name within nftables' 128 characters; the hash keeps those apart that are cut. */
function chainName({ service, family, protocol, port }: PortRule): string {
  const plain = `${service}/${protocol}/${port}${family === 'ipv6' ? '/v6' : ''}`;
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, 8);
  return plain.length <= 60 ? `${hash}-${plain}` : `${hash}-${plain.slice(0, 60)}`;
}

const backendKey = ({ ip, port }: Backend): string => `${ip} ${port}`;

const affinitySet = (endpointChain: string): string => endpointChain.replace('endpoint-', 'affinity-');
