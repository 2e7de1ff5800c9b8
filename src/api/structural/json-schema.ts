import type { JSONSchemaProps } from '../types.gen.ts';

/** `JSONSchemaProps` with the members that may hold either of two things spelled out. */
export interface JsonSchema
  extends Omit<
    JSONSchemaProps,
    | 'items'
    | 'additionalProperties'
    | 'additionalItems'
    | 'dependencies'
    | 'allOf'
    | 'anyOf'
    | 'oneOf'
    | 'not'
    | 'properties'
    | 'patternProperties'
    | 'definitions'
  > {
  items?: JsonSchema | JsonSchema[];
  additionalProperties?: JsonSchema | boolean;
  additionalItems?: JsonSchema | boolean;
  dependencies?: Record<string, JsonSchema | string[]>;
  allOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  not?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  definitions?: Record<string, JsonSchema>;
}

/** What a schema may ask of numbers, strings and lists. */
export const VALUE_CHECKS = [
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
] as const satisfies readonly (keyof JsonSchema)[];

/** The schema of an `items` that is not an array of schemas. */
export function itemSchema({ items }: JsonSchema): JsonSchema | undefined {
  return items === undefined || Array.isArray(items) ? undefined : items;
}

/** The schema of an `additionalProperties` that is not just a yes or no. */
export function additionalSchema({ additionalProperties }: JsonSchema): JsonSchema | undefined {
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

/** `type: object` that keeps everything, or any other place where nothing is pruned. */
export const preservesUnknown = (schema: JsonSchema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true;
export const isEmbedded = (schema: JsonSchema): boolean => schema['x-kubernetes-embedded-resource'] === true;
export const isIntOrString = (schema: JsonSchema): boolean => schema['x-kubernetes-int-or-string'] === true;

/** Visits a schema and every one inside it until `visit` says true; whether it did. */
export function someSchema(schema: JsonSchema | undefined, visit: (schema: JsonSchema) => boolean): boolean {
  if (schema === undefined) return false;
  if (visit(schema)) return true;
  const inside = (one: JsonSchema | undefined): boolean => someSchema(one, visit);
  const items = Array.isArray(schema.items) ? schema.items : [schema.items];
  return (
    items.some(inside) ||
    [schema.allOf, schema.anyOf, schema.oneOf].some((list) => list?.some(inside)) ||
    inside(schema.not) ||
    [schema.properties, schema.patternProperties, schema.definitions].some(
      (table) => table !== undefined && Object.values(table).some(inside),
    ) ||
    inside(additionalSchema(schema)) ||
    inside(typeof schema.additionalItems === 'object' ? schema.additionalItems : undefined) ||
    Object.values(schema.dependencies ?? {}).some((one) => !Array.isArray(one) && inside(one))
  );
}

/** The parts of a schema that say how it is built, for walking through it: no junctors. */
export function* structuralParts(schema: JsonSchema): Iterable<JsonSchema> {
  const items = itemSchema(schema);
  if (items) yield items;
  yield* Object.values(schema.properties ?? {});
  const additional = additionalSchema(schema);
  if (additional) yield additional;
}
