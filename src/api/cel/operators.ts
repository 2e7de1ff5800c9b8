import { compareValues, isEqual } from './equality.ts';
import type { Meter } from './meter.ts';
import {
  CelError,
  Duration,
  EntryMap,
  int64,
  isInt64,
  isMap,
  isStruct,
  ListValue,
  type MapValue,
  mapKey,
  OptionalValue,
  Timestamp,
  Uint,
  uint64,
  type Value,
} from './values.ts';

export const noOverload = (): CelError => new CelError('no such overload');

type Arithmetic = '+' | '-' | '*' | '/' | '%';

/** `_+_` and its kin. Throws `CelError` for types they do not know, overflow and division by zero. */
export function arithmetic(symbol: Arithmetic, left: Value, right: Value, meter: Meter): Value {
  if (typeof left === 'bigint' && typeof right === 'bigint') return int64(integer(symbol, left, right));
  if (typeof left === 'number' && typeof right === 'number') return double(symbol, left, right);
  if (left instanceof Uint && right instanceof Uint) return uint64(integer(symbol, left.value, right.value));
  if (symbol === '+') return add(left, right, meter);
  if (symbol === '-') return subtract(left, right);
  throw noOverload();
}

function integer(symbol: Arithmetic, left: bigint, right: bigint): bigint {
  if (symbol === '+') return left + right;
  if (symbol === '-') return left - right;
  if (symbol === '*') return left * right;
  if (right === 0n) throw new CelError(symbol === '/' ? 'division by zero' : 'modulus by zero');
  return symbol === '/' ? left / right : left % right;
}

function double(symbol: Arithmetic, left: number, right: number): number {
  if (symbol === '+') return left + right;
  if (symbol === '-') return left - right;
  if (symbol === '*') return left * right;
  if (symbol === '/') return left / right;
  throw noOverload();
}

function add(left: Value, right: Value, meter: Meter): Value {
  if (typeof left === 'string' && typeof right === 'string') return left + right;
  if (left instanceof ListValue && right instanceof ListValue) {
    meter.work(left.size + right.size);
    return left.concat(right);
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) {
    meter.work(left.length + right.length);
    return Buffer.concat([left, right]);
  }
  if (left instanceof Duration && right instanceof Duration) return duration(left.nanos + right.nanos);
  if (left instanceof Timestamp && right instanceof Duration) return timestamp(left.nanos + right.nanos);
  if (left instanceof Duration && right instanceof Timestamp) return timestamp(left.nanos + right.nanos);
  throw noOverload();
}

function subtract(left: Value, right: Value): Value {
  if (left instanceof Duration && right instanceof Duration) return duration(left.nanos - right.nanos);
  if (left instanceof Timestamp && right instanceof Duration) return timestamp(left.nanos - right.nanos);
  if (left instanceof Timestamp && right instanceof Timestamp) return duration(left.nanos - right.nanos);
  throw noOverload();
}

export function negate(value: Value): Value {
  if (typeof value === 'bigint') return int64(-value);
  if (typeof value === 'number') return -value;
  throw noOverload();
}

const NANOS = 1_000_000_000n;
/** From 0001-01-01T00:00:00Z to the last nanosecond of the year 9999. */
const FIRST = -62_135_596_800n * NANOS;
const LAST = 253_402_300_800n * NANOS - 1n;

export function timestamp(nanos: bigint): Timestamp {
  if (nanos < FIRST || nanos > LAST) throw new CelError('timestamp overflow');
  return new Timestamp(nanos);
}

export function duration(nanos: bigint): Duration {
  if (!isInt64(nanos)) throw new CelError('duration overflow');
  return new Duration(nanos);
}

export type Relation = '<' | '<=' | '>' | '>=';

export function isOrdered(symbol: Relation, left: Value, right: Value): boolean {
  const order = compareValues(left, right);
  if (order === undefined) throw noOverload();
  if (symbol === '<') return order < 0;
  if (symbol === '<=') return order <= 0;
  return symbol === '>' ? order > 0 : order >= 0;
}

/** `value in container` */
export function isIn(value: Value, container: Value, meter: Meter): boolean {
  if (container instanceof ListValue) {
    for (const one of container) if (isEqual(value, one, meter)) return true;
    return false;
  }
  if (isMap(container)) return container.get(value) !== undefined;
  if (isStruct(container)) return typeof value === 'string' && container.get(value) !== undefined;
  throw noOverload();
}

/** What lies at an index or key; `undefined`: nothing. Throws for an index of a wrong type. */
export function lookUp(container: Value, index: Value): Value | undefined {
  if (container instanceof ListValue) {
    const position = listIndex(index);
    return position >= 0 && position < container.size ? container.at(position) : undefined;
  }
  if (isMap(container)) return container.get(index);
  if (isStruct(container)) return typeof index === 'string' ? container.get(index) : undefined;
  throw noOverload();
}

function listIndex(index: Value): number {
  if (typeof index === 'bigint') return Number(index);
  if (index instanceof Uint) return Number(index.value);
  if (typeof index === 'number' && Number.isInteger(index)) return index;
  throw new CelError(`unsupported index type in list: ${index}`);
}

/** `container[index]`; inside of optionals as cel-go. */
export function at(container: Value, index: Value): Value {
  if (container instanceof OptionalValue) return atOptional(container, index);
  const found = lookUp(container, index);
  if (found !== undefined) return found;
  if (container instanceof ListValue) throw new CelError(`index out of bounds: ${showKey(index)}`);
  throw new CelError(`no such key: ${showKey(index)}`);
}

/** `container[?index]` */
export function atOptional(container: Value, index: Value): OptionalValue {
  const inner = container instanceof OptionalValue ? container.value : container;
  if (inner === undefined) return OptionalValue.NONE;
  const found = lookUp(inner, index);
  return found === undefined ? OptionalValue.NONE : new OptionalValue(found);
}

function showKey(index: Value): string {
  return String(index instanceof Uint ? index.value : typeof index === 'object' ? '' : index);
}

/** `operand.field` */
export function select(operand: Value, field: string): Value {
  if (operand instanceof OptionalValue) return selectOptional(operand, field);
  const found = isMap(operand) || isStruct(operand) ? operand.get(field) : undefined;
  if (found === undefined) throw new CelError(`no such key: ${field}`);
  return found;
}

/** `operand.?field` */
export function selectOptional(operand: Value, field: string): OptionalValue {
  const inner = operand instanceof OptionalValue ? operand.value : operand;
  const found = inner !== undefined && (isMap(inner) || isStruct(inner)) ? inner.get(field) : undefined;
  return found === undefined ? OptionalValue.NONE : new OptionalValue(found);
}

/** `has(operand.field)`; nothing but maps and objects has fields. */
export function hasField(operand: Value, field: string): boolean {
  return selectOptional(operand, field).value !== undefined;
}

/** A map of entries. Throws for keys that no map can have and for the same key twice. */
export function entryMap(entries: Iterable<readonly [Value, Value]>): EntryMap {
  const made = new Map<string, readonly [Value, Value]>();
  for (const entry of entries) insert(made, entry);
  return new EntryMap(made);
}

export function insert(made: Map<string, readonly [Value, Value]>, entry: readonly [Value, Value]): void {
  const text = mapKey(entry[0]);
  if (text === undefined) throw new CelError('unsupported key type');
  if (made.has(text)) throw new CelError(`insert failed: key ${showKey(entry[0])} already exists`);
  made.set(text, entry);
}

export function entriesOf(map: MapValue): [Value, Value][] {
  return [...map.keys()].map((key) => [key, map.get(key) ?? null]);
}
