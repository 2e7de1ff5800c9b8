import { notSupported } from '../../api/field-errors.ts';
import { type FieldError, invalid } from '../../api/status.ts';

export function dryRunErrors(values: readonly string[]): FieldError[] {
  return values.every((value) => value === 'All') ? [] : [notSupported('dryRun', values, ['All'])];
}

/** Whether options of a deletion ask for a dry run. Throws 422 for one that does not exist. */
export function readDryRun(values: readonly string[]): boolean {
  const errors = dryRunErrors(values);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  return values.length > 0;
}
