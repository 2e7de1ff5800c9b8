/**
 * Fits decoded JSON to a schema the way upstream's decoder fits it to a Go struct: unknown fields are dropped and
 * reported, `null` means absence, wrong types end the request, quantities, times and zero values take the form
 * in which they are stored.
 */
import { LIMITS } from '../../lib/limits.ts';
import { type JsonObject, setOwn } from '../json-value.ts';
import { canonicalQuantity, QuantityError } from '../quantity.ts';
import type { SchemaNode } from '../schema/node.ts';
import { isZero, zeroOf } from '../schema/zero.ts';
import { canonicalMicroTime, canonicalTime } from './time-text.ts';

/** A value of the wrong type; the message is that of Go's decoder. */
export class TypeMismatchError extends Error {
  override readonly name = 'TypeMismatchError';
  /** What upstream says where it fits a tree of values, not JSON text, to a struct: after a strategic merge patch. */
  readonly restoring: string;

  constructor(message: string, restoring = message) {
    super(message);
    this.restoring = restoring;
  }
}

export interface Conformed {
  readonly value: unknown;
  /** Paths of fields the schema does not know, at most {@link LIMITS.api.strictErrors}. They are gone from `value`. */
  readonly unknownFields: readonly string[];
}

/**
 * Fits `value`, which it may change and reuse, to `schema`. Throws {@link TypeMismatchError} for the first value of
 * a wrong type.
 */
export function conform(value: unknown, schema: SchemaNode): Conformed {
  const conformer = new Conformer(schema);
  const result = conformer.fit(value, schema);
  return { value: result, unknownFields: conformer.unknownFields };
}

const GONE = Symbol('gone');

const NONE: readonly string[] = [];

class Conformer {
  #unknown: Set<string> | undefined;
  /** Go names the innermost struct and the fields from the root, without indexes. */
  readonly #fields: string[] = [];
  #struct: SchemaNode;
  readonly #root: SchemaNode;
  /** Steps to the value, with indexes and map keys; only joined where something is wrong. */
  readonly #steps: (string | number)[] = [];

  constructor(schema: SchemaNode) {
    this.#root = schema;
    this.#struct = schema;
  }

  get unknownFields(): readonly string[] {
    return this.#unknown === undefined ? NONE : [...this.#unknown];
  }

  fit(value: unknown, node: SchemaNode): unknown {
    switch (node.shape) {
      case 'object':
        return this.#object(value, node);
      case 'map':
        return this.#map(value, node);
      case 'list':
        return this.#list(value, node);
      default:
        return this.#scalar(value, node);
    }
  }

  #pathTo(key: string): string {
    let path = '';
    for (const step of this.#steps) path += typeof step === 'number' ? `[${step}]` : `.${step}`;
    const whole = `${path}.${key}`;
    return whole.startsWith('.') ? whole.slice(1) : whole;
  }

  #mismatch(value: unknown, node: SchemaNode, what = jsonKind(value)): TypeMismatchError {
    const type = node.scalar === 'int32' || node.scalar === 'int64' ? node.scalar : node.typeName;
    const where =
      this.#fields.length === 0
        ? `Go value of type ${type === '' ? this.#root.typeName : type}`
        : `Go struct field ${structName(this.#struct)}.${this.#fields.join('.')} of type ${type}`;
    return new TypeMismatchError(
      `json: cannot unmarshal ${what} into ${where}`,
      restoringProblem(value, node, type),
    );
  }

  #object(value: unknown, node: SchemaNode): unknown {
    if (!isPlainObject(value)) throw this.#mismatch(value, node);
    const struct = this.#struct;
    let hasGone = false;
    for (const key of Object.keys(value)) {
      const field = node.field(key);
      const before = value[key];
      if (field === undefined) {
        if (node.preservesUnknownFields === true) {
          value[key] = this.#free(before);
          continue;
        }
        this.#unknown ??= new Set();
        if (this.#unknown.size < LIMITS.api.strictErrors) this.#unknown.add(this.#pathTo(key));
        value[key] = GONE;
        hasGone = true;
        continue;
      }
      // Most fields: there is nothing to fit.
      if (typeof before === 'string' && before !== '' && field.scalar === 'string') continue;
      if (before === null && field.isNullable !== true) {
        value[key] = GONE;
        hasGone = true;
        continue;
      }
      this.#struct = node;
      this.#fields.push(key);
      this.#steps.push(key);
      const after = before === null ? null : this.fit(before, field);
      this.#fields.pop();
      this.#steps.pop();
      if (field.omitsZero === true && isZero(after)) {
        value[key] = GONE;
        hasGone = true;
      } else if (after !== before) value[key] = after;
    }
    this.#struct = struct;
    return hasGone ? without(value) : value;
  }

  #map(value: unknown, node: SchemaNode): unknown {
    if (!isPlainObject(value)) throw this.#mismatch(value, node);
    const element = node.element;
    if (element === undefined) return value;
    for (const key of Object.keys(value)) {
      const before = value[key];
      if (typeof before === 'string' && element.scalar === 'string') continue;
      this.#steps.push(key);
      const after = before === null ? zeroOf(element) : this.fit(before, element);
      this.#steps.pop();
      if (after !== before) value[key] = after;
    }
    return value;
  }

  #list(value: unknown, node: SchemaNode): unknown {
    if (!Array.isArray(value)) throw this.#mismatch(value, node);
    const element = node.element;
    if (element === undefined) return value;
    for (let index = 0; index < value.length; index++) {
      const before: unknown = value[index];
      this.#steps.push(index);
      const after = before === null ? zeroOf(element) : this.fit(before, element);
      this.#steps.pop();
      if (after !== before) value[index] = after;
    }
    return value;
  }

  #scalar(value: unknown, node: SchemaNode): unknown {
    switch (node.scalar) {
      case 'string':
        if (typeof value !== 'string') throw this.#mismatch(value, node);
        return value;
      case 'boolean':
        if (typeof value !== 'boolean') throw this.#mismatch(value, node);
        return value;
      case 'int32':
      case 'int64':
        return this.#integer(value, node.scalar, node);
      case 'double':
        if (typeof value === 'bigint') return Number(value);
        if (typeof value !== 'number') throw this.#mismatch(value, node);
        return value;
      case 'bytes':
        return this.#base64(value, node);
      case 'quantity':
        return quantity(value);
      case 'time':
      case 'microTime':
        if (typeof value !== 'string') {
          throw new TypeMismatchError(
            `json: cannot unmarshal ${jsonKind(value)} into Go value of type string`,
          );
        }
        return timeText(value, node.scalar);
      case 'intOrString':
        return intOrString(value);
      default:
        return node.objects === undefined ? this.#free(value) : this.#union(value, node.objects);
    }
  }

  /** Either of several things, of which only objects have a type. */
  #union(value: unknown, objects: SchemaNode): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#union(item, objects));
    return isPlainObject(value) ? this.#object(value, objects) : this.#free(value);
  }

  #integer(value: unknown, kind: 'int32' | 'int64', node: SchemaNode): number {
    if (typeof value === 'bigint') {
      if (kind === 'int32' || BigInt.asIntN(64, value) !== value)
        throw this.#mismatch(value, node, `number ${value}`);
      throw inexact(value);
    }
    if (typeof value !== 'number') throw this.#mismatch(value, node);
    const fits = kind === 'int32' ? (value | 0) === value : Number.isSafeInteger(value);
    if (!fits) throw this.#mismatch(value, node, `number ${value}`);
    return value === 0 ? 0 : value;
  }

  #base64(value: unknown, node: SchemaNode): string {
    if (typeof value !== 'string') throw this.#mismatch(value, node);
    const text = value.replace(/[\r\n]/g, '');
    const good = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
    if (good) return text;
    const at = /^(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{0,3}/.exec(text)?.[0].length ?? 0;
    throw new TypeMismatchError(`illegal base64 data at input byte ${Math.min(at, text.length)}`);
  }

  #free(value: unknown): unknown {
    refuseInexact(value);
    return value;
  }
}

