import { storageClasses } from '../../api/resources.gen.ts';
import type { PersistentVolumeClaim } from '../../api/types.gen.ts';
import { CLASS_ANNOTATION } from '../resources/core/persistent-volume-claim.ts';
import { isDefaultStorageClass } from '../resources/storage/storage-class.ts';
import type { AdmissionPlugin } from './port.ts';

/** A claim that names no class gets the default one; of several, the newest. */
export function defaultStorageClass(): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'CREATE' &&
      subresource === '' &&
      resource.group === '' &&
      resource.resource === 'persistentvolumeclaims',
    async mutate({ object, client }) {
      const { spec, metadata } = object as PersistentVolumeClaim;
      if (spec === undefined || spec.storageClassName !== undefined) return;
      if (metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return;
      const { items } = await client.list(storageClasses);
      const created = (one: { metadata: { creationTimestamp?: string } }): string =>
        one.metadata.creationTimestamp ?? '';
      const [newest] = items
        .filter(isDefaultStorageClass)
        .sort(
          (a, b) =>
            created(b).localeCompare(created(a)) ||
            (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''),
        );
      if (newest?.metadata.name) spec.storageClassName = newest.metadata.name;
    },
  };
}
