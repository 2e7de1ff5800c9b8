import type { KubeObject, Resource } from '../../api/resource.ts';
import { nodes, pods, secrets, serviceAccounts } from '../../api/resources.gen.ts';
import type { Pod, Secret } from '../../api/types.gen.ts';
import type { WatchCache } from '../watchcache/port.ts';

/** The newest state of what tokens speak of. Synchronous: it stands on every request. */
export interface IdentityLookups {
  serviceAccount(namespace: string, name: string): Identity | undefined;
  pod(namespace: string, name: string): PodIdentity | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  node(name: string): Identity | undefined;
}

export interface Identity {
  readonly uid: string;
  /** RFC 3339; set once the object is being deleted. */
  readonly deletionTimestamp: string | undefined;
}

export interface PodIdentity extends Identity {
  readonly serviceAccountName: string;
  readonly nodeName: string | undefined;
}

/** Lookups over watch caches. A resource without a cache has no objects. */
export function createIdentityLookups(
  cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => Pick<WatchCache, 'get'> | undefined,
): IdentityLookups {
  const find = <T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, name: string) =>
    cacheOf(resource)?.get(namespace, name)?.object() as T | undefined;
  const identity = ({ metadata }: KubeObject): Identity => ({
    uid: metadata.uid ?? '',
    deletionTimestamp: metadata.deletionTimestamp,
  });
  return {
    serviceAccount(namespace, name) {
      const account = find(serviceAccounts, namespace, name);
      return account && identity(account);
    },
    pod(namespace, name) {
      const pod: Pod | undefined = find(pods, namespace, name);
      return (
        pod && {
          ...identity(pod),
          serviceAccountName: pod.spec?.serviceAccountName ?? '',
          nodeName: pod.spec?.nodeName,
        }
      );
    },
    secret: (namespace, name) => find(secrets, namespace, name),
    node(name) {
      const node = find(nodes, undefined, name);
      return node && identity(node);
    },
  };
}
