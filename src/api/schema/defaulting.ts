import { copyJson, isObject, type JsonObject } from '../json-value.ts';
import type { SchemaNode } from './node.ts';
import { zeroOf } from './zero.ts';

/** Fields with a default or a zero value to fill in, per set of fields; computed once. */
const known = new WeakMap<SchemaNode, readonly (readonly [name: string, value: unknown])[]>();

function defaultsOf(schema: SchemaNode): readonly (readonly [string, unknown])[] {
  let defaults = known.get(schema);
  if (defaults === undefined) {
    defaults = schema.fieldNames.flatMap((name): (readonly [string, unknown])[] => {
      const field = schema.field(name);
      if (field?.default !== undefined && field.isDefaultImplied !== true) {
        return [[name, field.default]];
      }
      const zero = field?.isFilled === true ? zeroOf(field) : null;
      return zero === null ? [] : [[name, zero]];
    });
    known.set(schema, defaults);
  }
  return defaults;
}

/**
 * Fills absent fields with the schema's defaults, in place, throughout the object, and fields that a Go struct always
 * has with their zero value, so that what reads the object finds what its type promises (an absent
 * `spec.containers` is an empty list, for validation to refuse). Only where their parent is present, as upstream.
 * `null` counts as absent unless the field is nullable.
 */
export function applyDefaults(value: unknown, schema: SchemaNode): void {
  if (Array.isArray(value)) {
    if (schema.element !== undefined) for (const item of value) applyDefaults(item, schema.element);
    return;
  }
  if (!isObject(value)) return;
  if (schema.shape === 'object') fillFields(value, schema);
  for (const key of Object.keys(value)) {
    const child = value[key];
    if (typeof child !== 'object' || child === null) continue;
    const field = schema.field(key);
    if (field !== undefined) applyDefaults(child, field);
  }
}

function fillFields(object: JsonObject, schema: SchemaNode): void {
  for (const [name, value] of defaultsOf(schema)) {
    const present = Object.hasOwn(object, name) ? object[name] : undefined;
    const isAbsent = present === undefined || (present === null && schema.field(name)?.isNullable !== true);
    if (isAbsent) object[name] = copyJson(value);
  }
}
