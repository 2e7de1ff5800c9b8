import { copyJson, isObject, type JsonObject } from '../json-value.ts';
import type { SchemaNode } from './node.ts';

/** Fields with a default, per set of fields; computed once, since few types have any. */
const known = new WeakMap<SchemaNode, readonly (readonly [name: string, value: unknown])[]>();

function defaultsOf(schema: SchemaNode): readonly (readonly [string, unknown])[] {
  let defaults = known.get(schema);
  if (defaults === undefined) {
    defaults = schema.fieldNames.flatMap((name) => {
      const field = schema.field(name);
      const has = field?.default !== undefined && field.isDefaultImplied !== true;
      return has ? [[name, field.default] as const] : [];
    });
    known.set(schema, defaults);
  }
  return defaults;
}

/**
 * Fills absent fields with the schema's defaults, in place, throughout the object. Only where their parent is
 * present, as upstream. `null` counts as absent unless the field is nullable.
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
