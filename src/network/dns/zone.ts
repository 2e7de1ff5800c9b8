import type { Endpoint, EndpointSlice, Service } from '../../api/types.gen.ts';
import { clusterIPsOf, type ServiceView } from './service-index.ts';

/** As CoreDNS's kubernetes plugin. */
export const TTL_SECONDS = 5;

export type ZoneRecord = { readonly name: string; readonly ttl: number } & (
  | { readonly type: 'A' | 'AAAA' | 'PTR' | 'CNAME' | 'TXT'; readonly data: string }
  | {
      readonly type: 'SRV';
      readonly data: {
        readonly priority: number;
        readonly weight: number;
        readonly port: number;
        readonly target: string;
      };
    }
);

export type ZoneAnswer =
  /** Not ours: to be forwarded. */
  | { readonly kind: 'foreign' }
  /** The name does not exist. */
  | { readonly kind: 'nxdomain' }
  /** Records, or none when the name exists without any of this type. `alias` has to be resolved further. */
  | {
      readonly kind: 'answer';
      readonly records: readonly ZoneRecord[];
      readonly additional: readonly ZoneRecord[];
      readonly alias?: string;
    };

const NODATA: ZoneAnswer = { kind: 'answer', records: [], additional: [] };
const NXDOMAIN: ZoneAnswer = { kind: 'nxdomain' };

/**
 * Answers a question about the cluster's names as "Kubernetes DNS-Based Service Discovery" 1.1.0 defines them; `name`
 * in lower case without the last dot. Pure over the view.
 */
export function answerFromZone(
  view: ServiceView,
  clusterDomain: string,
  name: string,
  type: string,
): ZoneAnswer {
  const reverse = reverseAddress(name);
  if (reverse !== undefined) return answerReverse(view, clusterDomain, name, reverse, type);
  if (name === clusterDomain) return NODATA;
  if (!name.endsWith(`.${clusterDomain}`)) return { kind: 'foreign' };
  const labels = name.slice(0, -clusterDomain.length - 1).split('.');
  const kind = labels.pop();
  const namespace = labels.pop();
  if (kind === 'dns-version' && namespace === undefined) return typed(name, type, 'TXT', ['1.1.0']);
  if (kind === 'pod') return namespace === undefined ? NODATA : answerPod(name, labels, type);
  if (kind !== 'svc') return NXDOMAIN;
  if (namespace === undefined) return NODATA;
  const serviceName = labels.pop();
  if (serviceName === undefined) return view.hasNamespace(namespace) ? NODATA : NXDOMAIN;
  const service = view.service(namespace, serviceName);
  if (!service) return NXDOMAIN;
  return answerService(
    { view, service, zoneName: `${serviceName}.${namespace}.svc.${clusterDomain}` },
    name,
    labels,
    type,
  );
}

interface ServiceContext {
  readonly view: ServiceView;
  readonly service: Service;
  readonly zoneName: string;
}

function answerService(
  context: ServiceContext,
  name: string,
  labels: readonly string[],
  type: string,
): ZoneAnswer {
  const { service } = context;
  if (service.spec?.type === 'ExternalName') {
    const target = service.spec.externalName?.replace(/\.$/, '').toLowerCase() ?? '';
    if (labels.length > 0 || target === '') return NXDOMAIN;
    const records = [{ name, type: 'CNAME', ttl: TTL_SECONDS, data: target } as const];
    return { kind: 'answer', records, additional: [], ...(type === 'CNAME' ? {} : { alias: target }) };
  }
  const [first = '', second = ''] = labels;
  if (labels.length === 0)
    return type === 'SRV' ? answerSrv(context, name) : answerAddresses(context, name, type);
  if (labels.length === 2 && first.startsWith('_') && second.startsWith('_')) {
    return answerSrv(context, name, { port: first.slice(1), protocol: second.slice(1) }, type);
  }
  if (labels.length > 1 || clusterIPsOf(service).length > 0) return NXDOMAIN;
  const addresses = members(context).filter(({ host }) => host === first);
  return addresses.length === 0
    ? NXDOMAIN
    : addressRecords(
        name,
        type,
        addresses.map(({ ip }) => ip),
      );
}

function answerAddresses(context: ServiceContext, name: string, type: string): ZoneAnswer {
  const clusterIPs = clusterIPsOf(context.service);
  if (clusterIPs.length > 0) return addressRecords(name, type, clusterIPs);
  const found = members(context);
  return found.length === 0
    ? NXDOMAIN
    : addressRecords(
        name,
        type,
        found.map(({ ip }) => ip),
      );
}

