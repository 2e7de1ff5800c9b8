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
  NULL,
  optionalOf,
  STRING,
  type StructType,
  TIMESTAMP,
  UINT,
} from './types.ts';

/**
 * A value while an expression runs: `null`, `boolean`, `bigint` (int), `number` (double), `string`, bytes, or one of
 * the classes below. All are immutable.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | ListValue
  | MapValue
  | StructValue
  | OptionalValue
  | TypeValue
  | OpaqueValue;

/** What went wrong while an expression ran. Part of the language: `||` and `&&` may swallow it. */
export class CelError extends Error {
  override readonly name = 'CelError';
}

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** Nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** Makes a value of what lies in the data, when it is asked for. */
export type Adapt = (raw: unknown) => Value;
const itself: Adapt = (raw) => raw as Value;

/** How items of a list are told apart where its schema says so (`x-kubernetes-list-type`). */
export interface ListIdentity {
  /** Equal texts: the same item. */
  readonly keyOf: (item: Value) => string;
}

export class ListValue {
  readonly #raw: readonly unknown[];
  readonly #adapt: Adapt;
  /** Set for lists of type `set` and `map`: their order does not count. */
  readonly identity: ListIdentity | undefined;

  constructor(raw: readonly unknown[], adapt: Adapt, identity?: ListIdentity) {
    this.#raw = raw;
    this.#adapt = adapt;
    this.identity = identity;
  }
  static of(items: readonly Value[]): ListValue {
    return new ListValue(items, itself);
  }
  get size(): number {
    return this.#raw.length;
  }
  at(index: number): Value {
    return this.#adapt(this.#raw[index]);
  }
  *[Symbol.iterator](): Generator<Value> {
    for (const one of this.#raw) yield this.#adapt(one);
  }
  toArray(): Value[] {
    return this.#raw.map(this.#adapt);
  }
  /** The list of both; where items have an identity, those of `other` take the place of their equals. */
  concat(other: ListValue): ListValue {
    const { identity } = this;
    if (!identity) return ListValue.of([...this.toArray(), ...other.toArray()]);
    const merged = new Map<string, Value>();
    for (const item of this) merged.set(identity.keyOf(item), item);
    for (const item of other) merged.set(identity.keyOf(item), item);
    return new ListValue([...merged.values()], itself, identity);
  }
}

/** A map's key as text: numbers of different types that are equal are the same key. */
export function mapKey(value: Value): string | undefined {
  switch (typeof value) {
    case 'string':
      return `s${value}`;
    case 'boolean':
      return value ? 'btrue' : 'bfalse';
    case 'bigint':
      return `n${value}`;
    case 'number':
      return Number.isInteger(value) ? `n${BigInt(value)}` : undefined;
    default:
      return value instanceof Uint ? `n${value.value}` : undefined;
  }
}

export interface MapValue {
  readonly isMap: true;
  readonly size: number;
  get(key: Value): Value | undefined;
  keys(): Iterable<Value>;
}

/** A JSON object as a map. */
export class JsonMap implements MapValue {
  readonly isMap = true;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly #adapt: Adapt;
  constructor(raw: Readonly<Record<string, unknown>>, adapt: Adapt) {
    this.raw = raw;
    this.#adapt = adapt;
  }
  get size(): number {
    return Object.keys(this.raw).length;
  }
  get(key: Value): Value | undefined {
    return typeof key === 'string' && Object.hasOwn(this.raw, key) && this.raw[key] !== undefined
      ? this.#adapt(this.raw[key])
      : undefined;
  }
  keys(): Iterable<Value> {
    return Object.keys(this.raw);
  }
}

/** A map that the expression made. */
export class EntryMap implements MapValue {
  readonly isMap = true;
  readonly #entries: ReadonlyMap<string, readonly [Value, Value]>;
  constructor(entries: ReadonlyMap<string, readonly [Value, Value]>) {
    this.#entries = entries;
  }
  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    const text = mapKey(key);
    return text === undefined ? undefined : this.#entries.get(text)?.[1];
  }
  *keys(): Generator<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
}

/** An object with known fields. */
export interface StructValue {
  readonly isStruct: true;
  readonly type: StructType;
  /** `undefined`: the field is not set. */
  get(field: string): Value | undefined;
  /** Names of the fields that are set. */
  fields(): readonly string[];
}

export class OptionalValue {
  static readonly NONE = new OptionalValue(undefined);
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}

export class TypeValue {
  readonly type: CelType;
  constructor(type: CelType) {
    this.type = type;
  }
}

/** A value of a library's own type, such as a URL. */
export abstract class OpaqueValue {
  abstract readonly type: CelType;
  abstract equals(other: OpaqueValue): boolean;
}

export const isMap = (value: Value): value is MapValue =>
  typeof value === 'object' && value !== null && 'isMap' in value;
export const isStruct = (value: Value): value is StructValue =>
  typeof value === 'object' && value !== null && 'isStruct' in value;

const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;
export const isInt64 = (value: bigint): boolean => value >= MIN_INT && value <= MAX_INT;
export const isUint64 = (value: bigint): boolean => value >= 0n && value <= MAX_UINT;

/** Throws for what does not fit 64 bits. */
export function int64(value: bigint): bigint {
  if (!isInt64(value)) throw new CelError('integer overflow');
  return value;
}
export function uint64(value: bigint): Uint {
  if (!isUint64(value)) throw new CelError('unsigned integer overflow');
  return new Uint(value);
}

const ANY_LIST = listOf(DYN);
const ANY_MAP = mapOf(DYN, DYN);
const ANY_OPTIONAL = optionalOf(DYN);

/** The type of a value; lists and maps do not tell what they hold. */
export function typeOf(value: Value): CelType {
  switch (typeof value) {
    case 'boolean':
      return BOOL;
    case 'bigint':
      return INT;
    case 'number':
      return DOUBLE;
    case 'string':
      return STRING;
    default:
      return value === null ? NULL : objectType(value);
  }
}

function objectType(value: Exclude<Value, null | boolean | bigint | number | string>): CelType {
  if (value instanceof ListValue) return ANY_LIST;
  if (value instanceof Uint) return UINT;
  if (value instanceof Uint8Array) return BYTES;
  if (value instanceof Timestamp) return TIMESTAMP;
  if (value instanceof Duration) return DURATION;
  if (value instanceof OptionalValue) return ANY_OPTIONAL;
  if (value instanceof TypeValue) return { kind: 'type' };
  if ('isMap' in value) return ANY_MAP;
  return value.type;
}
