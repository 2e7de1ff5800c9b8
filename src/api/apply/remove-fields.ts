import { isObject, type JsonObject, setOwn } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';
import { isAssociative, isGranularMap } from './compare.ts';
import { below, type FieldSet, hasElement, isEmptySet } from './field-set.ts';
import { fieldElement, ItemError, itemElement } from './path-element.ts';

/**
 * The object without the fields, map entries and list items of `set`. Containers that end up empty become
 * `undefined` in place, so that they still count as mentioned; `withoutGaps` drops them. Shares what it keeps.
 */
export function removeFields(object: JsonObject, set: FieldSet, type: TypeNode | undefined): JsonObject {
  return (removeFromValue(object, set, type) ?? {}) as JsonObject;
}

function removeFromValue(value: unknown, set: FieldSet, type: TypeNode | undefined): unknown {
  if (isObject(value)) {
    if (Object.keys(value).length === 0 || !isGranularMap(type)) return undefined;
    return removeFromObject(value, set, type);
  }
  if (Array.isArray(value) && type?.shape === 'list') {
    if (value.length === 0 || !isAssociative(type)) return undefined;
    return removeFromList(value, set, type);
  }
  return value;
}

function removeFromObject(object: JsonObject, set: FieldSet, type: TypeNode | undefined): unknown {
  const kept: JsonObject = {};
  let isEmpty = true;
  for (const name of Object.keys(object)) {
    const element = fieldElement(name);
    if (hasElement(set, element)) continue;
    const inner = below(set, element);
    const value = object[name];
    setOwn(kept, name, isEmptySet(inner) ? value : removeFromValue(value, inner, type?.field(name)));
    isEmpty = false;
  }
  return isEmpty ? undefined : kept;
}

function removeFromList(items: readonly unknown[], set: FieldSet, type: TypeNode): unknown {
  const kept: unknown[] = [];
  for (const item of items) {
    const element = identify(item, type);
    if (element !== undefined && hasElement(set, element)) continue;
    const inner = element === undefined ? undefined : below(set, element);
    kept.push(inner === undefined || isEmptySet(inner) ? item : removeFromValue(item, inner, type.element));
  }
  return kept.length === 0 ? undefined : kept;
}

function identify(item: unknown, type: TypeNode): string | undefined {
  try {
    return itemElement(type, item);
  } catch (error) {
    if (error instanceof ItemError) return undefined;
    throw error;
  }
}

/** Drops the `undefined` members `removeFields` left behind. Shares what has none. */
export function withoutGaps<T>(value: T): T {
  return dropGaps(value) as T;
}

function dropGaps(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(dropGaps);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  let same = true;
  for (const name of Object.keys(value)) {
    const inner = dropGaps(value[name]);
    if (inner !== value[name] || inner === undefined) same = false;
    if (inner !== undefined) setOwn(kept, name, inner);
  }
  return same ? value : kept;
}
