import type { Declaration } from '../declaration.ts';
import { compareValues, isEqual } from '../equality.ts';
import type { Meter } from '../meter.ts';
import { arithmetic, noOverload } from '../operators.ts';
import { runtimeName } from '../types.ts';
import { CelError, Duration, ListValue, typeOf, Uint, type Value } from '../values.ts';

const ORDERED = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];
const SUMMED: readonly (readonly [type: string, zero: Value])[] = [
  ['int', 0n],
  ['uint', new Uint(0n)],
  ['double', 0],
  ['duration', new Duration(0n)],
];

function compare(left: Value, right: Value): number {
  const order = compareValues(left, right);
  if (order === undefined) throw noOverload();
  return order;
}

function isSorted(list: ListValue): boolean {
  let previous: Value | undefined;
  for (const item of list) {
    if (previous !== undefined && compare(previous, item) > 0) return false;
    previous = item;
  }
  return true;
}

/** The least item, or the greatest. */
const extreme =
  (name: string, sign: number) =>
  (list: ListValue): Value => {
    let best: Value | undefined;
    for (const item of list) if (best === undefined || compare(item, best) * sign < 0) best = item;
    if (best === undefined) throw new CelError(`${name} called on empty list`);
    return best;
  };

const sum =
  (zero: Value) =>
  (list: ListValue, meter: Meter): Value => {
    let total = zero;
    for (const item of list) total = arithmetic('+', total, item, meter);
    return total;
  };

function indexOf(list: ListValue, wanted: Value, meter: Meter): bigint {
  for (let index = 0; index < list.size; index++)
    if (isEqual(list.at(index), wanted, meter)) return BigInt(index);
  return -1n;
}
function lastIndexOf(list: ListValue, wanted: Value, meter: Meter): bigint {
  for (let index = list.size - 1; index >= 0; index--)
    if (isEqual(list.at(index), wanted, meter)) return BigInt(index);
  return -1n;
}

const contains = (list: ListValue, wanted: Value, meter: Meter): boolean =>
  indexOf(list, wanted, meter) >= 0n;

function containsAll(list: ListValue, other: ListValue, meter: Meter): boolean {
  for (const item of other) if (!contains(list, item, meter)) return false;
  return true;
}
function intersects(list: ListValue, other: ListValue, meter: Meter): boolean {
  for (const item of list) if (contains(other, item, meter)) return true;
  return false;
}

function slice(list: ListValue, start: bigint, end: bigint): ListValue {
  const call = `cannot slice(${start}, ${end})`;
  if (start < 0n || end < 0n) throw new CelError(`${call}, negative indexes not supported`);
  if (start > end) throw new CelError(`${call}, start index must be less than or equal to end index`);
  if (BigInt(list.size) < end) throw new CelError(`${call}, list is length ${list.size}`);
  return ListValue.of(list.toArray().slice(Number(start), Number(end)));
}

function flatten(list: ListValue, ...rest: readonly (bigint | Meter)[]): ListValue {
  const depth = typeof rest[0] === 'bigint' ? rest[0] : 1n;
  if (depth < 0n) throw new CelError('level must be non-negative');
  const flat: Value[] = [];
  const add = (items: ListValue, left: bigint): void => {
    for (const item of items) {
      (rest.at(-1) as Meter).work(1);
      if (item instanceof ListValue && left > 0n) add(item, left - 1n);
      else flat.push(item);
    }
  };
  add(list, depth);
  return ListValue.of(flat);
}

function range(count: bigint, meter: Meter): ListValue {
  meter.work(Number(count));
  return ListValue.of(Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index)));
}

function distinct(list: ListValue, meter: Meter): ListValue {
  const unique: Value[] = [];
  for (const item of list) if (!unique.some((one) => isEqual(one, item, meter))) unique.push(item);
  return ListValue.of(unique);
}

function sortBy(list: ListValue, keys: ListValue): ListValue {
  if (list.size !== keys.size) {
    throw new CelError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`,
    );
  }
  const all = keys.toArray();
  const names = new Set(all.map((key) => runtimeName(typeOf(key))));
  if (names.size > 1) throw new CelError('list elements must have the same type');
  if (all.length > 0 && compareValues(all[0]!, all[0]!) === undefined)
    throw new CelError('list elements must be comparable');
  const order = all.map((_, index) => index).sort((left, right) => compare(all[left]!, all[right]!));
  return ListValue.of(order.map((index) => list.at(index)));
}

/** Kubernetes' functions on lists, cel-go's extensions for lists (version 3) and for sets. */
export const listDeclarations = (): readonly Declaration[] => [
  ...ORDERED.flatMap((type): Declaration[] => [
    [`(list<${type}>).isSorted(): bool`, isSorted],
    [`(list<${type}>).min(): ${type}`, extreme('min', 1)],
    [`(list<${type}>).max(): ${type}`, extreme('max', -1)],
    [`(list<${type}>).sort(): list<${type}>`, (list: ListValue) => sortBy(list, list)],
    [`(list<T>).@sortByAssociatedKeys(list<${type}>): list<T>`, sortBy],
  ]),
  ...SUMMED.map(([type, zero]): Declaration => [`(list<${type}>).sum(): ${type}`, sum(zero)]),
  ['(list<T>).indexOf(T): int', indexOf],
  ['(list<T>).lastIndexOf(T): int', lastIndexOf],
  ['(list<T>).slice(int, int): list<T>', slice],
  ['(list<list<T>>).flatten(): list<T>', flatten],
  ['(list<dyn>).flatten(int): list<dyn>', flatten],
  ['lists.range(int): list<int>', range],
  ['(list<T>).reverse(): list<T>', (list: ListValue) => ListValue.of(list.toArray().reverse())],
  ['(list<T>).distinct(): list<T>', distinct],
  ['sets.contains(list<T>, list<T>): bool', containsAll],
  [
    'sets.equivalent(list<T>, list<T>): bool',
    (left: ListValue, right: ListValue, meter: Meter) =>
      containsAll(left, right, meter) && containsAll(right, left, meter),
  ],
  ['sets.intersects(list<T>, list<T>): bool', intersects],
];
