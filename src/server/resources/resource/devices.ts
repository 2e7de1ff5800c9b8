import { IMMUTABLE, invalidValue } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import {
  deviceClasses,
  resourceClaims,
  resourceClaimTemplates,
  resourceSlices,
} from '../../../api/resources.gen.ts';
import type {
  DeviceClass,
  DeviceRequest,
  ResourceClaimTemplate,
  ResourceResourceClaim,
  ResourceSlice,
} from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';

/** Dynamic resource allocation: stored and served for drivers and tools that bring their own allocation. */

function defaultRequests(requests: readonly DeviceRequest[] | undefined): void {
  for (const { exactly, firstAvailable } of requests ?? []) {
    for (const one of [...(exactly ? [exactly] : []), ...(firstAvailable ?? [])]) {
      one.allocationMode ||= 'ExactCount';
      if (one.allocationMode === 'ExactCount') one.count ||= 1;
    }
  }
}

/** `allocated,reserved`, or `pending`. */
function claimState({ metadata, status }: ResourceResourceClaim): string {
  const states: string[] = [];
  if (metadata.deletionTimestamp) states.push('deleted');
  if (status?.allocation === undefined) {
    if (states.length === 0) states.push('pending');
  } else {
    states.push('allocated');
    if (status.reservedFor?.length) states.push('reserved');
  }
  return states.join(',');
}

export const resourceClaim: ResourceDefinition<ResourceResourceClaim> = {
  resource: resourceClaims,
  singular: 'resourceclaim',
  columns: [nameColumn, textColumn('State', 'Whether it has devices.', claimState), ageColumn],
  strategy: {
    hasGeneration: false,
    default: ({ spec }) => defaultRequests(spec?.devices?.requests),
    prepareCreate: (object) => {
      object.status = {};
    },
    validateUpdate: ({ spec }, old) =>
      equalJson(spec, old.spec) ? [] : [invalidValue('spec', spec, IMMUTABLE)],
  },
  subresources: [{ name: 'status', keeps: 'metadata' }],
};

export const resourceClaimTemplate: ResourceDefinition<ResourceClaimTemplate> = {
  resource: resourceClaimTemplates,
  singular: 'resourceclaimtemplate',
  columns: [nameColumn, ageColumn],
  strategy: {
    hasGeneration: false,
    default: ({ spec }) => defaultRequests(spec?.spec?.devices?.requests),
    validateUpdate: ({ spec }, old) =>
      equalJson(spec, old.spec) ? [] : [invalidValue('spec', spec, IMMUTABLE)],
  },
};

export const deviceClass: ResourceDefinition<DeviceClass> = {
  resource: deviceClasses,
  singular: 'deviceclass',
  columns: [nameColumn, ageColumn],
  strategy: { hasGeneration: true },
};

export const resourceSlice: ResourceDefinition<ResourceSlice> = {
  resource: resourceSlices,
  singular: 'resourceslice',
  columns: [
    nameColumn,
    textColumn(
      'Node',
      'Node that the devices are on.',
      ({ spec }: ResourceSlice) => spec?.nodeName ?? '<unset>',
    ),
    textColumn('Driver', 'What manages the devices.', ({ spec }: ResourceSlice) => spec?.driver),
    textColumn('Pool', 'Pool of the devices.', ({ spec }: ResourceSlice) => spec?.pool?.name),
    ageColumn,
  ],
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.driver': ({ spec }) => spec?.driver ?? '',
  },
  strategy: { hasGeneration: true },
};
