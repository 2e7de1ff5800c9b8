import { copyJson, isObject, type JsonObject, own, setOwn } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';
import { mergeInOrder, orderBy } from './element-order.ts';
import { badPatch } from './patch-error.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_LIST = '$deleteFromPrimitiveList';
const ELEMENT_ORDER = '$setElementOrder';

/**
 * Applies a Kubernetes strategic merge patch and returns the changed copy; neither argument is changed.
 * `type` supplies merge keys and strategies. Throws `ApiError` 400 for a malformed patch.
 * https://github.com/kubernetes/design-proposals-archive: strategic-merge-patch, preserve-order, retainKeys.
 */
export function applyStrategicMergePatch(
  document: JsonObject,
  patch: unknown,
  type: TypeNode | undefined,
): JsonObject {
  if (!isObject(patch)) throw badPatch('invalid JSON document');
  return mergeObject(copyJson(document), copyJson(patch), type);
}

/** Both arguments are ours to change. */
function mergeObject(original: JsonObject, patch: JsonObject, type: TypeNode | undefined): JsonObject {
  const directive = own(patch, DIRECTIVE);
  if (directive !== undefined) {
    if (directive === 'replace') {
      delete patch[DIRECTIVE];
      return withoutDirectives(patch) as JsonObject;
    }
    if (directive === 'delete') return {};
    if (directive !== 'merge') throw unknownDirective(directive, patch);
    delete patch[DIRECTIVE];
  }
  retainKeys(original, patch);
  for (const key of Object.keys(patch).filter((one) => one.startsWith(ELEMENT_ORDER)))
    mergeOrderedList(original, patch, key, type);
  for (const key of Object.keys(patch)) {
    if (key.startsWith(DELETE_FROM_LIST))
      deleteFromList(original, listName(key, DELETE_FROM_LIST), patch[key]);
    else mergeField(original, key, patch[key], type);
  }
  return original;
}

function mergeField(original: JsonObject, key: string, value: unknown, type: TypeNode | undefined): void {
  if (value === null) {
    delete original[key];
    return;
  }
  const current = own(original, key);
  const field = type?.field(key);
  const strategy = field?.patchStrategy ?? [];
  if (isObject(current) && isObject(value)) {
    setOwn(original, key, strategy.includes('replace') ? value : mergeObject(current, value, field));
  } else if (Array.isArray(current) && Array.isArray(value)) {
    const merged = strategy.includes('merge')
      ? mergeList(current, value, field)
      : (withoutDirectives(withoutNulls(value)) as unknown[]);
    setOwn(original, key, merged);
  } else {
    const kept = withoutDirectives(withoutNulls(value));
    if (kept === undefined) delete original[key];
    else setOwn(original, key, kept);
  }
}

/** `$retainKeys: [a, b]`: the original keeps no other keys, and the patch may name no other. */
function retainKeys(original: JsonObject, patch: JsonObject): void {
  const list = own(patch, RETAIN_KEYS);
  if (list === undefined) return;
  delete patch[RETAIN_KEYS];
  if (!Array.isArray(list)) throw badPatch('invalid patch format of retainKeys');
  const kept = new Set<unknown>(list);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || key.startsWith(DELETE_FROM_LIST) || key.startsWith(ELEMENT_ORDER)) continue;
    if (!kept.has(key)) throw badPatch('invalid patch format of retainKeys');
  }
  for (const key of Object.keys(original)) if (!kept.has(key)) delete original[key];
}

/** `$setElementOrder/<list>`: merges that list, then orders it as the directive says; items only the server has keep their place. */
function mergeOrderedList(
  original: JsonObject,
  patch: JsonObject,
  directive: string,
  type: TypeNode | undefined,
): void {
  const order = patch[directive];
  delete patch[directive];
  if (!Array.isArray(order)) throw badPatch('invalid patch format of setElementOrder list');
  const name = listName(directive, ELEMENT_ORDER);
  const current = own(original, name);
  const wanted = own(patch, name);
  if (current !== undefined && !Array.isArray(current)) throw notList(current);
  if (wanted !== undefined && wanted !== null && !Array.isArray(wanted)) throw notList(wanted);
  if (wanted === null) return;
  const field = type?.field(name);
  const mergeKey = mergeKeyFor(field, current, wanted);
  if (wanted) checkOrder(wanted, order, mergeKey);
  if (current === undefined && wanted === undefined) return;
  delete patch[name];
  let merged: unknown[];
  if (wanted === undefined) merged = current ?? [];
  else if (current === undefined) merged = withoutDirectives(withoutNulls(wanted)) as unknown[];
  else if (field?.patchStrategy?.includes('merge')) merged = mergeList([...current], wanted, field);
  else merged = withoutDirectives(withoutNulls(wanted)) as unknown[];
  setOwn(original, name, mergeInOrder(merged, order, current ?? [], mergeKey));
}

