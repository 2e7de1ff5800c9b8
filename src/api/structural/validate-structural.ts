/**
 * Whether a schema is structural: every value has one type, said outside of `allOf`, `anyOf`, `oneOf` and `not`, which
 * may only narrow it (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go).
 */
import { forbiddenField, invalidValue, required } from '../field-errors.ts';
import { equalJson } from '../json-value.ts';
import { compileGoRegexp } from '../regexp/go-regexp.ts';
import type { FieldError } from '../status.ts';
import {
  additionalSchema,
  isEmbedded,
  isIntOrString,
  itemSchema,
  type JsonSchema,
  preservesUnknown,
} from './json-schema.ts';

type Level = 'root' | 'item' | 'field';

/** What is wrong, sorted by text as upstream does. */
export function validateStructural(schema: JsonSchema, path: string): FieldError[] {
  const errors = [...invariants(schema, 'root', path), ...completeness(schema, schema, path, path)];
  const text = ({ field, message }: FieldError): string => `${field}: ${message}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

/** A part of JSON Schema that no schema here may have, in upstream's words. */
export function unsupportedPart(schema: JsonSchema): string | undefined {
  const say = (name: string): string => `OpenAPIV3Schema '${name}' is not supported`;
  if (schema.id) return say('id');
  if (schema.$schema) return say('schema');
  if (schema.$ref) return say('$ref');
  for (const name of ['patternProperties', 'dependencies', 'definitions'] as const)
    if (Object.keys(schema[name] ?? {}).length > 0) return say(name);
  if (schema.additionalItems !== undefined) return say('additionalItems');
  if (Array.isArray(schema.items)) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  return schema['x-kubernetes-preserve-unknown-fields'] === false
    ? "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    : undefined;
}

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];
const isIntOrStringAnyOf = ({ anyOf }: JsonSchema): boolean => equalJson(anyOf, INT_OR_STRING);
const isIntOrStringAllOf = ({ allOf }: JsonSchema): boolean => equalJson(allOf?.[0]?.anyOf, INT_OR_STRING);

/** `spec` → `spec.items`; the root has no path when the schema stands alone. */
const child = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
const propertyPath = (path: string, name: string): string => `${child(path, 'properties')}[${name}]`;

function invariants(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const items = itemSchema(schema);
  if (schema.type === 'array' && !items) errors.push(required(child(path, 'items'), 'must be specified'));
  if (items) errors.push(...invariants(items, 'item', child(path, 'items')));
  for (const [name, one] of Object.entries(schema.properties ?? {}))
    errors.push(...invariants(one, 'field', propertyPath(path, name)));
  const additional = additionalSchema(schema);
  if (schema.additionalProperties !== undefined && level === 'root')
    errors.push(forbiddenField(child(path, 'additionalProperties'), 'must not be used at the root'));
  if (additional) errors.push(...invariants(additional, 'field', child(path, 'additionalProperties')));
  errors.push(...extensions(schema, path));
  const skips = { anyOf: isIntOrStringAnyOf(schema), firstAllOf: isIntOrStringAllOf(schema) };
  errors.push(...junctors(schema, level, path, skips));
  errors.push(...types(schema, level, path), ...meta(schema, level, path));
  if (isEmbedded(schema) && !preservesUnknown(schema) && Object.keys(schema.properties ?? {}).length === 0) {
    const why =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(required(child(path, 'properties'), why));
  }
  return errors;
}

function extensions(schema: JsonSchema, path: string): FieldError[] {
  if (!isIntOrString(schema)) return [];
  const why = 'must be false if x-kubernetes-int-or-string is true';
  return (['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const).flatMap(
    (name) => (schema[name] === true ? [invalidValue(child(path, name), true, why)] : []),
  );
}

const NO_TYPE: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

function types(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type = '' } = schema;
  const at = child(path, 'type');
  if (isEmbedded(schema) && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type === '' ? required(at, why) : invalidValue(at, type, why));
  } else if (type === '' && !isIntOrString(schema) && !preservesUnknown(schema))
    errors.push(required(at, NO_TYPE[level]));
  if (isEmbedded(schema) && schema.additionalProperties !== undefined) {
    const why = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(forbiddenField(child(path, 'additionalProperties'), why));
  }
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(invalidValue(at, type, 'must be object at the root'));
  return errors;
}

function meta(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const { kind, apiVersion, metadata } = schema.properties ?? {};
  const isResource = level === 'root' || isEmbedded(schema);
  const errors: FieldError[] = [];
  if (isResource && kind && kind.type !== 'string')
    errors.push(invalidValue(`${propertyPath(path, 'kind')}.type`, kind.type ?? '', 'must be string'));
  if (isResource && apiVersion && apiVersion.type !== 'string')
    errors.push(
      invalidValue(`${propertyPath(path, 'apiVersion')}.type`, apiVersion.type ?? '', 'must be string'),
    );
  if (!metadata) return errors;
  const at = propertyPath(path, 'metadata');
  if (isResource && metadata.type !== 'object')
    errors.push(invalidValue(`${at}.type`, metadata.type ?? '', 'must be object'));
  if (level === 'root' && !onlyRestrictsNames(metadata)) {
    const why =
      'must not specify anything other than name and generateName, but metadata is implicitly specified';
    errors.push(forbiddenField(at, why));
  }
  return errors;
}

function onlyRestrictsNames({ type: _type, default: _default, properties, ...rest }: JsonSchema): boolean {
  const names = Object.keys(properties ?? {});
  return names.every((name) => name === 'name' || name === 'generateName') && Object.keys(rest).length === 0;
}

interface Skips {
  readonly anyOf: boolean;
  readonly firstAllOf: boolean;
}
const NO_SKIPS: Skips = { anyOf: false, firstAllOf: false };

function junctors(schema: JsonSchema, level: Level, path: string, skips: Skips): FieldError[] {
  const errors: FieldError[] = [];
  const inside = (one: JsonSchema, name: string, skip = NO_SKIPS): void => {
    errors.push(...nested(one, level, child(path, name), skip));
  };
  if (!skips.anyOf) schema.anyOf?.forEach((one, index) => void inside(one, `anyOf[${index}]`));
  schema.allOf?.forEach((one, index) => {
    inside(one, `allOf[${index}]`, { anyOf: skips.firstAllOf && index === 0, firstAllOf: false });
  });
  schema.oneOf?.forEach((one, index) => void inside(one, `oneOf[${index}]`));
  if (schema.not) inside(schema.not, 'not');
  if (schema.pattern) {
    try {
      compileGoRegexp(schema.pattern);
    } catch (error) {
      const why = `must be a valid regular expression, but isn't: ${error instanceof Error ? error.message : ''}`;
      errors.push(invalidValue(child(path, 'pattern'), schema.pattern, why));
    }
  }
  return errors;
}

