import { isObject, type JsonObject, own } from '../../api/json-value.ts';
import type { SchemaObject } from '../../api/openapi/schema-object.ts';
import { LIMITS } from '../../lib/limits.ts';

/** What one OpenAPI v2 document adds to another. */
export interface SwaggerParts {
  readonly paths: readonly [string, SchemaObject][];
  readonly schemas: readonly [string, SchemaObject][];
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'] as const;

/**
 * The paths at or below `prefix`, and every schema, of a document that somebody else wrote: shared parameters are put
 * where they are used, since ours has none to share, and what no document can hold is left out. Throws for one that is
 * nested too deeply to be walked.
 */
export function swaggerParts(document: unknown, prefix: string): SwaggerParts {
  if (!isObject(document)) throw new Error('the OpenAPI document is no object');
  checkNesting(document, LIMITS.http.nesting);
  const shared = membersOf(document['parameters']);
  const paths = membersOf(document['paths'])
    .filter(([path]) => path === prefix || path.startsWith(`${prefix}/`))
    .map(([path, item]): [string, SchemaObject] => [path, pathItem(item, new Map(shared))]);
  return { paths, schemas: membersOf(document['definitions']) };
}

function membersOf(value: unknown): [string, JsonObject][] {
  if (!isObject(value)) return [];
  return Object.entries(value).filter((member): member is [string, JsonObject] => isObject(member[1]));
}

function pathItem(item: JsonObject, shared: ReadonlyMap<string, JsonObject>): SchemaObject {
  const result: JsonObject = { ...item, parameters: parameters(item['parameters'], shared) };
  for (const method of METHODS) {
    const operation = own(item, method);
    if (isObject(operation)) {
      result[method] = { ...operation, parameters: parameters(operation['parameters'], shared) };
    } else delete result[method];
  }
  return result as SchemaObject;
}

const REFERENCE = '#/parameters/';

function parameters(list: unknown, shared: ReadonlyMap<string, JsonObject>): JsonObject[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).flatMap((one) => {
    const reference = own(one, '$ref');
    if (typeof reference !== 'string') return [one];
    const found = reference.startsWith(REFERENCE) && shared.get(reference.slice(REFERENCE.length));
    return found ? [found] : [];
  });
}

function checkNesting(value: unknown, left: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (left === 0) throw new Error('the OpenAPI document is nested too deeply');
  for (const inner of Object.values(value)) checkNesting(inner, left - 1);
}
