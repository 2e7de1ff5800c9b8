import type { Declaration } from '../declaration.ts';
import { noOverload } from '../operators.ts';

/** Operators run without looking at their overloads, which are there for the type checker. */
const checked = (): never => {
  throw noOverload();
};

const ORDERED = ['bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration'];
const NUMBERS = ['int', 'uint', 'double'];

const relations = ['<', '<=', '>', '>='].flatMap((symbol) => [
  ...ORDERED.map((type) => `_${symbol}_(${type}, ${type}): bool`),
  ...NUMBERS.flatMap((left) =>
    NUMBERS.filter((right) => right !== left).map((right) => `_${symbol}_(${left}, ${right}): bool`),
  ),
]);

/** Signatures of all operators of the standard (CEL spec, List of Standard Definitions) and of optional types. */
export const operatorDeclarations = (): readonly Declaration[] =>
  [
    '_?_:_(bool, T, T): T',
    '_&&_(bool, bool): bool',
    '_||_(bool, bool): bool',
    '!_(bool): bool',
    '@not_strictly_false(bool): bool',
    '_==_(T, T): bool',
    '_!=_(T, T): bool',
    ...relations,
    '_+_(bytes, bytes): bytes',
    '_+_(double, double): double',
    '_+_(duration, duration): duration',
    '_+_(duration, timestamp): timestamp',
    '_+_(timestamp, duration): timestamp',
    '_+_(int, int): int',
    '_+_(list<T>, list<T>): list<T>',
    '_+_(string, string): string',
    '_+_(uint, uint): uint',
    '_-_(double, double): double',
    '_-_(duration, duration): duration',
    '_-_(int, int): int',
    '_-_(timestamp, duration): timestamp',
    '_-_(timestamp, timestamp): duration',
    '_-_(uint, uint): uint',
    ...['*', '/'].flatMap((symbol) => NUMBERS.map((type) => `_${symbol}_(${type}, ${type}): ${type}`)),
    '_%_(int, int): int',
    '_%_(uint, uint): uint',
    '-_(double): double',
    '-_(int): int',
    '_[_](list<T>, int): T',
    '_[_](map<K, V>, K): V',
    '_[_](optional<list<T>>, int): optional<T>',
    '_[_](optional<map<K, V>>, K): optional<V>',
    '_[?_](list<T>, int): optional<T>',
    '_[?_](optional<list<T>>, int): optional<T>',
    '_[?_](map<K, V>, K): optional<V>',
    '_[?_](optional<map<K, V>>, K): optional<V>',
    '@in(T, list<T>): bool',
    '@in(K, map<K, V>): bool',
    'type(T): type<T>',
    'dyn(T): dyn',
    '(optional<T>).or(optional<T>): optional<T>',
    '(optional<T>).orValue(T): T',
    'cel.@mapInsert(map<K, V>, K, V): map<K, V>',
    'cel.@mapInsert(map<K, V>, map<K, V>): map<K, V>',
  ].map((signature) => [signature, checked]);
