import { invalidValue, notOneOf, required } from '../field-errors.ts';
import type { FieldError } from '../status.ts';
import type { ValidationRule } from '../types.gen.ts';
import { resolveFieldPath } from './field-path.ts';
import type { JsonSchema } from './json-schema.ts';

const REASONS = [
  'FieldValueDuplicate',
  'FieldValueForbidden',
  'FieldValueInvalid',
  'FieldValueRequired',
] as const;

/** What can be said of `x-kubernetes-validations` without compiling an expression. `path` names the list. */
export function validateRuleTexts(
  schema: JsonSchema,
  rules: readonly ValidationRule[],
  path: string,
): FieldError[] {
  return rules.flatMap((rule, index) => [
    ...messages(rule, `${path}[${index}]`),
    ...places(schema, rule, `${path}[${index}]`),
  ]);
}

const hasNewlines = (text: string): boolean => /[\n\r]/.test(text);

function messages(rule: ValidationRule, path: string): FieldError[] {
  const { message = '', messageExpression = '' } = rule;
  const [trimmedRule, trimmedMessage] = [rule.rule.trim(), message.trim()];
  const errors: FieldError[] = [];
  if (trimmedRule === '') errors.push(required(`${path}.rule`, 'rule is not specified'));
  else if (message !== '' && trimmedMessage === '')
    errors.push(invalidValue(`${path}.message`, message, 'must be non-empty if specified'));
  else if (hasNewlines(trimmedMessage))
    errors.push(invalidValue(`${path}.message`, message, 'must not contain line breaks'));
  else if (hasNewlines(trimmedRule) && trimmedMessage === '') {
    const why = 'message must be specified if rule contains line breaks';
    errors.push(required(`${path}.message`, why));
  }
  if (messageExpression !== '' && messageExpression.trim() === '') {
    const why = 'messageExpression must be non-empty if specified';
    errors.push(required(`${path}.messageExpression`, why));
  }
  return errors;
}

function places(schema: JsonSchema, { reason, fieldPath = '' }: ValidationRule, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (reason !== undefined && !(REASONS as readonly string[]).includes(reason))
    errors.push(notOneOf(`${path}.reason`, reason, REASONS));
  const at = `${path}.fieldPath`;
  if (fieldPath !== '' && fieldPath.trim() === '')
    errors.push(invalidValue(at, fieldPath, 'must be non-empty if specified'));
  if (hasNewlines(fieldPath)) errors.push(invalidValue(at, fieldPath, 'must not contain line breaks'));
  if (fieldPath !== '' && 'problem' in resolveFieldPath(fieldPath, schema, { arrays: true }))
    errors.push(invalidValue(at, fieldPath, 'must be a valid path'));
  return errors;
}
