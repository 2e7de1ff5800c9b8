import type { LoadBalancerStatus, Service, ServicePort } from '../../../api/types.gen.ts';
import type { Column } from '../../registry/definition.ts';
import { ageColumn, formatLabels, nameColumn, orNone, textColumn, wide } from '../columns.ts';

/** Addresses of a load balancer, without repeats, sorted. */
export function loadBalancerText(status: LoadBalancerStatus | undefined): string {
  const addresses = (status?.ingress ?? []).map(({ ip, hostname }) => ip || hostname).filter((one) => one);
  return [...new Set(addresses)].sort().join(',');
}

function externalIP({ spec, status }: Service): string {
  const externals = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return orNone(externals.join(','));
    case 'LoadBalancer': {
      const balanced = loadBalancerText(status?.loadBalancer);
      return [...(balanced ? [balanced] : []), ...externals].join(',') || '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

const portText = ({ port, nodePort, protocol }: ServicePort): string =>
  nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`;

export const serviceColumns: readonly Column<Service>[] = [
  nameColumn,
  textColumn('Type', 'How the service is exposed.', ({ spec }) => spec?.type),
  textColumn('Cluster-IP', 'Address inside the cluster.', ({ spec }) =>
    orNone(spec?.clusterIPs?.[0] ?? spec?.clusterIP),
  ),
  textColumn('External-IP', 'Addresses from outside.', externalIP),
  textColumn('Port(s)', 'Ports that the service listens on.', ({ spec }) =>
    orNone(spec?.ports?.map(portText).join(',')),
  ),
  ageColumn,
  wide(textColumn('Selector', 'Labels of the pods behind it.', ({ spec }) => formatLabels(spec?.selector))),
];
