import { type KubeObject, qualifiedResource, type Resource } from '../../api/resource.ts';
import type { Informer } from '../../client/informer.ts';
import type { ControllerContext } from '../port.ts';

/** Resources of which some other controller keeps whole objects in the shared informers. */
const SHARED: ReadonlySet<string> = new Set([
  'pods',
  'nodes',
  'namespaces',
  'services',
  'endpoints',
  'serviceaccounts',
  'replicationcontrollers',
  'persistentvolumeclaims',
  'persistentvolumes',
  'resourcequotas',
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'controllerrevisions.apps',
  'jobs.batch',
  'cronjobs.batch',
  'leases.coordination.k8s.io',
  'endpointslices.discovery.k8s.io',
  'poddisruptionbudgets.policy',
  'clusterroles.rbac.authorization.k8s.io',
]);

/**
 * For readers that need metadata of anything: the whole objects where others read these anyway (`own` is false), and
 * else one shared copy of name, owners, finalizers and deletion alone.
 */
export function metadataInformer(
  { informers }: ControllerContext,
  resource: Resource<KubeObject>,
): { readonly informer: Informer<KubeObject>; readonly own: boolean } {
  const own = !SHARED.has(qualifiedResource(resource));
  return { informer: informers.for(resource, own ? { transform: onlyMetadata } : {}), own };
}

function onlyMetadata({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, ownerReferences, finalizers, deletionTimestamp } = metadata;
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
  };
}
