import type { Resource } from '../api/resource.ts';
import type { ListOptions, WatchOptions } from './port.ts';

/** The URL path of a resource's collection, or of one object or subresource of it. */
export function requestPath(
  resource: Resource,
  at: { namespace?: string | undefined; name?: string; subresource?: string | undefined } = {},
): string {
  const steps = resource.group === '' ? ['api'] : ['apis', resource.group];
  steps.push(resource.version);
  if (resource.namespaced && at.namespace) steps.push('namespaces', at.namespace);
  steps.push(resource.resource);
  if (at.name !== undefined) steps.push(at.name);
  if (at.subresource) steps.push(...at.subresource.split('/'));
  return `/${steps.map(encodeURIComponent).join('/')}`;
}

/** `?a=b&c=d` of what is set; empty without any. */
export function queryOf(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') query.set(key, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

export function selectionQuery(options: ListOptions | WatchOptions): Record<string, string | undefined> {
  const { labelSelector, fieldSelector, resourceVersion } = options;
  return { labelSelector, fieldSelector, resourceVersion };
}
