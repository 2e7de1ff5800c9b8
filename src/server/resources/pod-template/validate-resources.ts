import { invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { labelKeyProblems } from '../../../api/names.ts';
import { compareQuantities, parseQuantity } from '../../../api/quantity.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Quantity, ResourceRequirements } from '../../../api/types.gen.ts';
import { AT_LEAST_ZERO, problemsOf } from '../field-checks.ts';

const STANDARD = ['cpu', 'memory', 'ephemeral-storage'];
const INTEGERS_ONLY = 'must be an integer';

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
/** `vendor.example/device`: counted in whole pieces and never overcommitted. */
const isExtended = (name: string): boolean =>
  name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.');

/** A name that a container may ask for. */
function validateContainerResourceName(name: string, field: string): FieldError[] {
  const errors = problemsOf(field, name, labelKeyProblems);
  if (errors.length > 0) return errors;
  if (!name.includes('/')) {
    return STANDARD.includes(name) || isHugePages(name)
      ? []
      : [invalidValue(field, name, 'must be a standard resource for containers')];
  }
  return isExtended(name)
    ? []
    : [invalidValue(field, name, "doesn't follow extended resource name standard")];
}

/** Not negative; extended resources in whole numbers. */
export function validateQuantity(name: string, quantity: Quantity, field: string): FieldError[] {
  const { nano } = parseQuantity(quantity);
  if (nano < 0n) return [invalidValue(field, quantity, AT_LEAST_ZERO)];
  if (isExtended(name) && nano % 1_000_000_000n !== 0n) return [invalidValue(field, quantity, INTEGERS_ONLY)];
  return [];
}

/** Requests and limits of a container or a whole pod. */
export function validateResources(
  resources: ResourceRequirements | undefined,
  path: string,
  claimNames: ReadonlySet<string> = new Set(),
): FieldError[] {
  if (resources === undefined) return [];
  const errors: FieldError[] = [];
  const { limits = {}, requests = {} } = resources;
  for (const [name, limit] of Object.entries(limits)) {
    const field = `${path}.limits[${name}]`;
    errors.push(...validateContainerResourceName(name, field), ...validateQuantity(name, limit, field));
  }
  for (const [name, request] of Object.entries(requests)) {
    const field = `${path}.requests[${name}]`;
    errors.push(...validateContainerResourceName(name, field), ...validateQuantity(name, request, field));
    errors.push(...validateAgainstLimit(name, request, limits[name], `${path}.requests`));
  }
  (resources.claims ?? []).forEach(({ name }, at) => {
    const field = `${path}.claims[${at}].name`;
    if (!name) errors.push(required(field));
    else if (!claimNames.has(name)) errors.push(notSupported(field, name, [...claimNames]));
  });
  return errors;
}

function validateAgainstLimit(
  name: string,
  request: Quantity,
  limit: Quantity | undefined,
  field: string,
): FieldError[] {
  const overcommit = !isExtended(name) && !isHugePages(name);
  if (limit === undefined) {
    return overcommit
      ? []
      : [
          required(
            field.replace(/requests$/, 'limits'),
            'Limit must be set for non overcommitable resources',
          ),
        ];
  }
  const order = compareQuantities(request, limit);
  if (!overcommit && order !== 0)
    return [invalidValue(field, request, `must be equal to ${name} limit of ${limit}`)];
  if (order > 0)
    return [invalidValue(field, request, `must be less than or equal to ${name} limit of ${limit}`)];
  return [];
}
