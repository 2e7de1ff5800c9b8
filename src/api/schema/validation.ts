import { notSupported, required } from '../field-errors.ts';
import { isObject } from '../json-value.ts';
import type { FieldError } from '../status.ts';
import type { SchemaNode } from './node.ts';
import { closedEnumOf, placeOf } from './places.ts';

/** More than a person reads; keeps a hostile object from filling memory with complaints. */
const MAX_ERRORS = 100;

export interface ValidateOptions {
  /** Path of the value, such as `spec`; empty for a whole object. */
  readonly path?: string;
  /**
   * Also report absent required fields. Off for built-in kinds: upstream takes an absent scalar for its zero value
   * there, and each kind words its own complaint.
   */
  readonly checkRequired?: boolean;
}

/**
 * What the schema says is wrong with a value whose types are right: values outside a closed enum and, when asked,
 * required fields that are absent. The `status` of a whole object is not looked at: it is written by controllers,
 * and newer ones know more values.
 */
export function validateSchema(
  value: unknown,
  schema: SchemaNode,
  { path = '', checkRequired = false }: ValidateOptions = {},
): FieldError[] {
  if (!checkRequired && !hasStrangeValue(value, schema)) return [];
  const errors: FieldError[] = [];
  visit(value, schema, path, { errors, checkRequired, isRoot: path === '' });
  return errors;
}

/** Whether any string is not one of its enum, wherever; who looks for it in vain needs no paths. */
function hasStrangeValue(value: unknown, schema: SchemaNode): boolean {
  let isFound = false;
  placeOf(schema).visit(value, (text, { closedEnum }) => {
    if (closedEnum !== undefined && typeof text === 'string' && !closedEnum.includes(text)) isFound = true;
  });
  return isFound;
}

interface Visit {
  readonly errors: FieldError[];
  readonly checkRequired: boolean;
  readonly isRoot: boolean;
}

function visit(value: unknown, schema: SchemaNode, path: string, state: Visit): void {
  if (state.errors.length >= MAX_ERRORS) return;
  if (typeof value === 'string') {
    const known = closedEnumOf(schema);
    if (known?.includes(value) === false) {
      state.errors.push(
        notSupported(
          path,
          value,
          known.filter((one) => one !== ''),
        ),
      );
    }
  } else if (Array.isArray(value)) {
    const { element } = schema;
    if (element === undefined) return;
    value.forEach((item, index) => void visit(item, element, `${path}[${index}]`, state));
  } else if (isObject(value)) {
    const inner = state.isRoot ? { ...state, isRoot: false } : state;
    for (const key of Object.keys(value)) {
      if (state.isRoot && key === 'status') continue;
      const field = schema.field(key);
      if (field === undefined) continue;
      const child = schema.shape === 'map' ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
      visit(value[key], field, child, inner);
    }
    if (!state.checkRequired) return;
    for (const name of schema.required) {
      if (!Object.hasOwn(value, name) || value[name] === undefined) {
        state.errors.push(required(path === '' ? name : `${path}.${name}`));
      }
    }
  }
}
