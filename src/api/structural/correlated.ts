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
  #oldItem: ((item: unknown) => unknown) | undefined;

  constructor(value: unknown, old: unknown, schema: StructuralSchema) {
    this.value = value;
    this.old = old;
    this.#schema = schema;
  }

  get isUnchanged(): boolean {
    this.#isEqual ??= isSame(this.value, this.old, this.#schema);
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
    const { items } = this.#schema;
    if (!items || !Array.isArray(this.value)) return undefined;
    this.#oldItem ??= oldItemsOf(this.old, this.#schema);
    const value: unknown = this.value[index];
    const old = this.#oldItem(value);
    return old === undefined ? undefined : new Correlated(value, old, items);
  }
}

/**
 * Lists with keys are the same in any order. What a schema says nothing of is never held to be the same: nobody knows
 * what it is (upstream's CorrelatedObject.CachedDeepEqual).
 */
function isSame(value: unknown, old: unknown, schema: StructuralSchema | undefined): boolean {
  if (schema === undefined) return false;
  if (Array.isArray(value) && Array.isArray(old)) {
    if (value.length !== old.length || schema.listType !== 'map') return equalJson(value, old);
    const oldItem = oldItemsOf(old, schema);
    return value.every((item) => {
      const before = oldItem(item);
      return before !== undefined && isSame(item, before, schema.items);
    });
  }
  if (!isObject(value) || !isObject(old)) return equalJson(value, old);
  const names = Object.keys(value);
  return (
    names.length === Object.keys(old).length &&
    names.every((name) => Object.hasOwn(old, name) && isSame(value[name], old[name], schema.property(name)))
  );
}

/** Finds the item a list had before in place of one it has now; only lists with keys tell them apart. */
export function oldItemsOf(
  old: unknown,
  { listType, listMapKeys = [] }: StructuralSchema,
): (item: unknown) => unknown {
  if (listType !== 'map' || !Array.isArray(old)) return () => undefined;
  const byKey = new Map(old.map((item: unknown) => [keyOf(item, listMapKeys), item]));
  return (item) => byKey.get(keyOf(item, listMapKeys));
}

function keyOf(item: unknown, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => (isObject(item) ? item[key] : undefined) ?? null));
}
