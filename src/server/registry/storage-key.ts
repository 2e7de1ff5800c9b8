import type { ServedResource } from './served-resource.ts';

/** `/registry/<group>/<resource>/`, with `core` for the group that has no name. */
export function keyPrefix(resource: { readonly group: string; readonly resource: string }): string {
  return `/registry/${resource.group === '' ? 'core' : resource.group}/${resource.resource}/`;
}

/** Key of one object: `<prefix>[<namespace>/]<name>`. */
export function storageKey(served: ServedResource, namespace: string, name: string): string {
  return served.definition.resource.namespaced
    ? `${served.prefix}${namespace}/${name}`
    : `${served.prefix}${name}`;
}
