import type { ObjectMeta } from './types.gen.ts';

/** Any object of the Kubernetes API: a type, metadata and whatever its kind adds. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** Names one resource of one API version. `T` is the type of its objects and exists at compile time only. */
export interface Resource<T = KubeObject> {
  /** API group, empty for core. */
  readonly group: string;
  readonly version: string;
  /** Lower-case plural, as in URLs and RBAC rules. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set; ties `T` to the value for inference. */
  readonly type?: T;
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(resource: { group: string; version: string }): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** `deployments.apps`, or `pods` for the core group; the form RBAC messages and `Status` details use. */
export function qualifiedResource(resource: { group: string; resource: string }): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
}
