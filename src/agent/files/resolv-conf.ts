import type { Pod } from '../../api/types.gen.ts';

export interface DnsSettings {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** As upstream validates and cuts them. */
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARS = 2048;

/** The `resolv.conf` of a pod by its `dnsPolicy` and `dnsConfig`; `host` is the node's own, parsed. */
export function podDns(
  pod: Pod,
  cluster: { readonly dns: readonly string[]; readonly domain: string },
  host: DnsSettings,
): DnsSettings {
  const base = basis(pod, cluster, host);
  const extra = pod.spec?.dnsConfig;
  const searches = unique([...base.searches, ...(extra?.searches ?? [])]).slice(0, MAX_SEARCHES);
  while (searches.join(' ').length > MAX_SEARCH_CHARS) searches.pop();
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name = '', value } of extra?.options ?? [])
    options.set(name, value === undefined || value === '' ? name : `${name}:${value}`);
  return {
    nameservers: unique([...base.nameservers, ...(extra?.nameservers ?? [])]).slice(0, MAX_NAMESERVERS),
    searches,
    options: [...options.values()],
  };
}

function basis(
  pod: Pod,
  cluster: { readonly dns: readonly string[]; readonly domain: string },
  host: DnsSettings,
): DnsSettings {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { nameservers: [], searches: [], options: [] };
  const usesCluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec?.hostNetwork !== true);
  if (!usesCluster || cluster.dns.length === 0) return host;
  const { domain } = cluster;
  const own = [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return {
    nameservers: cluster.dns,
    searches: unique([...own, ...host.searches]),
    options: ['ndots:5'],
  };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** resolv.conf(5). */
export function parseResolvConf(text: string): DnsSettings {
  const nameservers: string[] = [];
  let searches: string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0] !== undefined) nameservers.push(rest[0]);
    else if (word === 'search' || word === 'domain')
      searches = rest.map((name) => name.replace(/(.)\.$/, '$1'));
    else if (word === 'options') options.push(...rest);
  }
  return { nameservers, searches: searches.filter((name) => name !== '.'), options };
}

export function formatResolvConf(settings: DnsSettings): string {
  const lines: string[] = [];
  if (settings.searches.length > 0) lines.push(`search ${settings.searches.join(' ')}`);
  for (const server of settings.nameservers) lines.push(`nameserver ${server}`);
  if (settings.options.length > 0) lines.push(`options ${settings.options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}
