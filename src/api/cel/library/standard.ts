import type { Declaration } from '../declaration.ts';
import { countCodePoints } from '../lexer.ts';
import type { Meter } from '../meter.ts';
import { regexOf } from '../regexp-cache.ts';
import {
  CelError,
  Duration,
  isMap,
  isStruct,
  ListValue,
  type MapValue,
  OptionalValue,
  Timestamp,
  Uint,
  type Value,
} from '../values.ts';

const count = (size: number): bigint => BigInt(size);

function matches(text: string, pattern: string, meter: Meter): boolean {
  meter.work(text.length);
  return regexOf(pattern).test(text, (steps) => meter.work(steps));
}

/** What `optional.ofNonZeroValue` takes for nothing. */
function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (typeof value !== 'object') return false;
  if (value instanceof ListValue) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Duration) return value.nanos === 0n;
  // The zero of Go's time.Time is the first second of the year 1.
  if (value instanceof Timestamp) return value.nanos === -62_135_596_800_000_000_000n;
  if (value instanceof OptionalValue) return value.value === undefined;
  if (isMap(value)) return value.size === 0;
  return isStruct(value) && value.fields().length === 0;
}

function dereference({ value }: OptionalValue): Value {
  if (value === undefined) throw new CelError('optional.none() dereference');
  return value;
}

function unwrapAll(list: ListValue): Value {
  return ListValue.of(
    list.toArray().flatMap((one) => {
      if (!(one instanceof OptionalValue)) throw new CelError('value is not optional');
      return one.value === undefined ? [] : [one.value];
    }),
  );
}

const itemAt = (list: ListValue, index: number): OptionalValue =>
  list.size === 0 ? OptionalValue.NONE : new OptionalValue(list.at(index));

/** Functions on strings, sizes and optionals (CEL spec; cel-go's optional types). */
export const standardDeclarations = (): readonly Declaration[] => [
  ['size(string): int', (text: string) => count(countCodePoints(text))],
  ['(string).size(): int', (text: string) => count(countCodePoints(text))],
  ['size(bytes): int', (bytes: Uint8Array) => count(bytes.length)],
  ['(bytes).size(): int', (bytes: Uint8Array) => count(bytes.length)],
  ['size(list<T>): int', (list: ListValue) => count(list.size)],
  ['(list<T>).size(): int', (list: ListValue) => count(list.size)],
  ['size(map<K, V>): int', (map: MapValue) => count(map.size)],
  ['(map<K, V>).size(): int', (map: MapValue) => count(map.size)],
  ['(string).contains(string): bool', (text: string, part: string) => text.includes(part)],
  ['(string).startsWith(string): bool', (text: string, part: string) => text.startsWith(part)],
  ['(string).endsWith(string): bool', (text: string, part: string) => text.endsWith(part)],
  ['matches(string, string): bool', matches],
  ['(string).matches(string): bool', matches],
  ['optional.of(T): optional<T>', (value: Value) => new OptionalValue(value)],
  ['optional.none(): optional<T>', () => OptionalValue.NONE],
  [
    'optional.ofNonZeroValue(T): optional<T>',
    (value: Value) => (isZero(value) ? OptionalValue.NONE : new OptionalValue(value)),
  ],
  ['(optional<T>).hasValue(): bool', ({ value }: OptionalValue) => value !== undefined],
  ['(optional<T>).value(): T', dereference],
  ['optional.unwrap(list<optional<T>>): list<T>', unwrapAll],
  ['(list<optional<T>>).unwrapOpt(): list<T>', unwrapAll],
  ['(list<T>).first(): optional<T>', (list: ListValue) => itemAt(list, 0)],
  ['(list<T>).last(): optional<T>', (list: ListValue) => itemAt(list, list.size - 1)],
];
