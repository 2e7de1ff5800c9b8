import type { Meter } from './meter.ts';
import { isSameType } from './types.ts';
import {
  CelError,
  Duration,
  isMap,
  isStruct,
  type ListIdentity,
  ListValue,
  type MapValue,
  OpaqueValue,
  OptionalValue,
  type StructValue,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';

/** `==` of CEL: numbers compare across their types, values of different types differ. Never a `CelError`. */
export function isEqual(left: Value, right: Value, meter: Meter): boolean {
  meter.work(1);
  if (isNumeric(left) && isNumeric(right)) return compareNumbers(left, right) === 0;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null)
    return left === right;
  if (left instanceof ListValue) return right instanceof ListValue && equalLists(left, right, meter);
  if (left instanceof Uint8Array) return right instanceof Uint8Array && Buffer.compare(left, right) === 0;
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof OptionalValue)
    return right instanceof OptionalValue && equalOptionals(left, right, meter);
  if (left instanceof TypeValue) return right instanceof TypeValue && isSameKindOfType(left, right);
  if (left instanceof OpaqueValue) return right instanceof OpaqueValue && left.equals(right);
  if (isMap(left))
    return isMap(right) ? equalMaps(left, right, meter) : isStruct(right) && equalMixed(left, right, meter);
  if (isStruct(left))
    return isStruct(right)
      ? equalStructs(left, right, meter)
      : isMap(right) && equalMixed(right, left, meter);
  return false;
}

const isNumeric = (value: Value): value is bigint | number | Uint =>
  typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint;

function isSameKindOfType({ type: left }: TypeValue, { type: right }: TypeValue): boolean {
  // `type([1]) == list`: what a list holds is not part of its type at run time.
  if (left.kind === 'list' || left.kind === 'map' || left.kind === 'type') return left.kind === right.kind;
  if (left.kind === 'opaque' && right.kind === 'opaque') return left.name === right.name;
  return isSameType(left, right);
}

function equalOptionals(
  { value: left }: OptionalValue,
  { value: right }: OptionalValue,
  meter: Meter,
): boolean {
  if (left === undefined || right === undefined) return left === right;
  return isEqual(left, right, meter);
}

function equalLists(left: ListValue, right: ListValue, meter: Meter): boolean {
  if (left.size !== right.size) return false;
  const { identity } = left;
  if (identity) {
    meter.work(left.size + right.size);
    const theirs = byIdentity(right, identity);
    for (const [key, value] of byIdentity(left, identity)) {
      const other = theirs.get(key);
      if (other === undefined || !isEqual(value, other, meter)) return false;
    }
    return true;
  }
  for (let index = 0; index < left.size; index++)
    if (!isEqual(left.at(index), right.at(index), meter)) return false;
  return true;
}

function byIdentity(list: ListValue, { keyOf }: ListIdentity): Map<string, Value> {
  return new Map(list.toArray().map((item) => [keyOf(item), item]));
}

function equalMaps(left: MapValue, right: MapValue, meter: Meter): boolean {
  if (left.size !== right.size) return false;
  for (const key of left.keys()) {
    const [mine, theirs] = [left.get(key), right.get(key)];
    if (mine === undefined || theirs === undefined || !isEqual(mine, theirs, meter)) return false;
  }
  return true;
}

function equalStructs(left: StructValue, right: StructValue, meter: Meter): boolean {
  const names = left.fields();
  return (
    left.type.name === right.type.name &&
    names.length === right.fields().length &&
    names.every((name) => {
      const [mine, theirs] = [left.get(name), right.get(name)];
      return mine !== undefined && theirs !== undefined && isEqual(mine, theirs, meter);
    })
  );
}

/** An object of a schema and one without: equal when they hold the same. */
function equalMixed(map: MapValue, struct: StructValue, meter: Meter): boolean {
  const names = struct.fields();
  return (
    names.length === map.size &&
    names.every((name) => {
      const [mine, theirs] = [struct.get(name), map.get(name)];
      return mine !== undefined && theirs !== undefined && isEqual(mine, theirs, meter);
    })
  );
}

/** Negative, zero, positive; `NaN` when one of them is. */
export function compareNumbers(left: bigint | number | Uint, right: bigint | number | Uint): number {
  // As cel-go, an int meets a double as a double.
  const isMixed = (typeof left === 'number') !== (typeof right === 'number');
  const [mine, theirs] = isMixed ? [Number(plain(left)), Number(plain(right))] : [plain(left), plain(right)];
  if (Number.isNaN(mine) || Number.isNaN(theirs)) return Number.NaN;
  return mine < theirs ? -1 : mine > theirs ? 1 : 0;
}

const plain = (value: bigint | number | Uint): bigint | number =>
  value instanceof Uint ? value.value : value;

/** `undefined`: values of these types have no order. Throws for `NaN`. */
export function compareValues(left: Value, right: Value): number | undefined {
  if (isNumeric(left) && isNumeric(right)) {
    const order = compareNumbers(left, right);
    if (Number.isNaN(order)) throw new CelError('NaN values cannot be ordered');
    return order;
  }
  if (typeof left === 'string') return typeof right === 'string' ? compareTexts(left, right) : undefined;
  if (typeof left === 'boolean') return typeof right === 'boolean' ? Number(left) - Number(right) : undefined;
  if (left instanceof Uint8Array)
    return right instanceof Uint8Array ? Buffer.compare(left, right) : undefined;
  if (
    (left instanceof Timestamp && right instanceof Timestamp) ||
    (left instanceof Duration && right instanceof Duration)
  )
    return left.nanos < right.nanos ? -1 : left.nanos > right.nanos ? 1 : 0;
  return undefined;
}

/** By code point, as UTF-8 bytes compare; JavaScript's own order differs above U+FFFF. */
function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  let index = 0;
  while (index < length && left.charCodeAt(index) === right.charCodeAt(index)) index++;
  if (index === length) return left.length - right.length;
  const [mine, theirs] = [left.charCodeAt(index), right.charCodeAt(index)];
  const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
  if (isHigh(mine) !== isHigh(theirs)) return isHigh(mine) ? 1 : -1;
  return mine - theirs;
}