/** What may not be said inside of a junctor, and how upstream words it. */
const FORBIDDEN: readonly (readonly [key: keyof JsonSchema, why: string])[] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
];

function nested(schema: JsonSchema, level: Level, path: string, skips: Skips): FieldError[] {
  const errors = junctors(schema, level, path, skips);
  const items = itemSchema(schema);
  if (items) errors.push(...nested(items, level, child(path, 'items'), NO_SKIPS));
  for (const [name, one] of Object.entries(schema.properties ?? {}))
    errors.push(...nested(one, 'field', propertyPath(path, name), NO_SKIPS));
  for (const [key, why] of FORBIDDEN) {
    const value = schema[key];
    const isSaid =
      value !== undefined &&
      value !== null &&
      value !== '' &&
      value !== false &&
      !(Array.isArray(value) && value.length === 0);
    if (isSaid) errors.push(forbiddenField(child(path, key), why));
  }
  if (schema.properties?.['metadata'])
    errors.push(forbiddenField(propertyPath(path, 'metadata'), 'must not be specified in a nested context'));
  return errors;
}

/** Whatever a junctor narrows must be there in the structure, too. */
function completeness(
  junctor: JsonSchema,
  structure: JsonSchema | undefined,
  path: string,
  narrowPath: string,
): FieldError[] {
  const parts: [JsonSchema, string][] = [
    ...(junctor.not ? [[junctor.not, 'not'] as [JsonSchema, string]] : []),
    ...(['allOf', 'anyOf', 'oneOf'] as const).flatMap((name) =>
      (junctor[name] ?? []).map((one, index): [JsonSchema, string] => [one, `${name}[${index}]`]),
    ),
  ];
  return parts.flatMap(([one, name]) => nestedCompleteness(one, structure, path, child(narrowPath, name)));
}

function nestedCompleteness(
  narrow: JsonSchema,
  structure: JsonSchema | undefined,
  path: string,
  narrowPath: string,
): FieldError[] {
  if (structure === undefined) return [required(path, `because it is defined in ${narrowPath}`)];
  const errors = completeness(narrow, structure, path, narrowPath);
  const items = itemSchema(narrow);
  if (items)
    errors.push(
      ...nestedCompleteness(items, itemSchema(structure), child(path, 'items'), child(narrowPath, 'items')),
    );
  for (const [name, one] of Object.entries(narrow.properties ?? {})) {
    const known = structure.properties?.[name];
    const [at, from] = [propertyPath(path, name), propertyPath(narrowPath, name)];
    errors.push(...nestedCompleteness(one, known, at, from));
  }
  return errors;
}
