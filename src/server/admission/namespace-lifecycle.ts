import { namespaces } from '../../api/resources.gen.ts';
import { forbidden, namespaceTerminating, notFound } from '../../api/status.ts';
import type { Namespace } from '../../api/types.gen.ts';
import type { CachedObject } from '../watchcache/port.ts';
import type { AdmissionAttributes, AdmissionContext, AdmissionPlugin } from './port.ts';

/** Namespaces that a cluster cannot be without. */
const IMMORTAL: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);
const ACCESS_REVIEW = 'localsubjectaccessreviews';

function isNamespace({ resource }: AdmissionAttributes): boolean {
  return resource.group === '' && resource.resource === 'namespaces';
}

/**
 * Nothing is written into a namespace that does not exist, nothing new into one that is being deleted, and the
 * namespaces that a cluster needs stay.
 */
export function namespaceLifecycle({ cacheOf }: Pick<AdmissionContext, 'cacheOf'>): AdmissionPlugin {
  /** Of what was looked at; read once. */
  const terminating = new WeakMap<CachedObject, boolean>();
  const isTerminating = (cached: CachedObject): boolean => {
    let is = terminating.get(cached);
    if (is === undefined) {
      is = (cached.object() as Namespace).status?.phase === 'Terminating';
      terminating.set(cached, is);
    }
    return is;
  };
  return {
    name: 'NamespaceLifecycle',
    concerns: ({ operation }) => operation !== 'CONNECT',
    // Before other plugins look for things in the namespace, so that its absence is what the client hears.
    mutate(attributes) {
      const { operation, namespace, name } = attributes;
      if (isNamespace(attributes)) {
        if (operation === 'DELETE' && IMMORTAL.has(name)) {
          throw forbidden(namespaces, name, 'this namespace may not be deleted');
        }
        return;
      }
      if (namespace === '' || operation === 'DELETE' || attributes.resource.resource === ACCESS_REVIEW)
        return;
      const found = cacheOf(namespaces)?.get(undefined, namespace);
      if (found === undefined) throw notFound(namespaces, namespace);
      if (operation === 'CREATE' && isTerminating(found)) throw refusal(attributes);
    },
  };
}

function refusal({ resource, namespace, name, object }: AdmissionAttributes): Error {
  return namespaceTerminating(resource, name || (object?.metadata.generateName ?? ''), namespace);
}
