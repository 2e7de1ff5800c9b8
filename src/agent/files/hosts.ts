import type { Pod } from '../../api/types.gen.ts';

const MAX_HOSTNAME = 63;

export interface PodNames {
  readonly hostname: string;
  /** `<hostname>.<subdomain>.<namespace>.svc.<domain>`, or empty without a subdomain. */
  readonly domain: string;
}

/** What the pod's containers call themselves (upstream's GeneratePodHostNameAndDomain). */
export function podNames(pod: Pod, clusterDomain: string, nodeHostname: string): PodNames {
  const { spec, metadata } = pod;
  if (spec?.hostnameOverride) return { hostname: spec.hostnameOverride, domain: '' };
  if (spec?.hostNetwork === true) return { hostname: nodeHostname, domain: '' };
  const own = spec?.hostname ?? '';
  const hostname = (own === '' ? (metadata.name ?? '') : own).slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '');
  const subdomain = spec?.subdomain ?? '';
  const domain = subdomain === '' ? '' : `${subdomain}.${metadata.namespace}.svc.${clusterDomain}`;
  return { hostname, domain };
}

/** The kernel's hostname: the whole name with `setHostnameAsFQDN`, which must then fit 64 bytes. */
export function kernelHostname(pod: Pod, names: PodNames): string {
  if (pod.spec?.setHostnameAsFQDN !== true || names.domain === '') return names.hostname;
  const full = `${names.hostname}.${names.domain}`;
  if (full.length > 64)
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (64 characters is the max, ${full.length} characters requested)`,
    );
  return full;
}

/** `/etc/hosts` of a pod; with the host's network the node's own file, both with the pod's aliases at the end. */
export function podHosts(pod: Pod, names: PodNames, ips: readonly string[], nodeFile: string): string {
  const lines: string[] = [];
  if (pod.spec?.hostNetwork === true) {
    lines.push('# Kubernetes-managed hosts file (host network).', nodeFile.trimEnd());
  } else {
    lines.push(
      '# Kubernetes-managed hosts file.',
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      'fe00::0\tip6-localnet',
      'fe00::0\tip6-mcastprefix',
      'fe00::1\tip6-allnodes',
      'fe00::2\tip6-allrouters',
    );
    for (const ip of ips)
      lines.push(
        names.domain === ''
          ? `${ip}\t${names.hostname}`
          : `${ip}\t${names.hostname}.${names.domain}\t${names.hostname}`,
      );
  }
  const aliases = pod.spec?.hostAliases ?? [];
  if (aliases.length > 0) lines.push('', '# Entries added by HostAliases.');
  for (const { ip, hostnames = [] } of aliases) lines.push(`${ip}\t${hostnames.join('\t')}`);
  return `${lines.join('\n')}\n`;
}
