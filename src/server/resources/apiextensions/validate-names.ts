import { invalidValue } from '../../../api/field-errors.ts';
import { dns1035LabelProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { CustomResourceDefinitionNames } from '../../../api/types.gen.ts';

/** Names that are there must be names; which must be there is another question. */
export function validateNames(names: Partial<CustomResourceDefinitionNames>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const check = (field: string, value: string, isKind = false): void => {
    const problems = dns1035LabelProblems(isKind ? value.toLowerCase() : value);
    const hint = isKind ? 'may have mixed case, but should otherwise match: ' : '';
    if (problems.length > 0)
      errors.push(invalidValue(`${path}.${field}`, value, `${hint}${problems.join(',')}`));
  };
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names;
  if (plural) check('plural', plural);
  if (singular) check('singular', singular);
  if (kind) check('kind', kind, true);
  if (listKind) check('listKind', listKind, true);
  shortNames.forEach((one, index) => void check(`shortNames[${index}]`, one));
  if (kind && kind === listKind)
    errors.push(invalidValue(`${path}.listKind`, listKind, 'kind and listKind may not be the same'));
  categories.forEach((one, index) => void check(`categories[${index}]`, one));
  return errors;
}
