import { isObject } from '../json-value.ts';
import { canonicalElement, compareElements, type PathElement } from './path-element.ts';

/**
 * A set of field paths, held exactly as `fieldsV1` is written, so that nothing is parsed or serialised on the way:
 * keys are path elements; `{}` below the root is a member without children, `"."` marks a member that also has
 * children. Sets are never changed once built; operations share what they keep, and return their first
 * argument itself when they change nothing. (fieldpath.Set of structured-merge-diff.)
 */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet;
}

type Draft = { [element: PathElement]: Draft };

export const EMPTY_SET: FieldSet = Object.freeze({});
const LEAF: FieldSet = EMPTY_SET;

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

function isMember(node: FieldSet): boolean {
  return '.' in node || isEmptySet(node);
}

/** A set under construction. */
export class FieldSetBuilder {
  readonly #root: Draft = {};
  #empty = true;

  get empty(): boolean {
    return this.#empty;
  }
  /** Adds one path; its parents do not become members. The empty path is not tracked. */
  insert(path: readonly PathElement[]): void {
    let node = this.#root;
    let fresh = false;
    for (let depth = 0; depth < path.length; depth++) {
      const element = path[depth] ?? '';
      let child = node[element];
      // A member without children that now gets one keeps its membership.
      if (!fresh && depth > 0 && isEmptySet(node)) node['.'] = {};
      fresh = child === undefined;
      if (child === undefined) {
        child = {};
        node[element] = child;
      }
      node = child;
    }
    if (path.length === 0) return;
    this.#empty = false;
    if (!fresh && !isEmptySet(node)) node['.'] = {};
  }
  /** In upstream's order. */
  build(): FieldSet {
    return this.#empty ? EMPTY_SET : sorted(this.#root);
  }
}

function sorted(node: FieldSet): FieldSet {
  const result: Draft = {};
  if ('.' in node) result['.'] = {};
  for (const element of childrenOf(node).sort(compareElements))
    result[element] = sorted(node[element] ?? LEAF) as Draft;
  return result;
}

function childrenOf(node: FieldSet): PathElement[] {
  return Object.keys(node).filter((element) => element !== '.');
}

/** Members of either. */
export function union(left: FieldSet, right: FieldSet): FieldSet {
  if (isEmptySet(right)) return left;
  if (isEmptySet(left)) return right;
  return unionNodes(left, right, false);
}

function unionNodes(left: FieldSet, right: FieldSet, member: boolean): FieldSet {
  const elements = new Set([...childrenOf(left), ...childrenOf(right)]);
  const result: Draft = {};
  if (member && elements.size > 0) result['.'] = {};
  for (const element of [...elements].sort(compareElements)) {
    const a = left[element];
    const b = right[element];
    const node = a && b ? unionNodes(a, b, isMember(a) || isMember(b)) : (a ?? b ?? LEAF);
    result[element] = node as Draft;
  }
  return result;
}

/** Members of both. */
export function intersection(left: FieldSet, right: FieldSet): FieldSet {
  return combine(left, right, (a, b) => a && b, false) ?? EMPTY_SET;
}

/** Members of `left` that are not in `right`; parents and children do not affect each other. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  if (isEmptySet(right)) return left;
  return combine(left, right, (a, b) => a && !b, true) ?? EMPTY_SET;
}

/** `undefined`: nothing is left. The root itself is never a member. */
function combine(
  left: FieldSet,
  right: FieldSet,
  keeps: (a: boolean, b: boolean) => boolean,
  keepsUnmatched: boolean,
  depth = 0,
): FieldSet | undefined {
  const member = depth > 0 && keeps(isMember(left), isMember(right));
  const result: Draft = {};
  let same = depth === 0 || member === isMember(left);
  let count = 0;
  if (member) result['.'] = {};
  for (const element in left) {
    const a = left[element];
    if (element === '.' || a === undefined) continue;
    const b = right[element];
    const node =
      b === undefined ? (keepsUnmatched ? a : undefined) : combine(a, b, keeps, keepsUnmatched, depth + 1);
    if (node !== a) same = false;
    if (node === undefined) continue;
    result[element] = node as Draft;
    count++;
  }
  if (same) return left;
  if (count === 0) return member ? LEAF : undefined;
  return result;
}

/** `left` without the members of `right` and everything below them. */
export function withoutSubtrees(left: FieldSet, right: FieldSet): FieldSet {
  return prune(left, right) ?? EMPTY_SET;
}

function prune(left: FieldSet, right: FieldSet): FieldSet | undefined {
  const result: Draft = {};
  let same = true;
  let count = 0;
  for (const element in left) {
    const a = left[element];
    if (a === undefined) continue;
    if (element === '.') {
      result['.'] = {};
      continue;
    }
    const b = right[element];
    const node = b === undefined ? a : isMember(b) ? undefined : prune(a, b);
    if (node !== a) same = false;
    if (node === undefined) continue;
    result[element] = node as Draft;
    count++;
  }
  if (same) return left;
  return count === 0 ? ('.' in left ? LEAF : undefined) : result;
}

/** Whether exactly this path is a member. */
export function hasPath(set: FieldSet, path: readonly PathElement[]): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) node = node?.[element];
  return path.length > 0 && node !== undefined && isMember(node);
}

/** Whether the element is a member of the set. */
export function hasElement(set: FieldSet, element: PathElement): boolean {
  const node = set[element];
  return node !== undefined && isMember(node);
}

/** What the set holds below `element`. */
export function below(set: FieldSet, element: PathElement): FieldSet {
  const node = set[element];
  return node === undefined ? EMPTY_SET : node;
}

export function hasChildren(node: FieldSet): boolean {
  for (const element in node) if (element !== '.') return true;
  return false;
}

/** Every member; those of one level before those deeper down. */
export function forEachPath(set: FieldSet, visit: (path: readonly PathElement[]) => void): void {
  const walk = (node: FieldSet, path: readonly PathElement[]): void => {
    const elements = childrenOf(node);
    for (const element of elements) if (hasElement(node, element)) visit([...path, element]);
    for (const element of elements) walk(node[element] ?? LEAF, [...path, element]);
  };
  walk(set, []);
}

/**
 * Reads `fieldsV1` as a client sent it: path elements in canonical form, unknown ones left out as upstream does.
 * `undefined` when it is no such thing.
 */
export function parseFieldSet(fields: unknown): FieldSet | undefined {
  const result: Draft = {};
  if (!isObject(fields)) return undefined;
  for (const text of Object.keys(fields)) {
    if (text === '.') continue;
    const child = fields[text];
    if (!isObject(child) || text.length < 2 || text[1] !== ':') return undefined;
    if (!'fkvi'.includes(text[0] ?? '')) continue;
    const element = canonicalElement(text);
    const node = parseFieldSet(child);
    if (element === undefined || node === undefined) return undefined;
    result[element] = ('.' in child && !isEmptySet(node) ? { '.': {}, ...node } : node) as Draft;
  }
  return result;
}
