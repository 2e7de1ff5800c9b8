import { forbiddenField, invalidValue, notOneOf, required } from '../field-errors.ts';
import type { FieldError } from '../status.ts';
import { itemSchema, type JsonSchema } from './json-schema.ts';

/** What is wrong with `x-kubernetes-list-type` and `x-kubernetes-list-map-keys`. */
export function validateListExtensions(
  schema: JsonSchema,
  path: string,
  requireAtomicSets: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const { 'x-kubernetes-list-type': listType, 'x-kubernetes-list-map-keys': keys = [], type } = schema;
  const typePath = `${path}.x-kubernetes-list-type`;
  if (listType !== undefined && type !== 'array') {
    const why = 'must be array if x-kubernetes-list-type is specified';
    errors.push(type ? invalidValue(`${path}.type`, type, why) : required(`${path}.type`, why));
  } else if (requireAtomicSets && listType === 'set') errors.push(...atomicItems(schema, path));
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    errors.push(notOneOf(typePath, listType, ['atomic', 'set', 'map']));
  if (keys.length > 0 && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(listType === undefined ? required(typePath, why) : invalidValue(typePath, listType, why));
  }
  if (listType === 'map') errors.push(...mapList(schema, keys, path));
  return errors;
}

function atomicItems(schema: JsonSchema, path: string): FieldError[] {
  const items = itemSchema(schema);
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const inner = items?.['x-kubernetes-list-type'];
  if (items?.type === 'array' && inner !== undefined && inner !== 'atomic')
    return [invalidValue(`${path}.items.x-kubernetes-list-type`, inner, why)];
  if (items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    return [invalidValue(`${path}.items.x-kubernetes-map-type`, inner ?? null, why)];
  return [];
}

function mapList(schema: JsonSchema, keys: readonly string[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const keysPath = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0)
    errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
  if (schema.items === undefined)
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
  if (Array.isArray(schema.items)) {
    const why = 'must only have a single schema if x-kubernetes-list-type is map';
    errors.push(invalidValue(`${path}.items`, schema.items, why));
  }
  const items = itemSchema(schema);
  if (items && items.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalidValue(`${path}.items.type`, items.type ?? '', why));
  }
  if (items?.type !== 'object') return errors;
  const seen = new Set<string>();
  for (const key of keys) {
    const property = items.properties?.[key];
    if (!property) errors.push(invalidValue(keysPath, keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object') {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalidValue(`${path}.items.properties[${key}].type`, items.type, why));
    }
    if (seen.has(key)) errors.push(invalidValue(keysPath, keys, 'must not contain duplicate entries'));
    seen.add(key);
  }
  return errors;
}

/** Keys identify items only if they are always there. */
export function validateMapListKeys(schema: JsonSchema, path: string): FieldError[] {
  const items = itemSchema(schema);
  const listType = schema['x-kubernetes-list-type'];
  if (!items || (listType !== 'set' && listType !== 'map')) return [];
  const errors: FieldError[] = [];
  if (items.nullable) {
    const why = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(forbiddenField(`${path}.items.nullable`, why));
  }
  if (listType === 'set') return errors;
  for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
    const property = items.properties?.[key];
    if (!property) continue;
    const at = `${path}.items.properties[${key}]`;
    if (!items.required?.includes(key) && (property.default === undefined || property.default === null)) {
      const why =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      errors.push(required(`${at}.default`, why));
    }
    if (property.nullable) {
      const why = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      errors.push(forbiddenField(`${at}.nullable`, why));
    }
  }
  return errors;
}
