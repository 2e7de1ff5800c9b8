import { TypeMismatchError } from '../decode/conform.ts';
import { invalidValue } from '../field-errors.ts';
import { copyJson, equalJson, type JsonObject } from '../json-value.ts';
import type { FieldError } from '../status.ts';
import {
  coerceEmbedded,
  coerceMetadata,
  type MetadataRule,
  validateEmbedded,
  validateOne,
} from './embedded.ts';
import { prune } from './prune.ts';
import { HAS, type StructuralSchema } from './structural.ts';
import { validateValue } from './validate-value.ts';

/** Says what rules object to in a default. */
export type RuleProblems = (value: unknown, schema: StructuralSchema, path: string) => readonly FieldError[];

export interface DefaultRules {
  readonly requirePruned: boolean;
  readonly metadata: MetadataRule;
  readonly rules: RuleProblems;
}

/**
 * Defaults must themselves be what the schema asks for (upstream's structuraldefaulting.ValidateDefaults). Defaults inside
 * of values of maps are never used where keys are unknown, and not looked at.
 */
export function validateDefaults(
  schema: StructuralSchema,
  path: string,
  options: DefaultRules,
  /** Around a default that is part of the metadata of an embedded resource: the whole resource. */
  around?: Surroundings,
): FieldError[] {
  if ((schema.has & HAS.defaults) === 0) return [];
  const outside = schema.isEmbedded ? undefined : around;
  const errors: FieldError[] = [];
  if (schema.default !== undefined)
    errors.push(
      ...(outside ? insideMetadata(schema, path, options, outside) : ownProblems(schema, path, options)),
    );
  if (schema.items)
    errors.push(
      ...validateDefaults(schema.items, `${path}.items`, options, outside && ((one) => outside([one]))),
    );
  for (const [name, property] of schema.properties) {
    const isMeta = schema.isEmbedded && META.has(name);
    const wrapped: Surroundings | undefined = isMeta
      ? (one) => ({ apiVersion: 'validation/v1', kind: 'Validation', [name]: one })
      : outside && ((one) => outside({ [name]: one }));
    errors.push(...validateDefaults(property, `${path}.properties[${name}]`, options, wrapped));
  }
  return errors;
}

type Surroundings = (value: unknown) => unknown;
const META: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** Unknown fields are no mistake there: they are dropped from metadata wherever it is read. */
function insideMetadata(
  schema: StructuralSchema,
  schemaPath: string,
  { metadata, rules }: DefaultRules,
  around: Surroundings,
): readonly FieldError[] {
  const path = `${schemaPath}.default`;
  const { default: value } = schema;
  const refuse = (why: string): FieldError[] => [
    invalidValue(path, value, `must result in valid metadata: ${why}`),
  ];
  const resource = around(copyJson(value)) as JsonObject;
  try {
    coerceMetadata(resource);
  } catch (error) {
    if (!(error instanceof TypeMismatchError)) throw error;
    return refuse(error.message);
  }
  const problems = validateOne(resource, metadata, '').map(({ field, message }) => `${field}: ${message}`);
  if (problems.length > 0)
    return refuse(problems.length === 1 ? problems.join() : `[${problems.join(', ')}]`);
  const wrong = validateValue(value, schema, { base: path });
  if (wrong.length > 0) return wrong;
  return (schema.has & HAS.rules) === 0 ? [] : rules(value, schema, path);
}

function ownProblems(
  schema: StructuralSchema,
  schemaPath: string,
  { requirePruned, metadata, rules }: DefaultRules,
): FieldError[] {
  const path = `${schemaPath}.default`;
  const { default: value } = schema;
  const errors: FieldError[] = [];
  const pruned = copyJson(value);
  prune(pruned, schema);
  if (requirePruned && !equalJson(pruned, value))
    errors.push(invalidValue(path, value, 'must not have unknown fields'));
  try {
    coerceEmbedded(copyJson(value), schema, { path });
  } catch (error) {
    if (!(error instanceof TypeMismatchError)) throw error;
    return [...errors, invalidValue(path, value, error.message)];
  }
  const embedded = validateEmbedded(value, schema, metadata, path);
  if (embedded.length > 0) return [...errors, ...embedded];
  const wrong = validateValue(value, schema, { base: path });
  if (wrong.length > 0) return [...errors, ...wrong];
  return [...errors, ...((schema.has & HAS.rules) === 0 ? [] : rules(value, schema, path))];
}

/** Whether some default has fields that the schema does not know. */
export function hasUnprunedDefaults(schema: StructuralSchema): boolean {
  if ((schema.has & HAS.defaults) === 0) return false;
  if (schema.default !== undefined) {
    const pruned = copyJson(schema.default);
    prune(pruned, schema);
    if (!equalJson(pruned, schema.default)) return true;
  }
  const { items, additional, properties } = schema;
  return (
    (items !== undefined && hasUnprunedDefaults(items)) ||
    (typeof additional === 'object' && hasUnprunedDefaults(additional)) ||
    [...properties.values()].some(hasUnprunedDefaults)
  );
}
