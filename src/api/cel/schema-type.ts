import { isObject } from '../json-value.ts';
import { adaptJson } from './adapt.ts';
import { escapeField } from './field-names.ts';
import { parseDuration, parseTimestamp } from './time.ts';
import { toJson } from './to-json.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  STRING,
  type StructType,
  TIMESTAMP,
} from './types.ts';
import {
  type Adapt,
  CelError,
  isMap,
  isStruct,
  JsonMap,
  type ListIdentity,
  ListValue,
  type StructValue,
  type Value,
} from './values.ts';

/** What a structural schema says that expressions need: a part of JSONSchemaProps. */
export interface CelSchema {
  /** Besides JSON schema's types: `any`, about which nothing is known. */
  readonly type?: string;
  /** Of an object whose fields are called in expressions what they are called in the data; made up when absent. */
  readonly typeName?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly properties?: Readonly<Record<string, CelSchema>>;
  readonly additionalProperties?: unknown;
  readonly items?: unknown;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}

/** The type of data of a schema, and how its values come to be. */
export interface TypedSchema {
  readonly type: CelType;
  readonly adapt: Adapt;
}

const METADATA: CelSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
};
/** Always there at the root of a resource, whatever its schema says. */
const ROOT: Readonly<Record<string, CelSchema>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: METADATA,
};

/**
 * The type of what a structural schema describes (upstream's `SchemaDeclType`); `undefined` where it says too
 * little for expressions. `name` appears in errors of the type checker. Nothing is computed before it is asked for.
 */
export function schemaType(schema: CelSchema, name: string, isRoot = false): TypedSchema | undefined {
  const found = isRoot ? structType(withRoot(schema), name) : typeOfSchema(schema, name);
  if (!found) return undefined;
  const { type, adapt } = found;
  return { type, adapt: (raw) => (raw === null ? null : adapt(raw)) };
}

function withRoot(schema: CelSchema): CelSchema {
  return { ...schema, type: 'object', properties: { ...schema.properties, ...ROOT } };
}

function typeOfSchema(schema: CelSchema, name: string): TypedSchema | undefined {
  if (schema['x-kubernetes-int-or-string']) return { type: DYN, adapt: adaptJson };
  if (schema['x-kubernetes-embedded-resource']) return structType(withRoot(schema), name);
  switch (schema.type) {
    case 'array':
      return listType(schema, name);
    case 'object':
      return objectType(schema, name);
    case 'string':
      return textType(schema.format);
    case 'boolean':
      return { type: BOOL, adapt: expect('boolean', 'bool') };
    case 'number':
      return { type: DOUBLE, adapt: expect('number', 'float') };
    case 'any':
      return { type: DYN, adapt: adaptJson };
    case 'integer':
      return { type: INT, adapt: integer };
    default:
      return undefined;
  }
}

function expect(kind: 'boolean' | 'number' | 'string', shown: string): Adapt {
  return (raw) => {
    if (typeof raw !== kind) throw new CelError(`invalid data, expected ${shown}, got ${typeof raw}`);
    return raw as Value;
  };
}

function integer(raw: unknown): Value {
  if (typeof raw === 'bigint') return raw;
  if (!Number.isInteger(raw)) throw new CelError(`invalid data, expected int, got ${typeof raw}`);
  return BigInt(raw as number);
}

function textType(format: string | undefined): TypedSchema {
  switch (format) {
    case 'duration':
      return { type: DURATION, adapt: text(parseDuration) };
    case 'date':
      return { type: TIMESTAMP, adapt: text((day) => parseTimestamp(`${day}T00:00:00Z`)) };
    case 'date-time':
      return { type: TIMESTAMP, adapt: text(parseTimestamp) };
    case 'byte':
      return { type: BYTES, adapt: text((encoded) => Buffer.from(encoded, 'base64')) };
    default:
      return { type: STRING, adapt: text((plain) => plain) };
  }
}

function text(read: (plain: string) => Value): Adapt {
  const check = expect('string', 'string');
  return (raw) => read(check(raw) as string);
}

