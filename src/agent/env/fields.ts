import { milliValue, wholeValue } from '../../api/quantity.ts';
import type { Container, Pod, ResourceFieldSelector } from '../../api/types.gen.ts';

/** What the downward API may tell beyond the object itself. */
export interface DownwardContext {
  readonly nodeName: string;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The value of a `fieldRef`, or undefined for a path that does not exist. */
export function fieldValue(pod: Pod, path: string, context: DownwardContext): string | undefined {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (keyed) return metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return context.nodeName;
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName ?? '';
    case 'status.hostIP':
      return context.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return context.hostIPs.join(',');
    case 'status.podIP':
      return context.podIPs[0] ?? '';
    case 'status.podIPs':
      return context.podIPs.join(',');
    default:
      return undefined;
  }
}

/** `key="value"` lines in key order, as downward API files hold them. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/** The value of a `resourceFieldRef`; a limit that is not set is the node's allocatable (upstream). */
export function resourceValue(
  selector: ResourceFieldSelector,
  container: Container,
  context: DownwardContext,
): string | undefined {
  const match = /^(limits|requests)\.(.+)$/.exec(selector.resource);
  if (match === null) return undefined;
  const [, side, name = ''] = match;
  const { limits = {}, requests = {} } = container.resources ?? {};
  const quantity =
    side === 'limits' ? (limits[name] ?? context.allocatable[name]) : (requests[name] ?? limits[name]);
  const divisor = selector.divisor ?? '1';
  if (name === 'cpu') {
    const milli = milliValue(divisor) || 1000;
    return String(Math.ceil(milliValue(quantity) / milli));
  }
  const whole = wholeValue(divisor) || 1;
  return String(Math.ceil(wholeValue(quantity) / whole));
}
