import { duplicate, invalidValue } from '../field-errors.ts';
import { isObject } from '../json-value.ts';
import type { FieldError } from '../status.ts';
import { HAS, type StructuralSchema } from './structural.ts';

/** Items that occur twice in lists of type `set`, and keys that do in those of type `map`. */
export function validateListTypes(
  value: unknown,
  schema: StructuralSchema | undefined,
  path = '',
): readonly FieldError[] {
  if (schema === undefined || (schema.has & HAS.uniqueLists) === 0) return [];
  if (Array.isArray(value)) {
    return [
      ...ownProblems(value, schema, path),
      ...value.flatMap((item, index) => validateListTypes(item, schema.items, `${path}[${index}]`)),
    ];
  }
  if (!isObject(value)) return [];
  return Object.keys(value).flatMap((name) => {
    const child = schema.properties.has(name)
      ? `${path === '' ? '' : `${path}.`}${name}`
      : `${path}[${name}]`;
    return validateListTypes(value[name], schema.property(name), child);
  });
}

function ownProblems(items: readonly unknown[], schema: StructuralSchema, path: string): FieldError[] {
  if (schema.listType === 'set')
    return repeated(items).map((index) => duplicate(`${path}[${index}]`, items[index]));
  if (schema.listType !== 'map') return [];
  const wrong = items.findIndex((item) => item !== null && !isObject(item));
  if (wrong >= 0) {
    const why = 'must be an object for an array of list-type map';
    return [invalidValue(`${path}[${wrong}]`, items[wrong], why)];
  }
  const keys = items.map((item) => keyOf(item, schema.listMapKeys ?? []));
  return repeated(keys).map((index) => duplicate(`${path}[${index}]`, keys[index]));
}

function keyOf(item: unknown, names: readonly string[]): Record<string, unknown> {
  const key: Record<string, unknown> = {};
  if (isObject(item)) for (const name of names) if (Object.hasOwn(item, name)) key[name] = item[name];
  return key;
}

/** Where something comes for the second time; a third is not worth another complaint. */
function repeated(values: readonly unknown[]): number[] {
  const times = new Map<string, number>();
  return values.flatMap((value, index) => {
    const text = canonical(value);
    const before = times.get(text) ?? 0;
    times.set(text, before + 1);
    return before === 1 ? [index] : [];
  });
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}
