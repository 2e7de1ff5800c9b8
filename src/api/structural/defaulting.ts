import { copyJson, isObject, setOwn } from '../json-value.ts';
import { HAS, type StructuralSchema } from './structural.ts';

/**
 * Fills in the schema's defaults, in place, wherever the place they belong to is there; `null` counts as absent unless
 * it is allowed. True when something changed.
 */
export function fillDefaults(value: unknown, schema: StructuralSchema | undefined): boolean {
  if (schema === undefined || (schema.has & HAS.defaults) === 0) return false;
  if (Array.isArray(value)) return fillItems(value, schema.items);
  if (!isObject(value)) return false;
  let changed = false;
  for (const [name, property] of schema.properties) {
    if (property.default === undefined) continue;
    const present = Object.hasOwn(value, name) ? value[name] : undefined;
    if (present === undefined || (present === null && !property.isNullable)) {
      setOwn(value, name, copyJson(property.default));
      changed = true;
    }
  }
  for (const name of Object.keys(value)) {
    const property = schema.property(name);
    if (property === undefined) continue;
    const { default: fallback } = property;
    if (value[name] === null && !property.isNullable && fallback !== undefined) {
      setOwn(value, name, copyJson(fallback));
      changed = true;
    }
    if (fillDefaults(value[name], property)) changed = true;
  }
  return changed;
}

function fillItems(items: unknown[], schema: StructuralSchema | undefined): boolean {
  if (schema === undefined) return false;
  let changed = false;
  items.forEach((item, index) => {
    if (item === null && !schema.isNullable && schema.default !== undefined) {
      items[index] = copyJson(schema.default);
      changed = true;
    }
    if (fillDefaults(items[index], schema)) changed = true;
  });
  return changed;
}
