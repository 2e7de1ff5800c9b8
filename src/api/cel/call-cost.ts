import { FormatValue } from './library/named-formats.ts';
import { isMap, isStruct, ListValue, OptionalValue, type Value } from './values.ts';

/**
 * What a call costs before it is made, in upstream's units: cel-go's runtime costs and those of Kubernetes' own
 * functions (k8s.io/apiserver/pkg/cel/library/cost.go), by name.
 */
export function callCost(name: string): Cost {
  return COSTS.get(name) ?? one;
}

const one: Cost = () => 1;

export type Cost = (args: readonly Value[]) => number;

/** Of characters, items or entries; 1 for everything else. */
export function sizeOf(value: Value | undefined): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 1;
  if (value instanceof ListValue) return value.size;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof OptionalValue) return sizeOf(value.value);
  if (isMap(value)) return value.size;
  return isStruct(value) ? value.fields().length : 1;
}

const PER_CHARACTER = 0.1;
const PER_REGEX_CHARACTER = 0.25;
const characters = (size: number, factor = 1): number => Math.ceil(size * factor * PER_CHARACTER);

const first: Cost = ([value]) => characters(sizeOf(value));
const twice: Cost = ([value]) => characters(sizeOf(value), 2);
const smaller: Cost = ([left, right]) => {
  if (!isSized(left) || !isSized(right)) return 1;
  return characters(Math.min(sizeOf(left), sizeOf(right)));
};
const isSized = (value: Value | undefined): boolean => typeof value === 'string' || typeof value === 'object';
const textsOnly: Cost = (args) =>
  typeof args[0] === 'string' || args[0] instanceof Uint8Array ? smaller(args) : 1;
const regex: Cost = ([text, pattern]) =>
  characters(1 + sizeOf(text)) * Math.ceil(sizeOf(pattern) * PER_REGEX_CHARACTER);
const walk: Cost = ([value]) => traversal(value ?? null);
const selector: Cost = ([, text]) => {
  // A list, each requirement a struct and a list of values; the shortest requirement has two characters.
  const length = sizeOf(text);
  return 10 + characters(length) + Math.ceil(length * 0.5) * 50;
};
const within: Cost = ([range, other]) =>
  characters(sizeOf(range), 2) + (typeof other === 'string' ? characters(other.length) : 0);

/** A call that makes a list. */
const allocating = (work: number): number => Math.floor(work) + 1 + 10;
const selfCompare: Cost = (args) => {
  const list = args.at(-1);
  const first = list instanceof ListValue && list.size > 0 ? list.at(0) : null;
  const factor = typeof first === 'string' || first instanceof Uint8Array ? 2 + PER_CHARACTER : 2;
  return allocating(sizeOf(list) ** 2 * factor);
};
const product =
  (factor: number): Cost =>
  ([left, right]) =>
    1 + sizeOf(left) * sizeOf(right) * factor;
function textSize(list: ListValue): number {
  let size = 0;
  for (const one of list) size += sizeOf(one);
  return size;
}

function traversal(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array)
    return Math.floor(value.length * PER_CHARACTER);
  if (value instanceof ListValue) {
    let cost = 0;
    for (const one of value) cost += traversal(one);
    return cost;
  }
  if (typeof value !== 'object' || value === null || !isMap(value)) return 1;
  let cost = 0;
  for (const key of value.keys()) cost += traversal(key) + traversal(value.get(key) ?? null);
  return cost;
}

const COSTS: ReadonlyMap<string, Cost> = new Map<string, Cost>([
  ['startsWith', first],
  ['endsWith', first],
  ['bytes', ([value]) => (typeof value === 'string' ? characters(value.length) : 1)],
  ['string', ([value]) => (value instanceof Uint8Array ? characters(value.length) : 1)],
  ['strings.quote', first],
  ['format', first],
  ['@in', ([, list]) => (list instanceof ListValue ? list.size : 1)],
  ['_==_', smaller],
  ['_!=_', smaller],
  ['_<_', textsOnly],
  ['_<=_', textsOnly],
  ['_>_', textsOnly],
  ['_>=_', textsOnly],
  [
    '_+_',
    ([left, right]) =>
      typeof left === 'string' || left instanceof Uint8Array ? characters(left.length + sizeOf(right)) : 1,
  ],
  ['matches', regex],
  ['find', regex],
  ['findAll', regex],
  ['contains', ([text, part]) => characters(sizeOf(text)) * characters(sizeOf(part))],
  ['check', () => 350_000],
  ['fieldSelector', selector],
  ['labelSelector', selector],
  ...['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'].map((name) => [name, walk] as const),
  ...['url', 'lowerAscii', 'upperAscii', 'substring', 'trim', 'jsonpatch.escapeKey'].map(
    (name) => [name, first] as const,
  ),
  ['join', ([list]) => characters(list instanceof ListValue ? textSize(list) : 1, 2)],
  [
    'validate',
    ([format, text]) =>
      format instanceof FormatValue
        ? characters(1 + sizeOf(text)) * Math.ceil(format.patternSize * PER_REGEX_CHARACTER)
        : 1,
  ],
  ['slice', ([, start, end]) => allocating(Math.max(0, Number(end) - Number(start)))],
  ['flatten', ([list, depth]) => allocating(sizeOf(list) * (typeof depth === 'bigint' ? Number(depth) : 1))],
  ['lists.range', ([count]) => allocating(Number(count))],
  ['reverse', ([list]) => allocating(sizeOf(list))],
  ...['distinct', 'sort', '@sortByAssociatedKeys'].map((name) => [name, selfCompare] as const),
  ['sets.contains', product(1)],
  ['sets.intersects', product(1)],
  ['sets.equivalent', product(2)],
  ['replace', twice],
  ['split', twice],
  ...['cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver'].map(
    (name) => [name, first] as const,
  ),
  ['ip', ([value]) => (typeof value === 'string' ? characters(value.length) : 1)],
  ['ip.isCanonical', twice],
  ['containsIP', within],
  ['containsCIDR', (args) => within(args) + characters(sizeOf(args[0])) + 1],
]);