/** With `wanted`, one named port; else all, as CoreDNS answers for the bare name. */
function answerSrv(
  context: ServiceContext,
  name: string,
  wanted?: { readonly port: string; readonly protocol: string },
  type = 'SRV',
): ZoneAnswer {
  const matches = (port: { readonly name?: string; readonly protocol?: string }): boolean =>
    wanted === undefined ||
    ((port.name ?? '') === wanted.port && (port.protocol ?? 'TCP').toLowerCase() === wanted.protocol);
  const { service, zoneName } = context;
  const clusterIPs = clusterIPsOf(service);
  const targets =
    clusterIPs.length > 0
      ? (service.spec?.ports ?? [])
          .filter(matches)
          .map(({ port }) => ({ target: zoneName, port, ips: clusterIPs }))
      : members(context).flatMap(({ host, ip, slice }) =>
          (slice.ports ?? [])
            .filter(matches)
            .flatMap(({ port }) =>
              port === undefined ? [] : [{ target: `${host}.${zoneName}`, port, ips: [ip] }],
            ),
        );
  if (targets.length === 0) return wanted === undefined ? NODATA : NXDOMAIN;
  if (type !== 'SRV') return NODATA;
  const unique = new Map(targets.map((target) => [`${target.target} ${target.port}`, target]));
  const weight = Math.max(1, Math.floor(100 / unique.size));
  return {
    kind: 'answer',
    records: [...unique.values()].map(({ target, port }) => ({
      ...{ name, type: 'SRV', ttl: TTL_SECONDS },
      data: { priority: 0, weight, port, target },
    })),
    additional: uniqueRecords(
      targets.flatMap(({ target, ips }) => ips.map((ip) => addressRecord(target, ip))),
    ),
  };
}

interface Member {
  readonly ip: string;
  /** First label of the endpoint's own name: its hostname, or its address with dashes. */
  readonly host: string;
  readonly slice: EndpointSlice;
}

/** Endpoints of a headless Service that may be told: the slice controller marks them ready if not-ready ones may. */
function members({ view, service }: ServiceContext): readonly Member[] {
  const { namespace = '', name = '' } = service.metadata;
  return view
    .slices(namespace, name)
    .flatMap((slice) =>
      (slice.endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap((endpoint) =>
          endpoint.addresses.map((ip): Member => ({ ip, host: hostOf(endpoint, ip), slice })),
        ),
    );
}

const hostOf = (endpoint: Endpoint, ip: string): string => endpoint.hostname?.toLowerCase() || dashed(ip);
const dashed = (ip: string): string => ip.replaceAll(/[.:]/g, '-');

/** `10-42-0-7.<namespace>.pod`: the address is in the name, whoever has it (CoreDNS `pods insecure`). */
function answerPod(name: string, labels: readonly string[], type: string): ZoneAnswer {
  const [host, ...rest] = labels;
  if (host === undefined) return NODATA;
  if (rest.length > 0) return NXDOMAIN;
  const v4 = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(host);
  if (v4) {
    const parts = v4.slice(1).map(Number);
    return parts.every((part) => part < 256) ? addressRecords(name, type, [parts.join('.')]) : NXDOMAIN;
  }
  return /^[0-9a-f-]*--?[0-9a-f-]*$/.test(host) && host.includes('-')
    ? addressRecords(name, type, [host.replaceAll('-', ':')])
    : NXDOMAIN;
}

function answerReverse(
  view: ServiceView,
  clusterDomain: string,
  name: string,
  ip: string,
  type: string,
): ZoneAnswer {
  const fullName = ({ metadata }: Service): string =>
    `${metadata.name}.${metadata.namespace}.svc.${clusterDomain}`;
  const owner = view.byClusterIP(ip);
  if (owner) return typed(name, type, 'PTR', [fullName(owner)]);
  const names = view.byEndpointIP(ip).flatMap((service) =>
    members({ view, service, zoneName: '' })
      .filter((member) => member.ip === ip)
      .map(({ host }) => `${host}.${fullName(service)}`),
  );
  return names.length > 0 ? typed(name, type, 'PTR', [...new Set(names)]) : { kind: 'foreign' };
}

/** The address that a name under in-addr.arpa or ip6.arpa stands for. */
export function reverseAddress(name: string): string | undefined {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  if (v4) return v4.slice(1).toReversed().join('.');
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (v6 === undefined) return undefined;
  const groups = v6.replaceAll('.', '').split('').toReversed().join('').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function typed(name: string, type: string, own: 'PTR' | 'TXT', values: readonly string[]): ZoneAnswer {
  if (type !== own && type !== 'ANY') return NODATA;
  const records = values.map((data) => ({ name, type: own, ttl: TTL_SECONDS, data }));
  return { kind: 'answer', records, additional: [] };
}

function addressRecords(name: string, type: string, ips: readonly string[]): ZoneAnswer {
  const records = uniqueRecords(ips.map((ip) => addressRecord(name, ip)));
  return {
    kind: 'answer',
    records: records.filter((record) => type === record.type || type === 'ANY'),
    additional: [],
  };
}

function addressRecord(name: string, ip: string): ZoneRecord {
  return { name, type: ip.includes(':') ? 'AAAA' : 'A', ttl: TTL_SECONDS, data: ip };
}

function uniqueRecords(records: readonly ZoneRecord[]): readonly ZoneRecord[] {
  return [...new Map(records.map((record) => [`${record.name} ${record.data}`, record])).values()];
}
