import { equalJson, isObject } from '../json-value.ts';
import type { StructuralSchema } from './structural.ts';

/**
 * A value beside the one it replaces, found by the same way through the object. Errors in what did not change do not
 * count (KEP-4008, ratcheting): an update must be able to leave alone what newer schemas refuse.
 */
export class Correlated {
  readonly value: unknown;
  readonly old: unknown;
  readonly #schema: StructuralSchema;
  #isEqual: boolean | undefined;
  #oldByKey: Map<string, unknown> | undefined;

  constructor(value: unknown, old: unknown, schema: StructuralSchema) {
    this.value = value;
    this.old = old;
    this.#schema = schema;
  }

  get isUnchanged(): boolean {
    this.#isEqual ??= equalJson(this.value, this.old);
    return this.#isEqual;
  }

  /** `undefined` where the field is new or nothing is known of it. */
  key(name: string): Correlated | undefined {
    if (!isObject(this.value) || !isObject(this.old)) return undefined;
    if (!Object.hasOwn(this.value, name) || !Object.hasOwn(this.old, name)) return undefined;
    const schema = this.#schema.property(name);
    return schema && new Correlated(this.value[name], this.old[name], schema);
  }

  /** Only items of lists with keys are the same from one update to the next. */
  index(index: number): Correlated | undefined {
    const { items, listType, listMapKeys = [] } = this.#schema;
    if (listType !== 'map' || !items || !Array.isArray(this.value) || !Array.isArray(this.old))
      return undefined;
    this.#oldByKey ??= new Map(this.old.map((item: unknown) => [keyOf(item, listMapKeys), item]));
    const value: unknown = this.value[index];
    const old = this.#oldByKey.get(keyOf(value, listMapKeys));
    return old === undefined ? undefined : new Correlated(value, old, items);
  }
}

function keyOf(item: unknown, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => (isObject(item) ? item[key] : undefined) ?? null));
}
