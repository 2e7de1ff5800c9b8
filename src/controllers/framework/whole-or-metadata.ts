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

function onlyMetadata({ apiVersion, kind, metadata: whole }: KubeObject): KubeObject {
  const { name = '', uid = '', resourceVersion = '' } = whole;
  const { namespace, ownerReferences, finalizers, deletionTimestamp } = whole;
  // One shape for nearly all of them: there are as many of these as objects.
  const metadata: KubeObject['metadata'] =
    namespace === undefined ? { name, uid, resourceVersion } : { name, namespace, uid, resourceVersion };
  if (ownerReferences !== undefined) metadata.ownerReferences = ownerReferences;
  if (finalizers !== undefined) metadata.finalizers = finalizers;
  if (deletionTimestamp !== undefined) metadata.deletionTimestamp = deletionTimestamp;
  if (apiVersion === undefined || kind === undefined) return { metadata } as KubeObject;
  return { apiVersion, kind, metadata };
}
