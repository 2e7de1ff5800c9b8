import { copyJson, isObject, type JsonObject } from '../json-value.ts';
import type { SchemaNode } from './node.ts';
import { type Filling, type Place, placeOf } from './places.ts';

/**
 * Fills absent fields with the schema's defaults, in place, throughout the object, and fields that a Go struct always
 * has with their zero value, so that what reads the object finds what its type promises (an absent
 * `spec.containers` is an empty list, for validation to refuse). Only where their parent is present, as upstream.
 * `null` counts as absent unless the field is nullable.
 */
export function applyDefaults(value: unknown, schema: SchemaNode): void {
  placeOf(schema).visit(value, fill);
}

function fill(value: unknown, place: Place): void {
  if (isObject(value)) fillFields(value, place.fillings);
}

function fillFields(object: JsonObject, fillings: readonly Filling[]): void {
  for (const { name, value, isNullable } of fillings) {
    const present = object[name];
    if (present === undefined || (present === null && !isNullable)) object[name] = copyJson(value);
  }
}
