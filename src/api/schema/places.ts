import type { SchemaNode } from './node.ts';
import { zeroOf } from './zero.ts';

/** A field with a default or a zero value to fill in. */
export interface Filling {
  readonly name: string;
  readonly value: unknown;
  readonly isNullable: boolean;
}

const known = new WeakMap<SchemaNode, Place>();
const NO_FILLINGS: readonly Filling[] = [];
const NO_FIELDS: ReadonlyMap<string, Place> = new Map();

/** The place of a node, the same each time: types hold themselves. */
export function placeOf(node: SchemaNode): Place {
  let place = known.get(node);
  if (place === undefined) {
    place = new Place(node);
    known.set(node, place);
  }
  return place;
}

/**
 * A place of a type that defaulting or validation has to look at, and the way to those below it: most of an object is
 * none of their business. Found as values are met, so that no more of a type is decoded than values need.
 */
export class Place {
  readonly #node: SchemaNode;
  /** Of a list or map. */
  readonly #items: Place | undefined;
  /** The only values a string may have here. */
  readonly closedEnum: readonly string[] | undefined;
  #fillings = NO_FILLINGS;
  #fields = NO_FIELDS;
  #isKnown: boolean;

  constructor(node: SchemaNode) {
    this.#node = node;
    const { shape, element } = node;
    this.#items = shape !== 'object' && element !== undefined ? placeOf(element) : undefined;
    this.closedEnum = closedEnumOf(node);
    this.#isKnown = shape !== 'object';
  }

  /** Absent fields to fill in. */
  get fillings(): readonly Filling[] {
    if (!this.#isKnown) this.#learn();
    return this.#fillings;
  }

  /** Nobody has anything to do here or below, as far as is known. */
  get #isIdle(): boolean {
    if (this.#items !== undefined) return this.#items.#isIdle;
    const isBusy = this.closedEnum !== undefined || this.#fillings.length > 0 || this.#fields.size > 0;
    return this.#isKnown && !isBusy;
  }

  /** Calls `act` for every value in `value`, itself included, where there may be something to do. */
  visit(value: unknown, act: (value: unknown, place: Place) => void): void {
    act(value, this);
    if (typeof value !== 'object' || value === null) return;
    if (!this.#isKnown) this.#learn();
    const object = value as Readonly<Record<string, unknown>>;
    const items = this.#items;
    if (items === undefined) {
      if (this.#fields.size > 0) this.#visitFields(object, act);
    } else if (Array.isArray(value)) for (const item of value) items.visit(item, act);
    else for (const key of Object.keys(object)) items.visit(object[key], act);
  }

  #visitFields(object: Readonly<Record<string, unknown>>, act: (value: unknown, place: Place) => void): void {
    let hasIdle = false;
    for (const name in object) {
      const place = this.#fields.get(name);
      const value = place && object[name];
      if (place === undefined || value === undefined || value === null) continue;
      place.visit(value, act);
      hasIdle ||= place.#isIdle;
    }
    if (hasIdle) this.#fields = new Map([...this.#fields].filter(([, place]) => !place.#isIdle));
  }

  #learn(): void {
    this.#isKnown = true;
    const { fieldNames } = this.#node;
    const fillings: Filling[] = [];
    const fields = new Map<string, Place>();
    for (const name of fieldNames) {
      const field = this.#node.field(name);
      if (field === undefined) continue;
      const value = fillingOf(field);
      if (value !== null) fillings.push({ name, value, isNullable: field.isNullable === true });
      if (mayMatter(field)) fields.set(name, placeOf(field));
    }
    this.#fillings = fillings;
    if (fields.size > 0) this.#fields = fields;
  }
}

/** The only values that strings may have. */
export function closedEnumOf({ enum: values, isOpenEnum }: SchemaNode): readonly string[] | undefined {
  return isOpenEnum === true ? undefined : values;
}

/** `null`: nothing. */
function fillingOf(field: SchemaNode): unknown {
  if (field.default !== undefined && field.isDefaultImplied !== true) return field.default;
  return field.isFilled === true ? zeroOf(field) : null;
}

/** Of values that hold no others it is known at once; for them no place is made. */
function mayMatter(node: SchemaNode): boolean {
  if (node.shape === 'object') return true;
  return node.element === undefined ? closedEnumOf(node) !== undefined : mayMatter(node.element);
}
