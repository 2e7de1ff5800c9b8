import { copyJson, equalJson, isObject, type JsonObject, own, setOwn } from '../json-value.ts';
import { apiError } from '../status.ts';
import { badPatch, patchDoesNotApply } from './patch-error.ts';

/** As upstream's maxJSONPatchOperations. */
const MAX_OPERATIONS = 10_000;
/** How much `copy` operations may add, as upstream's JSONPatchMaxCopyBytes; bounds exponential growth. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

interface Operation {
  readonly op: string;
  readonly path: unknown;
  readonly from: unknown;
  readonly value: unknown;
}

type Container = JsonObject | unknown[];

/** Why one operation failed; becomes the cause of a 422. */
class Misfit extends Error {}

/**
 * Applies a JSON Patch (RFC 6902) and returns the changed copy; `document` stays as it was.
 * As upstream: `replace` of a member that does not exist adds it, and indices may count from the end (-1).
 * Throws `ApiError`: 400 for something that is no patch, 413 for more than 10000 operations, 422 for an
 * operation that does not apply.
 */
export function applyJsonPatch(document: JsonObject, patch: unknown): JsonObject {
  const operations = decode(patch);
  const root = { document: copyJson(document) as unknown };
  let copiedBytes = 0;
  for (const operation of operations) {
    try {
      copiedBytes += applyOperation(root, operation);
    } catch (error) {
      if (error instanceof Misfit) throw patchDoesNotApply(error.message);
      throw error;
    }
    if (copiedBytes > MAX_COPIED_BYTES)
      throw patchDoesNotApply(
        `Unable to complete the copy, the accumulated size increase of copy is ${copiedBytes}, exceeding the limit ${MAX_COPIED_BYTES}`,
      );
  }
  if (!isObject(root.document)) throw patchDoesNotApply('the patched document is not an object');
  return root.document;
}

