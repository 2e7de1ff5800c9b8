import { equalJson, isObject, type JsonObject, own } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';
import { type FieldSet, FieldSetBuilder, isEmptySet, withoutSubtrees } from './field-set.ts';
import { fieldElement, ItemError, itemElement, type PathElement } from './path-element.ts';

/** Which fields differ between two objects. A field that appears or vanishes counts with everything in it. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** System fields nobody owns. */
export const UNOWNED_METADATA: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
]);

/**
 * Fields that upstream's types always carry, so that appearing is no addition of the field itself, only of what is
 * in it: structs held by value, and lists written even when empty.
 */
export const ALWAYS_PRESENT: ReadonlySet<string> = new Set([
  'metadata',
  'spec',
  'status',
  'template',
  'jobTemplate',
  'strategy',
  'updateStrategy',
  'resources',
  'containers',
  'loadBalancer',
  'scaleTargetRef',
  'daemonEndpoints',
  'kubeletEndpoint',
  'nodeInfo',
]);

/**
 * Compares two whole objects of one kind (`left` is `{}` for a creation), without the system fields of metadata.
 * Costs next to nothing where both share structure. `custom`: objects without Go types (custom resources).
 */
export function compareObjects(
  left: JsonObject,
  right: JsonObject,
  type: TypeNode | undefined,
  custom = false,
): Comparison {
  const walk = new Walk(custom);
  walk.fields(left, right, type, []);
  return walk.result();
}

/** Leaves out everything under `fields`. */
export function excludeFields(comparison: Comparison, fields: FieldSet): Comparison {
  if (isEmptySet(fields)) return comparison;
  return {
    added: withoutSubtrees(comparison.added, fields),
    modified: withoutSubtrees(comparison.modified, fields),
    removed: withoutSubtrees(comparison.removed, fields),
  };
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0);

interface Sides {
  readonly left: JsonObject | undefined;
  readonly right: JsonObject | undefined;
  readonly type: TypeNode | undefined;
}

const isUnownedMetadata = (name: string, path: readonly PathElement[]): boolean =>
  path.length === 1 && path[0] === 'f:metadata' && UNOWNED_METADATA.has(name);

class Walk {
  readonly #added = new FieldSetBuilder();
  readonly #modified = new FieldSetBuilder();
  readonly #removed = new FieldSetBuilder();
  readonly #custom: boolean;

  constructor(custom: boolean) {
    this.#custom = custom;
  }
  result(): Comparison {
    return { added: this.#added.build(), modified: this.#modified.build(), removed: this.#removed.build() };
  }

  fields(
    left: JsonObject | undefined,
    right: JsonObject | undefined,
    type: TypeNode | undefined,
    path: PathElement[],
  ): void {
    const sides = { left, right, type };
    if (left !== undefined) for (const name of Object.keys(left)) this.#field(name, sides, path);
    if (right === undefined) return;
    for (const name of Object.keys(right))
      if (left === undefined || !Object.hasOwn(left, name)) this.#field(name, sides, path);
  }

  #field(name: string, { left, right, type }: Sides, path: PathElement[]): void {
    if (path.length === 0 ? name === 'apiVersion' || name === 'kind' : isUnownedMetadata(name, path)) return;
    const before = left === undefined ? undefined : own(left, name);
    const after = right === undefined ? undefined : own(right, name);
    if (before === after) return;
    const field = type?.field(name);
    path.push(fieldElement(name));
    // Nobody owns metadata itself, of whatever kind.
    if (path.length === 1 && name === 'metadata') {
      this.fields(isObject(before) ? before : {}, isObject(after) ? after : {}, field, path);
      path.pop();
      return;
    }
    const holds =
      before === undefined && left !== undefined && type?.shape === 'object' && !this.#custom
        ? ALWAYS_PRESENT.has(name)
        : false;
    this.#value(holds && !isEmpty(after) ? emptyLike(after) : before, after, field, path);
    path.pop();
  }

