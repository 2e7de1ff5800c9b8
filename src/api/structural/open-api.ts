/** Schemas of custom resources as OpenAPI documents show them (upstream's pkg/controller/openapi). */
import type { SchemaObject } from '../openapi/schema-object.ts';
import {
  additionalSchema,
  isEmbedded,
  isIntOrString,
  itemSchema,
  type JsonSchema,
  preservesUnknown,
} from './json-schema.ts';

/** What every object that stands for a whole resource has, with references of the document's version. */
export interface ResourceMembers {
  readonly apiVersion: SchemaObject;
  readonly kind: SchemaObject;
  readonly metadata: SchemaObject;
}

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];

/**
 * A schema for version 3: all of it, and what `x-kubernetes-int-or-string` means spelled out. The root's own members are
 * for the caller to add.
 */
export function openApiV3Schema(schema: JsonSchema, members: ResourceMembers, isRoot = true): SchemaObject {
  const { properties, 'x-kubernetes-preserve-unknown-fields': preserves, ...rest } = schema;
  const items = itemSchema(schema);
  const additional = additionalSchema(schema);
  const inside = (one: JsonSchema): SchemaObject => openApiV3Schema(one, members, false);
  const shown: SchemaObject = {
    ...rest,
    ...(items ? { items: inside(items) } : {}),
    ...(additional ? { additionalProperties: inside(additional) } : {}),
    ...(properties ? { properties: mapValues(properties, inside) } : {}),
    ...(preserves ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
  };
  if (isIntOrString(schema)) unfold(schema, shown);
  return isRoot || !isEmbedded(schema) ? shown : asResource(shown, members);
}

function unfold(schema: JsonSchema, shown: SchemaObject): void {
  const says = (anyOf: JsonSchema[] | undefined): boolean =>
    JSON.stringify(anyOf) === JSON.stringify(INT_OR_STRING);
  if (says(schema.anyOf) || says(schema.allOf?.[0]?.anyOf)) return;
  if (schema.anyOf === undefined) shown['anyOf'] = INT_OR_STRING;
  else shown['allOf'] = [{ anyOf: INT_OR_STRING }, ...(schema.allOf ?? [])];
}

function asResource(shown: SchemaObject, members: ResourceMembers): SchemaObject {
  const required = (shown['required'] as string[] | undefined) ?? [];
  return {
    ...shown,
    properties: { ...(shown['properties'] as SchemaObject | undefined), ...members },
    required: [...required, ...['kind', 'apiVersion'].filter((name) => !required.includes(name))],
  };
}

const mapValues = (
  table: Readonly<Record<string, JsonSchema>>,
  change: (schema: JsonSchema) => SchemaObject,
): SchemaObject => Object.fromEntries(Object.entries(table).map(([name, schema]) => [name, change(schema)]));

const JUNCTORS: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'oneOf', 'not', 'nullable']);

/**
 * A schema for version 2, which knows less: junctors go, and types where old clients would draw wrong conclusions from
 * them. `undefined` where nothing but `type: object` can be said, since every field is allowed.
 */
export function openApiV2Schema(
  schema: JsonSchema,
  members: ResourceMembers,
  isRoot = true,
): SchemaObject | undefined {
  if (isRoot && preservesUnknown(schema)) return undefined;
  const inside = (one: JsonSchema): SchemaObject => openApiV2Schema(one, members, false) ?? {};
  const { items: _items, properties, additionalProperties, required, type, ...rest } = schema;
  const isOpen = schema.nullable === true || preservesUnknown(schema);
  const items = isOpen ? undefined : itemSchema(schema);
  const additional = additionalSchema(schema);
  const needed = additional?.nullable
    ? undefined
    : required?.filter((name) => properties?.[name]?.nullable !== true);
  const isUntyped =
    schema.nullable === true ||
    (type === 'array' && !items) ||
    (preservesUnknown(schema) && type === 'object');
  const shown: SchemaObject = {
    ...Object.fromEntries(Object.entries(rest).filter(([key]) => !JUNCTORS.has(key))),
    ...(isUntyped || type === undefined ? {} : { type }),
    ...(items ? { items: inside(items) } : {}),
    ...(properties && !isOpen ? { properties: mapValues(properties, inside) } : {}),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: additional ? inside(additional) : additionalProperties }),
    ...(needed?.length ? { required: needed } : {}),
  };
  return isRoot || !isEmbedded(schema) || preservesUnknown(schema) ? shown : asResource(shown, members);
}