function decode(patch: unknown): readonly Operation[] {
  if (!Array.isArray(patch)) throw badPatch('error decoding patch: a JSON patch is a list of operations');
  if (patch.length > MAX_OPERATIONS)
    throw apiError(
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  return patch.map((one: unknown) => {
    if (!isObject(one)) throw badPatch('error decoding patch: every operation must be an object');
    return {
      op: typeof one['op'] === 'string' ? one['op'] : 'unknown',
      path: one['path'],
      from: one['from'],
      value: one['value'],
    };
  });
}

/** Returns how many bytes a `copy` added. */
function applyOperation(root: { document: unknown }, operation: Operation): number {
  const { op } = operation;
  if (op === 'add') add(root, operation);
  else if (op === 'remove') remove(root, operation);
  else if (op === 'replace') replace(root, operation);
  else if (op === 'move') move(root, operation);
  else if (op === 'test') test(root, operation);
  else if (op === 'copy') return copy(root, operation);
  else throw new Misfit(`Unexpected kind: ${op}`);
  return 0;
}

function add(root: { document: unknown }, operation: Operation): void {
  const path = pathOf(operation, 'add');
  const found = find(root.document, path);
  if (!found) throw new Misfit(`add operation does not apply: doc is missing path: "${path}": missing value`);
  within(`error in add for path: '${path}'`, () =>
    insert(found.container, found.key, copyJson(operation.value)),
  );
}

function remove(root: { document: unknown }, operation: Operation): void {
  const path = pathOf(operation, 'remove');
  const found = find(root.document, path);
  if (!found)
    throw new Misfit(`remove operation does not apply: doc is missing path: "${path}": missing value`);
  within(`error in remove for path: '${path}'`, () => erase(found.container, found.key));
}

function replace(root: { document: unknown }, operation: Operation): void {
  const path = pathOf(operation, 'replace');
  if (path === '') {
    if (!isObject(operation.value)) throw new Misfit('replace operation value must be object or array');
    root.document = copyJson(operation.value);
    return;
  }
  const found = find(root.document, path);
  if (!found)
    throw new Misfit(`replace operation does not apply: doc is missing path: ${path}: missing value`);
  const { container, key } = found;
  if (!Array.isArray(container)) {
    setOwn(container, key, copyJson(operation.value));
    return;
  }
  const index = existingIndex(container, key);
  if (index === undefined)
    throw new Misfit(`replace operation does not apply: doc is missing key: ${path}: missing value`);
  container[index] = copyJson(operation.value);
}

function move(root: { document: unknown }, operation: Operation): void {
  const from = fromOf(operation, 'move');
  const source = find(root.document, from);
  if (!source)
    throw new Misfit(`move operation does not apply: doc is missing from path: ${from}: missing value`);
  const value = within(`error in move for path: '${source.key}'`, () => read(source.container, source.key));
  within(`error in move for path: '${source.key}'`, () => erase(source.container, source.key));
  const path = pathOf(operation, 'move');
  const target = find(root.document, path);
  if (!target)
    throw new Misfit(
      `move operation does not apply: doc is missing destination path: ${path}: missing value`,
    );
  within(`error in move for path: '${path}'`, () => insert(target.container, target.key, value));
}

function copy(root: { document: unknown }, operation: Operation): number {
  const from = fromOf(operation, 'copy');
  const source = find(root.document, from);
  if (!source)
    throw new Misfit(`copy operation does not apply: doc is missing from path: ${from}: missing value`);
  const value = within(`error in copy for from: '${from}'`, () => read(source.container, source.key));
  const path = pathOf(operation, 'copy');
  const target = find(root.document, path);
  if (!target)
    throw new Misfit(
      `copy operation does not apply: doc is missing destination path: ${path}: missing value`,
    );
  within('error while adding value during copy', () => insert(target.container, target.key, copyJson(value)));
  return JSON.stringify(value ?? null).length;
}

function test(root: { document: unknown }, operation: Operation): void {
  const path = pathOf(operation, 'test');
  const failed = `testing value ${path} failed: test failed`;
  if (path === '') {
    if (!equalJson(root.document, operation.value)) throw new Misfit(failed);
    return;
  }
  const found = find(root.document, path);
  if (!found) throw new Misfit(`test operation does not apply: is missing path: ${path}: missing value`);
  const value = within(`error in test for path: '${path}'`, () => read(found.container, found.key)) ?? null;
  if (!equalJson(value, operation.value ?? null)) throw new Misfit(failed);
}

function pathOf(operation: Operation, op: string): string {
  if (typeof operation.path !== 'string')
    throw new Misfit(`${op} operation failed to decode path: missing value`);
  return operation.path;
}

function fromOf(operation: Operation, op: string): string {
  if (typeof operation.from !== 'string')
    throw new Misfit(`${op} operation failed to decode from: missing value`);
  return operation.from;
}

/** The container that holds what `path` (RFC 6901) points at, and the last token. */
function find(document: unknown, path: string): { container: Container; key: string } | undefined {
  const tokens = path.split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (tokens.length < 2) return undefined;
  let container = document;
  for (const token of tokens.slice(1, -1)) {
    if (Array.isArray(container)) {
      const index = existingIndex(container, token);
      container = index === undefined ? undefined : container[index];
    } else if (isObject(container)) container = own(container, token);
    else return undefined;
  }
  if (!Array.isArray(container) && !isObject(container)) return undefined;
  return { container, key: tokens.at(-1) ?? '' };
}

const invalidIndex = (key: string): Misfit =>
  new Misfit(`Unable to access invalid index: ${key}: invalid index referenced`);

function integer(key: string): number | undefined {
  return /^[+-]?\d{1,9}$/.test(key) ? Number(key) : undefined;
}

function existingIndex(list: readonly unknown[], key: string): number | undefined {
  const index = integer(key);
  if (index === undefined) return undefined;
  const fromStart = index < 0 ? index + list.length : index;
  return fromStart >= 0 && fromStart < list.length ? fromStart : undefined;
}

function read(container: Container, key: string): unknown {
  if (!Array.isArray(container)) return own(container, key);
  const index = existingIndex(container, key);
  if (index === undefined) throw invalidIndex(key);
  return container[index];
}

function insert(container: Container, key: string, value: unknown): void {
  if (!Array.isArray(container)) {
    setOwn(container, key, value);
    return;
  }
  if (key === '-') {
    container.push(value);
    return;
  }
  const index = integer(key);
  if (index === undefined) throw new Misfit(`value was not a proper array index: '${key}'`);
  // Counted from the end, -1 is the place after the last item.
  const place = index < 0 ? index + container.length + 1 : index;
  if (place < 0 || place > container.length) throw invalidIndex(key);
  container.splice(place, 0, value);
}

function erase(container: Container, key: string): void {
  if (Array.isArray(container)) {
    const index = existingIndex(container, key);
    if (index === undefined) throw invalidIndex(key);
    container.splice(index, 1);
  } else if (Object.hasOwn(container, key)) delete container[key];
  else throw new Misfit(`Unable to remove nonexistent key: ${key}: missing value`);
}

function within<T>(context: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof Misfit) throw new Misfit(`${context}: ${error.message}`);
    throw error;
  }
}
