import { IMMUTABLE, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { serviceCIDRs } from '../../../api/resources.gen.ts';
import type { ServiceCIDR } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { cidr, eachOf } from '../field-checks.ts';

export const serviceCidr: ResourceDefinition<ServiceCIDR> = {
  resource: serviceCIDRs,
  singular: 'servicecidr',
  columns: [
    nameColumn,
    textColumn('CIDRs', 'Ranges of service addresses.', ({ spec }: ServiceCIDR) => spec?.cidrs?.join(',')),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    validate: ({ spec }) =>
      spec?.cidrs?.length
        ? eachOf(spec.cidrs, 'spec.cidrs', (range, at) => cidr(at, range))
        : [required('spec.cidrs', 'at least one CIDR required')],
    validateUpdate: ({ spec }, old) =>
      equalJson(spec?.cidrs, old.spec?.cidrs) ? [] : [invalidValue('spec.cidrs', spec?.cidrs, IMMUTABLE)],
  },
  subresources: [{ name: 'status', keeps: 'metadata' }],
};
