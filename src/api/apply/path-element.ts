import { LIMITS } from '../../lib/limits.ts';
import { isObject, type JsonObject, own } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';

/**
 * One step of a field path in the text form of `fieldsV1`: `f:<name>` a field, `k:<json>` the item of a list map,
 * `v:<json>` the item of a set, `i:<n>` an index.
 */
export type PathElement = string;

/** Elements of names seen before: schemas have so many fields, and a text made anew costs a lookup with each use. */
const elements = new Map<string, PathElement>();

export function fieldElement(name: string): PathElement {
  const known = elements.get(name);
  if (known !== undefined) return known;
  const element = `f:${name}`;
  if (elements.size < LIMITS.api.fieldElements && name.length <= LIMITS.api.fieldElementChars)
    elements.set(name, element);
  return element;
}

/** Thrown for an item that cannot be identified; the text is upstream's. */
export class ItemError extends Error {}

/** How `item` of an associative list is identified. Missing keys take their schema defaults. */
export function itemElement(list: TypeNode, item: unknown): PathElement {
  if (list.listType === 'map') return keyElement(list, item);
  if (isObject(item)) throw new ItemError("associative list without keys has an element that's a map type");
  if (Array.isArray(item)) throw new ItemError('not supported: associative list with lists as elements');
  if (item === null || item === undefined)
    throw new ItemError("associative list without keys has an element that's an explicit null");
  return `v:${JSON.stringify(item)}`;
}

function keyElement(list: TypeNode, item: unknown): PathElement {
  if (item === null || item === undefined)
    throw new ItemError('associative list with keys may not have a null element');
  if (!isObject(item)) throw new ItemError('associative list with keys may not have non-map elements');
  const names = list.listMapKeys ?? [];
  let text = '';
  for (const name of names.length > 1 ? [...names].sort() : names) {
    const value = own(item, name) ?? list.element?.field(name)?.default;
    if (value !== undefined)
      text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`;
  }
  if (text === '')
    throw new ItemError(
      `associative list with keys has an element that omits all key fields ${goList(names)} (and doesn't have default values for any key fields)`,
    );
  return `k:{${text}}`;
}

const goList = (names: readonly string[]): string =>
  `[${names.map((name) => JSON.stringify(name)).join(' ')}]`;

/** The element as conflict messages show it: `.name`, `[name="x",port=80]`, `[="x"]`, `[0]`. */
function elementText(element: PathElement): string {
  const body = element.slice(2);
  if (element.startsWith('f:')) return `.${body}`;
  if (element.startsWith('v:')) return `[=${body}]`;
  if (element.startsWith('i:')) return `[${body}]`;
  const key = parseKey(body);
  return `[${Object.keys(key)
    .map((name) => `${name}=${JSON.stringify(key[name])}`)
    .join(',')}]`;
}

export const pathText = (path: readonly PathElement[]): string => path.map(elementText).join('');

function parseKey(body: string): JsonObject {
  const key: unknown = JSON.parse(body);
  return isObject(key) ? key : {};
}

const KINDS = 'fkvi';

/** Upstream's order of path elements: fields, keys, values, indices; each by its content. */
export function compareElements(left: PathElement, right: PathElement): number {
  const kind = KINDS.indexOf(left[0] ?? '') - KINDS.indexOf(right[0] ?? '');
  if (kind !== 0) return kind;
  if (left.startsWith('f:')) return left < right ? -1 : left > right ? 1 : 0;
  if (left.startsWith('k:')) return compareKeys(parseKey(left.slice(2)), parseKey(right.slice(2)));
  return compareValues(JSON.parse(left.slice(2)), JSON.parse(right.slice(2)));
}

function compareKeys(left: JsonObject, right: JsonObject): number {
  const leftNames = Object.keys(left);
  const rightNames = Object.keys(right);
  for (let index = 0; index < Math.min(leftNames.length, rightNames.length); index++) {
    const leftName = leftNames[index] ?? '';
    const rightName = rightNames[index] ?? '';
    if (leftName !== rightName) return leftName < rightName ? -1 : 1;
    const order = compareValues(left[leftName], right[rightName]);
    if (order !== 0) return order;
  }
  return leftNames.length - rightNames.length;
}

/** Numbers before strings before booleans. */
function compareValues(left: unknown, right: unknown): number {
  const rank = (value: unknown): number => ['number', 'string', 'boolean'].indexOf(typeof value);
  if (rank(left) !== rank(right)) return rank(left) - rank(right);
  if (left === right) return 0;
  return (left as string) < (right as string) ? -1 : 1;
}

/** Same element in canonical form (sorted keys, no blanks). `undefined` for a text that is no element. */
export function canonicalElement(text: string): PathElement | undefined {
  if (text[1] !== ':') return undefined;
  const body = text.slice(2);
  if (text.startsWith('f:')) return text;
  try {
    if (text.startsWith('i:')) return /^-?\d+$/.test(body) ? text : undefined;
    const value: unknown = JSON.parse(body);
    if (text.startsWith('v:')) return `v:${JSON.stringify(value)}`;
    if (!text.startsWith('k:') || !isObject(value)) return undefined;
    const sorted = Object.keys(value).sort();
    return `k:{${sorted.map((name) => `${JSON.stringify(name)}:${JSON.stringify(value[name])}`).join(',')}}`;
  } catch {
    return undefined;
  }
}
