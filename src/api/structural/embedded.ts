import { conform, TypeMismatchError } from '../decode/conform.ts';
import { invalidValue, required } from '../field-errors.ts';
import { isObject, type JsonObject } from '../json-value.ts';
import { dns1035LabelProblems } from '../names.ts';
import { definitionSchema } from '../schema/built-in.ts';
import type { FieldError } from '../status.ts';
import type { ObjectMeta } from '../types.gen.ts';
import { HAS, type StructuralSchema } from './structural.ts';

const OBJECT_META = definitionSchema('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');

/**
 * Gives the `metadata` of an object its proper form, in place. Returns the paths of fields that are no metadata and now
 * gone. Throws {@link TypeMismatchError} where a field has the wrong type, unless `dropsMalformed`: then the field goes.
 */
export function coerceMetadata(
  object: JsonObject,
  { path = '', dropsMalformed = false }: { readonly path?: string; readonly dropsMalformed?: boolean } = {},
): readonly string[] {
  if (object['metadata'] === undefined || OBJECT_META === undefined) return [];
  const prefix = path === '' ? 'metadata' : `${path}.metadata`;
  try {
    if (!dropsMalformed || !isObject(object['metadata'])) {
      const { value, unknownFields } = conform(object['metadata'] ?? {}, OBJECT_META);
      object['metadata'] = value;
      return unknownFields.map((field) => `${prefix}.${field}`);
    }
  } catch (error) {
    if (!dropsMalformed || !(error instanceof TypeMismatchError)) throw error;
  }
  object['metadata'] = wellFormed(object['metadata']);
  return [];
}

/** Field by field, what can be understood. */
function wellFormed(metadata: unknown): JsonObject {
  const kept: JsonObject = {};
  if (!isObject(metadata) || OBJECT_META === undefined) return kept;
  for (const [name, value] of Object.entries(metadata)) {
    try {
      Object.assign(kept, conform({ [name]: value }, OBJECT_META).value);
    } catch (error) {
      if (!(error instanceof TypeMismatchError)) throw error;
    }
  }
  return kept;
}

/** The same for every resource embedded in an object. Malformed types of one throw {@link TypeMismatchError}. */
export function coerceEmbedded(
  value: unknown,
  schema: StructuralSchema | undefined,
  options: { readonly path?: string; readonly dropsMalformed?: boolean } = {},
): readonly string[] {
  if (schema === undefined || (schema.has & HAS.embedded) === 0) return [];
  const { path = '', dropsMalformed = false } = options;
  if (Array.isArray(value))
    return value.flatMap((item, index) =>
      coerceEmbedded(item, schema.items, { path: `${path}[${index}]`, dropsMalformed }),
    );
  if (!isObject(value)) return [];
  // The root's own metadata is everybody's.
  const unknown =
    schema.isEmbedded && path !== '' ? [...coerceTypeAndMetadata(value, path, dropsMalformed)] : [];
  for (const name of Object.keys(value)) {
    const child = path === '' ? name : `${path}.${name}`;
    unknown.push(...coerceEmbedded(value[name], schema.property(name), { path: child, dropsMalformed }));
  }
  return unknown;
}

function coerceTypeAndMetadata(object: JsonObject, path: string, dropsMalformed: boolean): readonly string[] {
  for (const name of ['apiVersion', 'kind']) {
    if (object[name] === undefined || typeof object[name] === 'string') continue;
    if (!dropsMalformed)
      throw new TypeMismatchError(malformed(`${path}.${name}`, object[name], 'must be a string'));
    delete object[name];
  }
  try {
    return coerceMetadata(object, { path, dropsMalformed });
  } catch (error) {
    if (error instanceof TypeMismatchError)
      throw new TypeMismatchError(malformed(`${path}.metadata`, object['metadata'], error.message));
    throw error;
  }
}

function malformed(path: string, value: unknown, why: string): string {
  return `${path}: ${invalidValue(path, value, why).message}`;
}

/** How metadata of a whole new object is checked. */
export type MetadataRule = (metadata: ObjectMeta, namespaced: boolean) => readonly FieldError[];

/** What is wrong with the resources embedded in an object. */
export function validateEmbedded(
  value: unknown,
  schema: StructuralSchema | undefined,
  rule: MetadataRule,
  path = '',
): readonly FieldError[] {
  if (schema === undefined || (schema.has & HAS.embedded) === 0) return [];
  if (Array.isArray(value))
    return value.flatMap((item, index) => validateEmbedded(item, schema.items, rule, `${path}[${index}]`));
  if (!isObject(value)) return [];
  const errors = schema.isEmbedded && path !== '' ? validateOne(value, rule, path) : [];
  for (const name of Object.keys(value)) {
    const child = schema.properties.has(name)
      ? `${path === '' ? '' : `${path}.`}${name}`
      : `${path}[${name}]`;
    errors.push(...validateEmbedded(value[name], schema.property(name), rule, child));
  }
  return errors;
}

/** What is wrong with kind, version and metadata of one resource. */
export function validateOne(object: JsonObject, rule: MetadataRule, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const at = (field: string): string => (path === '' ? field : `${path}.${field}`);
  const { apiVersion, kind } = object;
  if (apiVersion === undefined) errors.push(required(at('apiVersion')));
  else errors.push(...versionProblems(apiVersion, at('apiVersion')));
  if (kind === undefined) errors.push(required(at('kind')));
  else errors.push(...kindProblems(kind, at('kind')));
  if (!isObject(object['metadata'])) return errors;
  const metadata = object['metadata'] as ObjectMeta;
  const found = rule({ ...metadata, name: metadata.name || 'fakename' }, Boolean(metadata.namespace));
  errors.push(...found.map((error) => ({ ...error, field: at(error.field) })));
  return errors;
}

function versionProblems(value: unknown, path: string): FieldError[] {
  if (typeof value !== 'string') return [invalidValue(path, value, 'must be a string')];
  if (value === '') return [invalidValue(path, value, 'must not be empty')];
  return value.split('/').length > 2
    ? [invalidValue(path, value, `unexpected GroupVersion string: ${value}`)]
    : [];
}

function kindProblems(value: unknown, path: string): FieldError[] {
  if (typeof value !== 'string') return [invalidValue(path, value, 'must be a string')];
  if (value === '') return [invalidValue(path, value, 'must not be empty')];
  const problems = dns1035LabelProblems(value.toLowerCase());
  const why = `may have mixed case, but should otherwise match: ${problems.join(',')}`;
  return problems.length === 0 ? [] : [invalidValue(path, value, why)];
}