function mergeList(original: unknown[], patch: readonly unknown[], type: TypeNode | undefined): unknown[] {
  if (original.length === 0 && patch.length === 0) return original;
  sameKind([...original, ...patch]);
  if (!isObject(original[0] ?? patch[0])) {
    const merged = [...new Set([...original, ...patch])];
    return mergeInOrder(merged, patch, original, undefined);
  }
  const mergeKey = type?.mergeKey;
  if (mergeKey === undefined) throw badPatch('cannot merge lists without merge key');
  const { items, wanted } = applyListDirectives(original, patch as readonly JsonObject[], mergeKey);
  const merged = [...items];
  for (const item of wanted) {
    const value = own(item, mergeKey);
    if (value === undefined) throw noMergeKey(item, mergeKey);
    const at = merged.findIndex((one) => isObject(one) && own(one, mergeKey) === value);
    const existing = merged[at];
    if (isObject(existing)) merged[at] = mergeObject(existing, item, type?.element);
    else merged.push(withoutDirectives(withoutNulls(item)));
  }
  return mergeInOrder(merged, wanted, items, mergeKey);
}

/** Takes `$patch: delete` and `$patch: replace` items out of the patch and does what they say. */
function applyListDirectives(
  original: readonly unknown[],
  patch: readonly JsonObject[],
  mergeKey: string,
): { items: readonly unknown[]; wanted: readonly JsonObject[] } {
  let items = original;
  const wanted: JsonObject[] = [];
  let replaces = false;
  for (const item of patch) {
    const directive = own(item, DIRECTIVE);
    if (directive === undefined) wanted.push(item);
    else if (directive === 'replace') replaces = true;
    else if (directive === 'delete') {
      const value = own(item, mergeKey);
      if (value === undefined) throw noMergeKey(item, mergeKey);
      items = items.filter((one) => !(isObject(one) && own(one, mergeKey) === value));
    } else if (directive === 'merge') throw badPatch('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(directive, item);
  }
  return replaces ? { items: [], wanted } : { items, wanted };
}

function deleteFromList(original: JsonObject, name: string, values: unknown): void {
  if (!Array.isArray(values)) throw badPatch('invalid patch format of primitive list');
  const current = own(original, name);
  if (!Array.isArray(current)) return;
  const gone = new Set<unknown>(values);
  setOwn(
    original,
    name,
    current.filter((one) => !gone.has(one)),
  );
}

function listName(key: string, prefix: string): string {
  const name = key.slice(prefix.length + 1);
  if (key[prefix.length] !== '/' || name === '')
    throw badPatch(
      prefix === ELEMENT_ORDER
        ? 'invalid patch format of setElementOrder list'
        : 'invalid patch format of primitive list',
    );
  return name;
}

/** The items of the patch must appear in the order the directive gives, and be named by it. */
function checkOrder(
  patch: readonly unknown[],
  order: readonly unknown[],
  mergeKey: string | undefined,
): void {
  if (order.length === 0) return;
  const items = patch.filter((one) => !(isObject(one) && own(one, DIRECTIVE) !== undefined));
  let next = 0;
  for (const place of order) {
    if (next < items.length && orderBy(items[next], mergeKey) === orderBy(place, mergeKey)) next++;
  }
  if (next < items.length)
    throw badPatch(
      `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match ${ELEMENT_ORDER} list:\n${JSON.stringify(order)}\n`,
    );
}

function mergeKeyFor(
  field: TypeNode | undefined,
  current: readonly unknown[] | undefined,
  wanted: readonly unknown[] | undefined,
): string | undefined {
  return isObject((current ?? [])[0] ?? (wanted ?? [])[0]) ? field?.mergeKey : undefined;
}

function sameKind(items: readonly unknown[]): void {
  const kind = (value: unknown): string => (isObject(value) ? 'object' : typeof value);
  if (items.some(Array.isArray)) throw badPatch('lists of lists are not supported');
  if (items.some((one) => kind(one) !== kind(items[0])))
    throw badPatch(`list element types are not identical: ${JSON.stringify(items)}`);
}

/** Drops members that are null, at any depth, as they would only ask for a deletion. Changes `value`. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) value.forEach(withoutNulls);
  else if (isObject(value))
    for (const key of Object.keys(value)) {
      if (value[key] === null) delete value[key];
      else withoutNulls(value[key]);
    }
  return value;
}

/** Drops directives from a value that is taken over whole. `undefined`: nothing is left of it. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((one) => one !== undefined);
  if (!isObject(value)) return value;
  if (own(value, DIRECTIVE) === 'delete') return undefined;
  const kept: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === DIRECTIVE || key === RETAIN_KEYS) continue;
    if (key.startsWith(`${ELEMENT_ORDER}/`) || key.startsWith(`${DELETE_FROM_LIST}/`)) continue;
    const clean = withoutDirectives(item);
    if (clean !== undefined) setOwn(kept, key, clean);
  }
  return kept;
}

const notList = (value: unknown): Error =>
  badPatch(`expected a list, but received ${isObject(value) ? 'an object' : `a ${typeof value}`}`);
const noMergeKey = (item: JsonObject, key: string): Error =>
  badPatch(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
const unknownDirective = (directive: unknown, item: JsonObject): Error =>
  badPatch(`unknown patch type: ${String(directive)} in map: ${JSON.stringify(item)}`);
