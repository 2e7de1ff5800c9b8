import { compareQuantities } from '../../api/quantity.ts';
import { storageClasses } from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { PersistentVolumeClaim } from '../../api/types.gen.ts';
import type { AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

/** Only claims whose class says so may grow. */
export function persistentVolumeClaimResize(): AdmissionPlugin {
  return {
    name: 'PersistentVolumeClaimResize',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'UPDATE' &&
      subresource === '' &&
      resource.group === '' &&
      resource.resource === 'persistentvolumeclaims',
    async validate(attributes) {
      const { spec, status } = attributes.object as PersistentVolumeClaim;
      const old = attributes.oldObject as PersistentVolumeClaim;
      const [size, before] = [spec?.resources?.requests?.storage, old.spec?.resources?.requests?.storage];
      if (size === undefined || before === undefined || compareQuantities(size, before) <= 0) return;
      if ((status ?? old.status)?.phase !== 'Bound') {
        throw refuse(attributes, 'Only bound persistent volume claims can be expanded');
      }
      const name = spec?.storageClassName;
      const allowed = name ? await mayExpand(attributes.client, name) : false;
      if (!allowed) {
        throw refuse(
          attributes,
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        );
      }
    },
  };
}

async function mayExpand(
  client: Parameters<NonNullable<AdmissionPlugin['validate']>>[0]['client'],
  name: string,
): Promise<boolean> {
  try {
    return (await client.get(storageClasses, { name })).allowVolumeExpansion ?? false;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
