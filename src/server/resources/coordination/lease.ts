import { required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { leases } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Lease } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { nonNegative, positive } from '../field-checks.ts';

function validateLease({ spec = {} }: Lease): FieldError[] {
  const errors = [
    ...positive('spec.leaseDurationSeconds', spec.leaseDurationSeconds).map((error) => ({
      ...error,
      message: error.message.replace('greater than zero', 'greater than 0'),
    })),
    ...nonNegative('spec.leaseTransitions', spec.leaseTransitions),
  ];
  if (spec.preferredHolder && !spec.strategy) {
    errors.push(required('spec.strategy', 'preferredHolder is set'));
  }
  return errors;
}

/**
 * A renewal changes nothing but the time. Who holds a Lease must outlive a crash: a second holder would take one that is
 * gone at once, while the first still believes in its own.
 */
function isRenewal(renewed: Lease, old: Lease): boolean {
  return equalJson(withoutTimes(renewed), withoutTimes(old));
}

function withoutTimes({ metadata, spec }: Lease): object {
  return {
    metadata: { ...metadata, managedFields: undefined, resourceVersion: undefined },
    spec: { ...spec, renewTime: undefined },
  };
}

export const lease: ResourceDefinition<Lease> = {
  resource: leases,
  singular: 'lease',
  isForgettable: isRenewal,
  columns: [
    nameColumn,
    textColumn('Holder', 'Who holds it.', ({ spec }: Lease) => spec?.holderIdentity),
    ageColumn,
  ],
  anyFinalizer: true,
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    validate: validateLease,
  },
};
