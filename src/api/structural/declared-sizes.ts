/**
 * How large data can be according to its schema: what it says, else what fits into a request
 * (k8s.io/apiserver/pkg/cel/common, SchemaDeclType). Estimates of what rules cost rest on it.
 */
import type { SizeAt } from '../cel/cost/cost-estimate.ts';
import { escapeField } from '../cel/field-names.ts';
import type { StructuralSchema } from './structural.ts';

/** Upstream's MaxRequestSizeBytes. */
export const REQUEST_BYTES = 3 * 1024 * 1024;
const TEXT_CHARACTERS = REQUEST_BYTES - 2;
/** A character of UTF-8. */
const MAX_CHARACTER_BYTES = 4;
/** Of names of objects and of what names are generated from, whatever the schema says. */
const NAME_CHARACTERS: Readonly<Record<string, number>> = { name: 253, generateName: 252 };

/** Sizes of data whose root, the variable, has this schema. */
export function declaredSizes(root: StructuralSchema): SizeAt {
  return ([, ...steps]) => {
    let at: Spot | undefined = { schema: root, isMetadata: false };
    for (const step of steps) {
      at = below(at, step);
      if (at === undefined) return undefined;
    }
    return { min: 0, max: typeof at === 'number' ? at : maxElements(at.schema) };
  };
}

/** A schema, or the size of a string that needs none. */
type Spot = { readonly schema: StructuralSchema; readonly isMetadata: boolean } | number;

function below(spot: Spot, step: string): Spot | undefined {
  if (typeof spot === 'number') return undefined;
  const { schema, isMetadata } = spot;
  const inside = (one: StructuralSchema | undefined): Spot | undefined =>
    one && { schema: one, isMetadata: false };
  if (step === '@items' || step === '@values')
    return inside(schema.items ?? (typeof schema.additional === 'object' ? schema.additional : undefined));
  if (step === '@keys') return typeof schema.additional === 'object' ? 0 : undefined;
  if (isMetadata) return nameSize(schema, step);
  if (schema.isEmbedded && step === 'metadata')
    return { schema: schema.properties.get('metadata') ?? schema, isMetadata: true };
  const found =
    schema.properties.get(step) ?? [...schema.properties].find(([name]) => escapeField(name) === step)?.[1];
  if (!found && schema.isEmbedded && (step === 'kind' || step === 'apiVersion')) return TEXT_CHARACTERS;
  return inside(found);
}

function nameSize(metadata: StructuralSchema, name: string): Spot | undefined {
  const most = NAME_CHARACTERS[name];
  if (most === undefined) return undefined;
  const declared = metadata.properties.get(name)?.checks?.maxLength ?? most;
  return Math.min(declared, most) * MAX_CHARACTER_BYTES;
}

/** Characters of a string, items of a list, entries of a map; 0 for everything else, as upstream has it. */
export function maxElements(schema: StructuralSchema): number {
  const { type, checks = {}, items, additional } = schema;
  const atLeastNone = (declared: number | undefined): number | undefined =>
    declared === undefined ? undefined : Math.max(declared, 0);
  const longest = atLeastNone(checks.maxLength);
  if (schema.isIntOrString) return longest === undefined ? TEXT_CHARACTERS : longest * MAX_CHARACTER_BYTES;
  if (type === 'array' && items)
    return atLeastNone(checks.maxItems) ?? Math.floor((REQUEST_BYTES - 2) / (minBytes(items) + 1));
  if (type === 'object' && typeof additional === 'object')
    return atLeastNone(checks.maxProperties) ?? Math.floor((REQUEST_BYTES - 2) / (minBytes(additional) + 6));
  if (type !== 'string') return 0;
  if (checks.format === 'byte') return longest ?? TEXT_CHARACTERS;
  const known = FORMAT_CHARACTERS[checks.format ?? ''];
  if (known !== undefined) return known;
  if (longest !== undefined) return longest * MAX_CHARACTER_BYTES;
  return checks.enum?.length ? longestOf(checks.enum) : TEXT_CHARACTERS;
}

const FORMAT_CHARACTERS: Readonly<Record<string, number>> = { duration: 32, date: 12, 'date-time': 32 };
const MIN_TEXT_BYTES: Readonly<Record<string, number>> = { duration: 3, date: 12, 'date-time': 21 };

const longestOf = (values: readonly unknown[]): number =>
  Math.max(0, ...values.map((one) => (typeof one === 'string' ? Buffer.byteLength(one) : 0)));

/** Of the shortest JSON that fits the schema. */
export function minBytes(schema: StructuralSchema): number {
  if (schema.isIntOrString) return 1;
  switch (schema.type) {
    case 'string':
      return MIN_TEXT_BYTES[schema.checks?.format ?? ''] ?? 2;
    case 'boolean':
      return 4;
    case 'number':
    case 'integer':
      return 1;
    case 'object':
      return minObjectBytes(schema);
    default:
      return 2;
  }
}

function minObjectBytes({ additional, checks, properties }: StructuralSchema): number {
  let bytes = 2;
  if (typeof additional === 'object') return bytes;
  for (const name of checks?.required ?? []) {
    const property = properties.get(name);
    if (property && property.default === undefined) bytes += Buffer.byteLength(name) + minBytes(property) + 4;
  }
  return bytes;
}
