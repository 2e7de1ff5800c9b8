import { isObject, type JsonObject } from '../json-value.ts';
import { badRequest } from '../status.ts';
import type { TypeNode } from '../type-node.ts';
import { isAssociative, isGranularMap } from './compare.ts';
import { type FieldSet, FieldSetBuilder } from './field-set.ts';
import { fieldElement, ItemError, itemElement, type PathElement, pathText } from './path-element.ts';

/** Every leaf, every list item and every map entry an object mentions. Items without identity are left out. */
export function fieldsOf(object: JsonObject, type: TypeNode | undefined): FieldSet {
  const walk = new Walk(true);
  walk.value(object, type, []);
  return walk.set.build();
}

/**
 * The same for an object that a client applies, which must fit the schema and name no item twice.
 * Throws 400 with upstream's words; `what` names the object (`default/web; apps/v1, Kind=Deployment`).
 */
export function appliedFields(object: JsonObject, type: TypeNode | undefined, what: string): FieldSet {
  const walk = new Walk(false);
  walk.value(object, type, []);
  if (walk.errors.length > 0) {
    const text =
      walk.errors.length === 1
        ? walk.errors[0]
        : ['errors:', ...walk.errors.map((one) => `  ${one}`)].join('\n');
    throw badRequest(`failed to create typed patch object (${what}): ${text}`);
  }
  return walk.set.build();
}

class Walk {
  readonly set = new FieldSetBuilder();
  readonly errors: string[] = [];
  readonly #lenient: boolean;

  constructor(lenient: boolean) {
    this.#lenient = lenient;
  }

  value(value: unknown, type: TypeNode | undefined, path: PathElement[]): void {
    if (isObject(value) && isGranularMap(type)) this.#fields(value, type, path);
    else if (Array.isArray(value) && isAssociative(type)) this.#items(value, type, path);
    else {
      if (value !== null && value !== undefined) this.#checkShape(value, type, path);
      this.set.insert(path);
    }
  }

  #fields(object: JsonObject, type: TypeNode | undefined, path: PathElement[]): void {
    for (const name of Object.keys(object)) {
      const value = object[name];
      const field = type?.field(name);
      path.push(fieldElement(name));
      if (field === undefined && type?.shape === 'object' && type.preservesUnknownFields !== true)
        this.#fail('field not declared in schema', path);
      this.value(value, field, path);
      const isDeclared = type?.shape === 'object' && field !== undefined;
      if (
        !isDeclared ||
        value === null ||
        value === undefined ||
        (isObject(value) && Object.keys(value).length === 0)
      )
        this.set.insert(path);
      path.pop();
    }
  }

  #items(items: readonly unknown[], type: TypeNode, path: PathElement[]): void {
    const seen = new Set<PathElement>();
    items.forEach((item, index) => {
      const element = this.#identify(item, index, type, path);
      if (element === undefined) return;
      if (seen.has(element)) this.#fail(`duplicate entries for key ${pathText([element])}`, path);
      seen.add(element);
      path.push(element);
      this.value(item, type.element, path);
      this.set.insert(path);
      path.pop();
    });
  }

  #identify(item: unknown, index: number, type: TypeNode, path: PathElement[]): PathElement | undefined {
    try {
      return itemElement(type, item);
    } catch (error) {
      if (!(error instanceof ItemError)) throw error;
      this.#fail(`element ${index}: ${error.message}`, path);
      return undefined;
    }
  }

  #checkShape(value: unknown, type: TypeNode | undefined, path: PathElement[]): void {
    if (type === undefined || type.shape === 'any' || type.shape === 'scalar') return;
    const isMap = type.shape === 'object' || type.shape === 'map';
    if (isMap ? isObject(value) : Array.isArray(value)) return;
    this.#fail(`expected ${isMap ? 'map' : 'list'}, got &{${JSON.stringify(value)}}`, path);
  }

  #fail(message: string, path: readonly PathElement[]): void {
    if (this.#lenient) return;
    const where = pathText(path);
    this.errors.push(where === '' ? message : `${where}: ${message}`);
  }
}
