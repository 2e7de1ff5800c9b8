import { isObject } from '../json-value.ts';
import { JsonMap, ListValue, type Value } from './values.ts';

/** JSON without a schema: whole numbers are ints, others doubles (as upstream decodes unstructured content). */
export function adaptJson(raw: unknown): Value {
  switch (typeof raw) {
    case 'string':
    case 'boolean':
      return raw;
    case 'number':
      return Number.isSafeInteger(raw) ? BigInt(raw) : raw;
    case 'bigint':
      return raw;
    default:
      if (Array.isArray(raw)) return new ListValue(raw, adaptJson);
      return isObject(raw) ? new JsonMap(raw, adaptJson) : null;
  }
}
