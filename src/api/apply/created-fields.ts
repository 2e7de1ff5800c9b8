import { isObject, type JsonObject } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';
import { ALWAYS_PRESENT, indexItems, isAssociative, isGranularMap, UNOWNED_METADATA } from './compare.ts';
import { EMPTY_SET, type FieldSet } from './field-set.ts';
import { compareElements, fieldElement, type PathElement } from './path-element.ts';

/**
 * What whoever creates an object comes to own: all that `compareObjects` finds added or modified against nothing, without
 * the comparison.
 */
export function createdFields(object: JsonObject, type: TypeNode | undefined, custom = false): FieldSet {
  return new Creation(custom).fields(object, type, 'root', true) ?? EMPTY_SET;
}

type Draft = { [element: PathElement]: FieldSet };
/** Of an object: the root and its metadata have fields that nobody owns. */
type Level = 'root' | 'metadata' | 'below';

class Creation {
  readonly #custom: boolean;

  constructor(custom: boolean) {
    this.#custom = custom;
  }

  /** `isPresent`: upstream's type always has it, so that it is no addition itself. `undefined`: nothing is owned. */
  fields(
    object: JsonObject,
    type: TypeNode | undefined,
    level: Level,
    isPresent: boolean,
  ): FieldSet | undefined {
    const set: Draft = isPresent ? {} : { '.': EMPTY_SET };
    const mayHold = isPresent && type?.shape === 'object' && !this.#custom;
    let count = 0;
    for (const name of ownedNames(object, level)) {
      const value = object[name];
      if (value === undefined) continue;
      const node =
        level === 'root' && name === 'metadata'
          ? this.fields(isObject(value) ? value : {}, type?.field(name), 'metadata', true)
          : this.#value(value, type?.field(name), mayHold && ALWAYS_PRESENT.has(name));
      if (node === undefined) continue;
      set[fieldElement(name)] = node;
      count++;
    }
    if (count > 0) return set;
    return isPresent ? undefined : EMPTY_SET;
  }

  #value(value: unknown, type: TypeNode | undefined, isPresent: boolean): FieldSet | undefined {
    if (Array.isArray(value))
      return isAssociative(type) && value.length > 0 ? this.#items(value, type, isPresent) : EMPTY_SET;
    if (!isObject(value) || !isGranularMap(type) || isEmptyObject(value)) return EMPTY_SET;
    return this.fields(value, type, 'below', isPresent);
  }

  #items(items: readonly unknown[], type: TypeNode, isPresent: boolean): FieldSet | undefined {
    const set: Draft = isPresent ? {} : { '.': EMPTY_SET };
    const index = indexItems(items, type);
    for (const element of [...index.keys()].sort(compareElements)) {
      const same = index.get(element) ?? [];
      // Items with one identity count as a whole.
      const node = same.length === 1 ? this.#item(same[0], type) : EMPTY_SET;
      if (node !== undefined) set[element] = node;
    }
    if (index.size > 0) return set;
    return isPresent ? undefined : EMPTY_SET;
  }

  #item(item: unknown, type: TypeNode): FieldSet | undefined {
    return this.#value(item, type.element, false);
  }
}

function isUnowned(name: string, level: Level): boolean {
  if (level === 'below') return false;
  return level === 'root' ? name === 'apiVersion' || name === 'kind' : UNOWNED_METADATA.has(name);
}

function isEmptyObject(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

/** Few enough to be put in order one by one. */
const FEW = 16;

/** In the order of path elements. */
function ownedNames(object: JsonObject, level: Level): readonly string[] {
  const names: string[] = [];
  for (const name of Object.keys(object)) {
    if (isUnowned(name, level)) continue;
    let at = names.length;
    for (; at > 0 && at < FEW && name < (names[at - 1] ?? ''); at--) names[at] = names[at - 1] ?? '';
    names[at] = name;
  }
  return names.length > FEW ? names.sort() : names;
}
