import { dns1035LabelProblems } from '../../../api/names.ts';
import { services } from '../../../api/resources.gen.ts';
import { invalid } from '../../../api/status.ts';
import type { Service } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { allocateForService, releaseDifference, releaseService } from './service-addresses.ts';
import { serviceColumns } from './service-columns.ts';
import {
  defaultFamilies,
  defaultService,
  dropFormerType,
  keepAllocated,
  normalizeClusterIPs,
} from './service-defaults.ts';
import { validateService, validateServiceUpdate } from './service-validation.ts';

/** Addresses are only taken for a service that makes sense. */
function refuseInvalid(service: Service): void {
  const errors = validateService(service);
  if (errors.length > 0) throw invalid({ group: '', kind: 'Service' }, service.metadata.name ?? '', errors);
}

export const service: ResourceDefinition<Service> = {
  resource: services,
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  returnsDeleted: true,
  columns: serviceColumns,
  selectableFields: {
    'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
    'spec.type': ({ spec }) => spec?.type ?? '',
  },
  validateName: dns1035LabelProblems,
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    default: defaultService,
    prepareCreate: (object, { allocators }) => {
      object.status = { loadBalancer: {} };
      if (object.spec === undefined) return;
      normalizeClusterIPs(object.spec, undefined);
      defaultService(object);
      defaultFamilies(object.spec);
      refuseInvalid(object);
      allocateForService(object, undefined, allocators);
    },
    prepareUpdate: (object, old, { allocators }) => {
      if (object.spec === undefined || old.spec === undefined) return;
      dropFormerType(object.spec, old.spec);
      keepAllocated(object.spec, old.spec);
      normalizeClusterIPs(object.spec, old.spec);
      defaultService(object);
      defaultFamilies(object.spec);
      if (validateServiceUpdate(object, old).length > 0) return;
      refuseInvalid(object);
      allocateForService(object, old, allocators);
    },
    validate: validateService,
    validateUpdate: validateServiceUpdate,
    afterUpdate: ({ object, old, stored, context: { allocators } }) => {
      if (stored) releaseDifference(old, object, allocators);
      else releaseDifference(object, old, allocators);
    },
    afterDelete: (object, { allocators }) => releaseService(object, allocators),
  },
  subresources: [{ name: 'status' }, { name: 'proxy', connect: true }],
};