/** The words of upstream's runtime converter, which names kinds of Go values and no fields. */
function restoringProblem(value: unknown, node: SchemaNode, type: string): string {
  const from = goValueKind(value);
  if (node.shape === 'object') return `cannot restore struct from: ${from}`;
  if (node.shape === 'map') return `cannot restore map from ${from}`;
  if (node.shape === 'list' || node.scalar === 'bytes') return `cannot restore slice from ${from}`;
  const to = GO_KINDS[node.scalar ?? ''] ?? type;
  const isNumber = from === 'int64' || from === 'float64';
  // Go converts numbers to each other, and integers to strings: the converter means something else by that.
  const converts = isNumber && (to === 'string' ? from === 'int64' : to !== 'bool');
  return converts ? `cannot convert ${from} to ${type}` : `unrecognized type: ${to}`;
}

const GO_KINDS: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
};

function goValueKind(value: unknown): string {
  if (Array.isArray(value)) return 'slice';
  if (isPlainObject(value)) return 'map';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'bigint') return 'int64';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Anything goes, except a number that would not come back as it was sent: throws {@link TypeMismatchError}. */
export function refuseInexact(value: unknown): void {
  if (typeof value === 'bigint') throw inexact(value);
  if (Array.isArray(value)) for (const item of value) refuseInexact(item);
  else if (isPlainObject(value)) for (const key of Object.keys(value)) refuseInexact(value[key]);
}

function inexact(value: bigint): TypeMismatchError {
  return new TypeMismatchError(
    `number ${value} cannot be kept exactly; integers beyond 2^53 are not supported`,
  );
}

/** `Container` of `v1.Container`: errors name the struct without its package. */
function structName(node: SchemaNode): string {
  return node.typeName.slice(node.typeName.lastIndexOf('.') + 1);
}

function isPlainObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'number';
  if (typeof value === 'boolean') return 'bool';
  return value === null ? 'null' : typeof value;
}

function without(object: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const key of Object.keys(object)) if (object[key] !== GONE) setOwn(kept, key, object[key]);
  return kept;
}

function quantity(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
    throw new TypeMismatchError(new QuantityError(quantityProblem()).message);
  }
  try {
    return canonicalQuantity(typeof value === 'bigint' ? String(value) : value);
  } catch (error) {
    if (error instanceof QuantityError) throw new TypeMismatchError(error.message);
    throw error;
  }
}

function quantityProblem(): string {
  try {
    return canonicalQuantity('');
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}

function timeText(value: string, kind: 'time' | 'microTime'): string {
  const time = kind === 'time' ? canonicalTime(value) : canonicalMicroTime(value);
  if (time !== undefined) return time;
  const layout = kind === 'time' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
  throw new TypeMismatchError(
    `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`,
  );
}

function intOrString(value: unknown): number | string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && (value | 0) === value) return value;
  const what = typeof value === 'number' ? `number ${value}` : jsonKind(value);
  throw new TypeMismatchError(`json: cannot unmarshal ${what} into Go value of type int32`);
}
