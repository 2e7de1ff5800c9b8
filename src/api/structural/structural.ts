import { definitionSchema } from '../schema/built-in.ts';
import type { ScalarKind, SchemaNode } from '../schema/node.ts';
import type { ValidationRule } from '../types.gen.ts';
import { knownFormat } from './formats.ts';
import {
  additionalSchema,
  isEmbedded,
  isIntOrString,
  itemSchema,
  type JsonSchema,
  preservesUnknown,
  VALUE_CHECKS,
} from './json-schema.ts';

export type JsonType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';

/** What a value must satisfy beyond its type. Only what the schema says is there. */
export interface Checks {
  readonly format?: string;
  readonly maximum?: number;
  readonly exclusiveMaximum?: boolean;
  readonly minimum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly multipleOf?: number;
  readonly maxProperties?: number;
  readonly minProperties?: number;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly allOf?: readonly StructuralSchema[];
  readonly anyOf?: readonly StructuralSchema[];
  readonly oneOf?: readonly StructuralSchema[];
  readonly not?: StructuralSchema;
}

/** What lies somewhere in a schema, so that walks skip the parts that do not concern them. */
export const HAS = {
  defaults: 1,
  /** Lists whose items must be unique. */
  uniqueLists: 2,
  embedded: 4,
  rules: 8,
} as const;

const NO_PROPERTIES: ReadonlyMap<string, StructuralSchema> = new Map();
const NO_NAMES: readonly string[] = [];
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/**
 * The schema of a custom resource in the form in which it is used: without descriptions, and with one object for all
 * places that say the same simple thing. Immutable.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
export class StructuralSchema implements SchemaNode {
  readonly type: JsonType | undefined;
  readonly properties: ReadonlyMap<string, StructuralSchema>;
  readonly additional: StructuralSchema | boolean | undefined;
  readonly items: StructuralSchema | undefined;
  readonly default: unknown;
  readonly isNullable: boolean;
  readonly preservesUnknownFields: boolean;
  readonly isEmbedded: boolean;
  readonly isIntOrString: boolean;
  readonly listType: 'atomic' | 'set' | 'map' | undefined;
  readonly listMapKeys: readonly string[] | undefined;
  readonly mapType: 'atomic' | 'granular' | undefined;
  readonly checks: Checks | undefined;
  readonly rules: readonly ValidationRule[];
  /** Bits of {@link HAS} for everything inside, this schema included. */
  readonly has: number;

  constructor(schema: JsonSchema, parts: Parts) {
    this.type = schema.type as JsonType | undefined;
    this.properties = parts.properties;
    this.additional = parts.additional;
    this.items = parts.items;
    this.default = schema.default === null ? undefined : schema.default;
    this.isNullable = schema.nullable === true;
    this.preservesUnknownFields = preservesUnknown(schema);
    this.isEmbedded = isEmbedded(schema);
    this.isIntOrString = isIntOrString(schema);
    this.listType = schema['x-kubernetes-list-type'] as 'atomic' | 'set' | 'map' | undefined;
    this.listMapKeys = schema['x-kubernetes-list-map-keys'];
    this.mapType = schema['x-kubernetes-map-type'] as 'atomic' | 'granular' | undefined;
    this.checks = parts.checks;
    this.rules = schema['x-kubernetes-validations'] ?? [];
    this.has = this.#ownBits() | innerBits(parts);
  }

  #ownBits(): number {
    return (
      (this.default === undefined ? 0 : HAS.defaults) |
      (this.listType === 'set' || this.listType === 'map' ? HAS.uniqueLists : 0) |
      (this.isEmbedded ? HAS.embedded : 0) |
      (this.rules.length > 0 ? HAS.rules : 0)
    );
  }

  /** The schema of a property, named or not; `undefined` where nothing is said about it. */
  property(name: string): StructuralSchema | undefined {
    const named = this.properties.get(name);
    if (named !== undefined) return named;
    return typeof this.additional === 'object' ? this.additional : undefined;
  }

  get shape(): SchemaNode['shape'] {
    if (this.isIntOrString) return 'scalar';
    if (this.type === 'array') return 'list';
    if (this.type === 'object') return this.properties.size === 0 && this.additional ? 'map' : 'object';
    return this.type === undefined ? 'any' : 'scalar';
  }
  get scalar(): ScalarKind | undefined {
    if (this.isIntOrString) return 'intOrString';
    switch (this.type) {
      case 'string':
      case 'boolean':
        return this.type;
      case 'integer':
        return 'int64';
      case 'number':
        return 'double';
      default:
        return this.shape === 'any' ? 'json' : undefined;
    }
  }
  get element(): SchemaNode | undefined {
    return this.type === 'array'
      ? this.items
      : typeof this.additional === 'object'
        ? this.additional
        : undefined;
  }
  field(name: string): SchemaNode | undefined {
    return (this.isEmbedded ? metaField(name) : undefined) ?? this.property(name);
  }
  get fieldNames(): readonly string[] {
    return [...this.properties.keys()].sort();
  }
  get required(): readonly string[] {
    return this.checks?.required ?? NO_NAMES;
  }
  get typeName(): string {
    return this.type ?? '';
  }
}

