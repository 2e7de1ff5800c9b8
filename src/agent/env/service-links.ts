import type { Service } from '../../api/types.gen.ts';

/**
 * The variables a container gets for Services, docker-link style (upstream's envvars.FromServices), in the order of
 * the list. The caller chooses which Services count.
 */
export function serviceVariables(services: readonly Service[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { metadata, spec } of services) {
    const ip = spec?.clusterIP;
    const first = spec?.ports?.[0];
    if (ip === undefined || ip === '' || ip === 'None' || first === undefined) continue;
    const prefix = variableName(metadata.name ?? '');
    found.set(`${prefix}_SERVICE_HOST`, ip);
    found.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const { name, port } of spec?.ports ?? [])
      if (name) found.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
    const host = ip.includes(':') ? `[${ip}]` : ip;
    for (const [index, { port, protocol = 'TCP' }] of (spec?.ports ?? []).entries()) {
      const url = `${protocol.toLowerCase()}://${host}:${port}`;
      if (index === 0) found.set(`${prefix}_PORT`, url);
      const each = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
      found.set(each, url);
      found.set(`${each}_PROTO`, protocol.toLowerCase());
      found.set(`${each}_PORT`, String(port));
      found.set(`${each}_ADDR`, ip);
    }
  }
  return found;
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}

/**
 * The Services whose variables a pod gets: `kubernetes` of the default namespace always, those of its own namespace
 * unless `enableServiceLinks: false`; the own namespace wins a name. Sorted by name.
 */
export function linkedServices(
  all: readonly Service[],
  namespace: string,
  enableServiceLinks: boolean,
): readonly Service[] {
  const byName = new Map<string, Service>();
  for (const service of all) {
    const { name = '', namespace: of } = service.metadata;
    if (of === 'default' && name === 'kubernetes' && !byName.has(name)) byName.set(name, service);
    if (enableServiceLinks && of === namespace) byName.set(name, service);
  }
  return [...byName.values()].sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
}
