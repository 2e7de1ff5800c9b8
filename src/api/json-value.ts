/** A decoded JSON object. Keys come from clients: read with `own`, write with `setOwn`. */
export type JsonObject = { [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object's own value; never something inherited, so that a key such as `constructor` stays plain data. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Assigns, also for the key `__proto__`, which is a valid key of a ConfigMap. */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

/** A deep copy of plain JSON data. Several times faster than `structuredClone`. */
export function copyJson<T>(value: T): T {
  return copyUnknown(value) as T;
}

function copyUnknown(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyUnknown);
  const source = value as JsonObject;
  const copy: JsonObject = {};
  for (const key of Object.keys(source)) setOwn(copy, key, copyUnknown(source[key]));
  return copy;
}

/** Structural equality; the order of keys does not count, a key with `undefined` counts as absent. */
export function equalJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    for (let index = 0; index < left.length; index++) if (!equalJson(left[index], right[index])) return false;
    return true;
  }
  return !Array.isArray(right) && equalObjects(left as JsonObject, right as JsonObject);
}

function equalObjects(left: JsonObject, right: JsonObject): boolean {
  for (const key of Object.keys(left)) if (!equalJson(left[key], own(right, key))) return false;
  for (const key of Object.keys(right))
    if (right[key] !== undefined && own(left, key) === undefined) return false;
  return true;
}