function listType(schema: CelSchema, name: string): TypedSchema | undefined {
  const items = isObject(schema.items) ? schemaType(schema.items as CelSchema, `${name}.@items`) : undefined;
  if (!items) return undefined;
  const identity = identityOf(schema);
  return {
    type: listOf(items.type),
    adapt(raw) {
      if (!Array.isArray(raw))
        throw new CelError('invalid data, expected an array for the provided schema with type=array');
      return new ListValue(raw, items.adapt, identity);
    },
  };
}

function identityOf(schema: CelSchema): ListIdentity | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return { keyOf: (item) => JSON.stringify(toJson(item)) };
  if (schema['x-kubernetes-list-type'] !== 'map') return undefined;
  const keys = (schema['x-kubernetes-list-map-keys'] ?? []).map((key) => escapeField(key) ?? key);
  return {
    keyOf(item) {
      const part = (key: string): unknown =>
        isStruct(item) || isMap(item) ? toJson(item.get(key) ?? null) : undefined;
      return JSON.stringify(keys.map(part));
    },
  };
}

function objectType(schema: CelSchema, name: string): TypedSchema | undefined {
  const { additionalProperties } = schema;
  if (!isObject(additionalProperties)) return structType(schema, name);
  const values = schemaType(additionalProperties as CelSchema, `${name}.@values`);
  if (!values) return undefined;
  return {
    type: mapOf(STRING, values.type),
    adapt(raw) {
      if (!isObject(raw))
        throw new CelError('invalid data, expected a map for the provided schema with type=object');
      return new JsonMap(raw, values.adapt);
    },
  };
}

function structType(schema: CelSchema, name: string): TypedSchema {
  const type = new SchemaStruct(schema, name);
  return {
    type,
    adapt(raw) {
      if (!isObject(raw))
        throw new CelError('invalid data, expected a map for the provided schema with type=object');
      return new SchemaObject(type, raw);
    },
  };
}

interface Field extends TypedSchema {
  /** As in the data. */
  readonly key: string;
}

/** An object with the fields of a schema. */
class SchemaStruct implements StructType {
  readonly kind = 'struct';
  readonly name: string;
  readonly #properties: Readonly<Record<string, CelSchema>>;
  readonly #nameOf: (key: string) => string | undefined;
  readonly #fields = new Map<string, Field | undefined>();
  #keys: ReadonlyMap<string, string> | undefined;

  constructor({ properties = {}, typeName }: CelSchema, name: string) {
    this.name = typeName ?? name;
    this.#properties = properties;
    this.#nameOf = typeName === undefined ? escapeField : (key) => key;
  }
  field(name: string): CelType | undefined {
    return this.find(name)?.type;
  }
  find(name: string): Field | undefined {
    if (this.#fields.has(name)) return this.#fields.get(name);
    const key = this.#keyOf(name);
    const schema = key === undefined ? undefined : this.#properties[key];
    const found = schema && schemaType(schema, `${this.name}.${name}`);
    const field = found && key !== undefined ? { ...found, key } : undefined;
    this.#fields.set(name, field);
    return field;
  }
  #keyOf(name: string): string | undefined {
    this.#keys ??= new Map(Object.keys(this.#properties).map((key) => [this.#nameOf(key) ?? '', key]));
    return this.#keys.get(name);
  }
  names(): Iterable<string> {
    this.#keyOf('');
    return this.#keys?.keys() ?? [];
  }
}

class SchemaObject implements StructValue {
  readonly isStruct = true;
  readonly type: SchemaStruct;
  readonly #raw: Readonly<Record<string, unknown>>;

  constructor(type: SchemaStruct, raw: Readonly<Record<string, unknown>>) {
    this.type = type;
    this.#raw = raw;
  }
  get(name: string): Value | undefined {
    const field = this.type.find(name);
    if (!field || !Object.hasOwn(this.#raw, field.key)) return undefined;
    const raw = this.#raw[field.key];
    return raw === undefined ? undefined : field.adapt(raw);
  }
  fields(): readonly string[] {
    return [...this.type.names()].filter((name) => this.get(name) !== undefined);
  }
}
