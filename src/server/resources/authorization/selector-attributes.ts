import { forbiddenField, invalidValue, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { ResourceAttributes } from '../../../api/types.gen.ts';

type Selector = NonNullable<ResourceAttributes['fieldSelector'] | ResourceAttributes['labelSelector']>;
type Requirement = { readonly key?: string; readonly operator?: string; readonly values?: readonly string[] };

/** Upstream's rules for the selectors of an access review (KEP-4601). No authorizer of ours limits by them. */
export function validateSelectors(path: string, attributes: ResourceAttributes): FieldError[] {
  const { fieldSelector, labelSelector } = attributes;
  return [
    ...(fieldSelector ? validateSelector(`${path}.fieldSelector`, fieldSelector) : []),
    ...(labelSelector ? validateSelector(`${path}.labelSelector`, labelSelector) : []),
  ];
}

function validateSelector(path: string, selector: Selector): FieldError[] {
  const { rawSelector = '' } = selector;
  const requirements = (selector.requirements ?? []) as readonly Requirement[];
  const errors: FieldError[] = [];
  if (rawSelector !== '' && requirements.length > 0)
    errors.push(
      invalidValue(`${path}.rawSelector`, rawSelector, 'may not specified at the same time as requirements'),
    );
  if (rawSelector === '' && requirements.length === 0)
    errors.push(
      required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`),
    );
  return [
    ...errors,
    ...requirements.flatMap((one, index) => validateRequirement(`${path}.requirements[${index}]`, one)),
  ];
}

/** Operators that are not known yet are let through, as upstream does for newer clients. */
function validateRequirement(
  path: string,
  { key = '', operator = '', values = [] }: Requirement,
): FieldError[] {
  const errors: FieldError[] = key === '' ? [required(`${path}.key`, 'must be specified')] : [];
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
    errors.push(
      forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    );
  return errors;
}