  /** At least one of the two is defined. */
  #value(left: unknown, right: unknown, type: TypeNode | undefined, path: PathElement[]): void {
    const sample = right ?? left;
    if (isObject(sample) && isGranularMap(type) && isObjectOrNothing(left) && isObjectOrNothing(right)) {
      if (isEmpty(left) && isEmpty(right)) {
        this.#leaf(left, right, path);
        return;
      }
      this.fields(left ?? undefined, right ?? undefined, type, path);
      this.#presence(left, right, path);
    } else if (
      Array.isArray(sample) &&
      isAssociative(type) &&
      isListOrNothing(left) &&
      isListOrNothing(right)
    ) {
      if (isEmpty(left) && isEmpty(right)) {
        this.#leaf(left, right, path);
        return;
      }
      if (left && right && equalJson(left, right)) return;
      this.#items(left ?? [], right ?? [], type, path);
      this.#presence(left, right, path);
    } else this.#leaf(left, right, path);
  }

  #leaf(left: unknown, right: unknown, path: readonly PathElement[]): void {
    if (left === undefined) this.#added.insert(path);
    else if (right === undefined) this.#removed.insert(path);
    else if (!equalJson(left, right)) this.#modified.insert(path);
  }

  #presence(left: unknown, right: unknown, path: readonly PathElement[]): void {
    if (left === undefined) this.#added.insert(path);
    else if (right === undefined) this.#removed.insert(path);
  }

  #items(left: readonly unknown[], right: readonly unknown[], type: TypeNode, path: PathElement[]): void {
    const before = indexItems(left, type);
    const after = indexItems(right, type);
    for (const element of new Set([...before.keys(), ...after.keys()])) {
      path.push(element);
      this.#item(before.get(element) ?? [], after.get(element) ?? [], type, path);
      path.pop();
    }
  }

  /** Items with one identity; more than one of them (which only old data has) count as a whole. */
  #item(before: readonly unknown[], after: readonly unknown[], type: TypeNode, path: PathElement[]): void {
    if (before.length <= 1 && after.length <= 1) {
      this.#value(before[0], after[0], type.element, path);
      return;
    }
    if (before.length > 1 && after.length > 1) {
      if (!equalJson(before, after)) this.#modified.insert(path);
    } else if (before.length > 1) {
      if (after.length > 0) this.#value(undefined, after[0], type.element, path);
      this.#removed.insert(path);
    } else {
      if (before.length > 0) this.#value(before[0], undefined, type.element, path);
      this.#added.insert(path);
    }
  }
}

const emptyLike = (value: unknown): unknown => (Array.isArray(value) ? [] : {});
const isObjectOrNothing = (value: unknown): value is JsonObject | null | undefined =>
  value === undefined || value === null || isObject(value);
const isListOrNothing = (value: unknown): value is unknown[] | null | undefined =>
  value === undefined || value === null || Array.isArray(value);

/** Values whose members are owned one by one. */
export function isGranularMap(type: TypeNode | undefined): boolean {
  if (type === undefined || type.shape === 'any') return true;
  return (type.shape === 'object' || type.shape === 'map') && type.mapType !== 'atomic';
}

/** Lists whose items are owned one by one. */
export function isAssociative(type: TypeNode | undefined): type is TypeNode {
  return type?.shape === 'list' && (type.listType === 'map' || type.listType === 'set');
}

/** By their identity, which two may share. */
export function indexItems(items: readonly unknown[], type: TypeNode): Map<PathElement, unknown[]> {
  const index = new Map<PathElement, unknown[]>();
  for (const item of items) {
    const element = identify(item, type);
    if (element === undefined) continue;
    const same = index.get(element);
    if (same) same.push(item);
    else index.set(element, [item]);
  }
  return index;
}

/** Nobody can own an item without identity; validation refuses it elsewhere. */
function identify(item: unknown, type: TypeNode): PathElement | undefined {
  try {
    return itemElement(type, item);
  } catch (error) {
    if (error instanceof ItemError) return undefined;
    throw error;
  }
}
