import { invalidValue, required } from '../../../api/field-errors.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';

/** `example.com/signer-name`, as upstream's ValidateSignerName checks it. */
export function validateSignerName(field: string, name: string): FieldError[] {
  if (name === '') return [required(field)];
  const [domain = '', path = '', ...more] = name.split('/');
  const errors: FieldError[] = [];
  if (path === '' || more.length > 0 || !domain.includes('.'))
    errors.push(
      invalidValue(
        field,
        name,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    );
  for (const problem of [
    ...dns1123SubdomainProblems(domain),
    ...(path === '' ? [] : dns1123SubdomainProblems(path)),
  ])
    errors.push(invalidValue(field, name, problem));
  return errors;
}
