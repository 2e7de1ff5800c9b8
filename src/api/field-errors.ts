import type { FieldError } from './status.ts';

/** Renders a value the way upstream's field errors do: strings quoted, objects as compact JSON. */
function shown(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value);
}

export const required = (field: string, detail = ''): FieldError => ({
  field,
  reason: 'FieldValueRequired',
  message: detail === '' ? 'Required value' : `Required value: ${detail}`,
});
export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${shown(value)}: ${detail}`,
});
/** The same of something that is too large to be shown. */
export const invalidHere = (field: string, detail: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${detail}`,
});
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  field,
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${shown(value)}: supported values: ${[...supported]
    .sort()
    .map((one) => JSON.stringify(one))
    .join(', ')}`,
});
/** The same with the supported values as they are, in the order of a schema. */
export const notOneOf = (field: string, value: unknown, supported: readonly string[]): FieldError => {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  return {
    field,
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${shown(value)}${list === '' ? '' : `: supported values: ${list}`}`,
  };
};
/** A value of another type than the schema's. */
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  field,
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${shown(value)}: ${detail}`,
});
export const internalFieldError = (field: string, detail: string): FieldError => ({
  field,
  reason: 'InternalError',
  message: `Internal error: ${detail}`,
});
export const duplicate = (field: string, value: unknown): FieldError => ({
  field,
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${shown(value)}`,
});
export const forbiddenField = (field: string, detail: string): FieldError => ({
  field,
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${detail}`,
});
export const tooLong = (field: string, maxBytes: number): FieldError => ({
  field,
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${maxBytes} bytes`,
});
export const tooMany = (field: string, actual: number, max: number): FieldError => ({
  field,
  reason: 'FieldValueTooMany',
  message: `Too many: ${actual}: must have at most ${max} items`,
});
export const notFoundValue = (field: string, value: unknown): FieldError => ({
  field,
  reason: 'FieldValueNotFound',
  message: `Not found: ${shown(value)}`,
});
export const IMMUTABLE = 'field is immutable';
