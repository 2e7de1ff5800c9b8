import { isIP } from 'node:net';
import { IMMUTABLE, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { ipAddresses } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { IPAddress } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';

/** `services/default/kubernetes` */
function parentText({ spec }: IPAddress): string {
  const { group, resource, namespace, name } = spec?.parentRef ?? {};
  const qualified = group ? `${resource}.${group}` : resource;
  return [qualified, namespace, name].filter((part) => part).join('/');
}

function validateParent({ spec }: IPAddress): FieldError[] {
  const parent = spec?.parentRef;
  if (parent === undefined) return [required('spec.parentRef')];
  return (['resource', 'name'] as const)
    .filter((field) => !parent[field])
    .map((field) => required(`spec.parentRef.${field}`));
}

export const ipAddress: ResourceDefinition<IPAddress> = {
  resource: ipAddresses,
  singular: 'ipaddress',
  shortNames: ['ip'],
  validateName: (name) => (isIP(name) ? [] : ['must be a valid IP address in canonical form (RFC 5952)']),
  columns: [nameColumn, textColumn('ParentRef', 'What uses the address.', parentText), ageColumn],
  selectableFields: {
    'spec.parentRef.group': ({ spec }) => spec?.parentRef?.group ?? '',
    'spec.parentRef.resource': ({ spec }) => spec?.parentRef?.resource ?? '',
    'spec.parentRef.namespace': ({ spec }) => spec?.parentRef?.namespace ?? '',
    'spec.parentRef.name': ({ spec }) => spec?.parentRef?.name ?? '',
  },
  strategy: {
    hasGeneration: false,
    validate: validateParent,
    validateUpdate: ({ spec }, old) =>
      equalJson(spec?.parentRef, old.spec?.parentRef)
        ? []
        : [invalidValue('spec.parentRef', spec?.parentRef, IMMUTABLE)],
  },
};
