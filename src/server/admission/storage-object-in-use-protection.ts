import { qualifiedResource } from '../../api/resource.ts';
import type { AdmissionPlugin } from './port.ts';

const FINALIZERS: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
  'volumeattributesclasses.storage.k8s.io': 'kubernetes.io/vac-protection',
};

/** Claims and volumes in use stay until nobody uses them: a controller takes the finalizer off. */
export function storageObjectInUseProtection(): AdmissionPlugin {
  return {
    name: 'StorageObjectInUseProtection',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'CREATE' && subresource === '' && Object.hasOwn(FINALIZERS, qualifiedResource(resource)),
    mutate({ object, resource }) {
      const finalizer = FINALIZERS[qualifiedResource(resource)];
      if (object === undefined || finalizer === undefined) return;
      const present = object.metadata.finalizers ?? [];
      if (!present.includes(finalizer)) object.metadata.finalizers = [...present, finalizer];
    },
  };
}
