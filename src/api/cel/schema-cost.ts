import { isObject } from '../json-value.ts';
import type { SizeOf } from './estimate.ts';
import { escapeField } from './field-names.ts';
import { type CelSchema, schemaType, withRoot } from './schema-type.ts';

/** What bounds the size of data: a part of JSONSchemaProps. */
export interface SizedSchema extends CelSchema {
  readonly properties?: Readonly<Record<string, SizedSchema>>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
}

/** As upstream's MaxRequestSizeBytes: no data is larger. */
const REQUEST_BYTES = 3 * 1024 * 1024;
const LARGEST = REQUEST_BYTES - 2;

/** Shortest and longest texts of a format, quotes included. */
const FORMATS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  duration: [3, 32],
  date: [12, 12],
  'date-time': [21, 32],
};

const itemsOf = (schema: SizedSchema): SizedSchema | undefined =>
  isObject(schema.items) ? (schema.items as SizedSchema) : undefined;
const valuesOf = (schema: SizedSchema): SizedSchema | undefined =>
  isObject(schema.additionalProperties) ? (schema.additionalProperties as SizedSchema) : undefined;

/** Bytes that the smallest data of a schema takes in a request. */
function smallestBytes(schema: SizedSchema): number {
  if (schema['x-kubernetes-int-or-string']) return 1;
  if (schema.type === 'string') return FORMATS[schema.format ?? '']?.[0] ?? 2;
  if (schema.type === 'boolean') return 4;
  if (schema.type === 'number' || schema.type === 'integer') return 1;
  if (schema.type !== 'object' || valuesOf(schema)) return 2;
  let bytes = 2;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!schema.required?.includes(name) || property.default !== undefined) continue;
    if (schemaType(property, name)) bytes += name.length + smallestBytes(property) + 4;
  }
  return bytes;
}

/** Items, entries or characters that data of a schema has at most (upstream's `MaxElements`). */
function largestSize(schema: SizedSchema): number | undefined {
  const { maxLength, maxItems, maxProperties } = schema;
  if (schema['x-kubernetes-int-or-string']) return maxLength === undefined ? LARGEST : maxLength * 4;
  if (schema.type === 'array') {
    const items = itemsOf(schema);
    if (maxItems !== undefined) return Math.max(0, maxItems);
    return Math.floor(LARGEST / ((items ? smallestBytes(items) : 0) + 1));
  }
  if (schema.type === 'object') {
    const values = valuesOf(schema);
    if (!values) return 0;
    if (maxProperties !== undefined) return Math.max(0, maxProperties);
    return Math.floor(LARGEST / (smallestBytes(values) + 6));
  }
  return schema.type === 'string' ? largestText(schema) : 0;
}

function largestText({ format = '', maxLength, enum: values }: SizedSchema): number {
  const known = FORMATS[format];
  if (known) return known[1];
  if (maxLength !== undefined) return Math.max(0, maxLength) * (format === 'byte' ? 1 : 4);
  const texts = (values ?? []).filter((value) => typeof value === 'string');
  if (format !== 'byte' && texts.length > 0) return Math.max(...texts.map((text) => Buffer.byteLength(text)));
  return LARGEST;
}

/**
 * Sizes for the estimation of rules that stand at `schema`, whose variables are `self` and `oldSelf`. `isRoot` where
 * it is that of a whole resource.
 */
export function schemaSizes(schema: SizedSchema, isRoot = false): SizeOf {
  const top = isRoot ? withRoot(schema) : schema;
  return (path) => {
    let at: SizedSchema | undefined = top;
    for (const step of path.slice(1)) {
      at = at && stepInto(at, step);
      if (!at) return undefined;
    }
    return largestSize(at);
  };
}

function stepInto(schema: SizedSchema, step: string): SizedSchema | undefined {
  if (step === '@items' || step === '@values') return itemsOf(schema) ?? valuesOf(schema);
  // Keys of maps are texts of any length.
  if (step === '@keys') return valuesOf(schema) ? { type: 'string', maxLength: 0 } : undefined;
  const whole = schema['x-kubernetes-embedded-resource'] ? withRoot(schema) : schema;
  const found = Object.entries(whole.properties ?? {}).find(([name]) => escapeField(name) === step);
  return found?.[1];
}

/** How often data of this schema can stand in one object, where no list around it is bounded. */
export function largestCardinality(schema: SizedSchema): number {
  return Math.floor(REQUEST_BYTES / (smallestBytes(schema) + 1));
}
