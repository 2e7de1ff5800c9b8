import type { PolicyRule } from '../../api/types.gen.ts';

export const READ = ['get', 'list', 'watch'];
export const CREATE = ['create'];
export const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
export const READ_WRITE = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** A rule for resources, its lists sorted as upstream stores them. */
export function rule(
  verbs: readonly string[],
  apiGroups: readonly string[],
  resources: readonly string[],
  resourceNames: readonly string[] = [],
): PolicyRule {
  return {
    apiGroups: [...apiGroups].sort(),
    ...(resourceNames.length === 0 ? {} : { resourceNames: [...resourceNames].sort() }),
    resources: [...resources].sort(),
    verbs: [...verbs].sort(),
  };
}

export function urls(verbs: readonly string[], nonResourceURLs: readonly string[]): PolicyRule {
  return { nonResourceURLs: [...nonResourceURLs].sort(), verbs: [...verbs].sort() };
}

/** Everybody who works for the cluster tells what it does. */
export const EVENTS = rule(['create', 'patch', 'update'], ['', 'events.k8s.io'], ['events']);