/** Every object that stands for a whole resource has these, whatever its schema says. */
function metaField(name: string): SchemaNode | undefined {
  if (name === 'metadata') return definitionSchema(OBJECT_META);
  return name === 'apiVersion' || name === 'kind' ? STRING : undefined;
}

interface Parts {
  readonly properties: ReadonlyMap<string, StructuralSchema>;
  readonly additional: StructuralSchema | boolean | undefined;
  readonly items: StructuralSchema | undefined;
  readonly checks: Checks | undefined;
}

function innerBits({ properties, additional, items, checks }: Parts): number {
  let bits = items?.has ?? 0;
  for (const one of checks?.allOf ?? []) bits |= one.has & HAS.rules;
  if (typeof additional === 'object') bits |= additional.has;
  for (const one of properties.values()) bits |= one.has;
  return bits;
}

/** Compiles the schema of a whole resource; its root counts as an embedded resource. */
export function compileRoot(schema: JsonSchema): StructuralSchema {
  return compile({ ...schema, 'x-kubernetes-embedded-resource': true });
}

/** Compiles a schema that was found valid. */
export function compile(schema: JsonSchema): StructuralSchema {
  const shared = sharedLeaf(schema);
  if (shared) return shared;
  const items = itemSchema(schema);
  const { additionalProperties, properties } = schema;
  const additional = additionalSchema(schema);
  return new StructuralSchema(schema, {
    properties:
      properties === undefined
        ? NO_PROPERTIES
        : new Map(Object.entries(properties).map(([name, one]) => [name, compile(one)])),
    additional: additional ? compile(additional) : (additionalProperties as boolean | undefined),
    items: items && compile(items),
    checks: compileChecks(schema),
  });
}

const LEAF_KEYS: ReadonlySet<string> = new Set(['type', 'description', 'title', 'example', 'externalDocs']);
const NO_PARTS: Parts = {
  properties: NO_PROPERTIES,
  additional: undefined,
  items: undefined,
  checks: undefined,
};
const leafOf = (type: JsonType): StructuralSchema => new StructuralSchema({ type }, NO_PARTS);
const STRING = leafOf('string');
const LEAVES: Readonly<Record<string, StructuralSchema>> = {
  string: STRING,
  integer: leafOf('integer'),
  number: leafOf('number'),
  boolean: leafOf('boolean'),
};

/** Most fields say no more than their type. */
function sharedLeaf(schema: JsonSchema): StructuralSchema | undefined {
  const leaf = Object.hasOwn(LEAVES, schema.type ?? '') ? LEAVES[schema.type ?? ''] : undefined;
  return leaf !== undefined && Object.keys(schema).every((key) => LEAF_KEYS.has(key)) ? leaf : undefined;
}

const PLAIN_CHECKS = [
  ...VALUE_CHECKS,
  'maxProperties',
  'minProperties',
  'required',
  'enum',
] as const satisfies readonly (keyof Checks & keyof JsonSchema)[];

function compileChecks(schema: JsonSchema): Checks | undefined {
  const checks: Record<string, unknown> = {};
  for (const key of PLAIN_CHECKS) if (schema[key] !== undefined) checks[key] = schema[key];
  const format = knownFormat(schema);
  if (format !== undefined) checks['format'] = format;
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
    if (schema[junctor]?.length) checks[junctor] = schema[junctor].map(compile);
  }
  if (schema.not) checks['not'] = compile(schema.not);
  return Object.keys(checks).length === 0 ? undefined : (checks as Checks);
}
