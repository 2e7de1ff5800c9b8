import type { Overload } from './declaration.ts';
import type { Expression } from './expression.ts';
import { add, type Bounds, exactly, multiply, ONE, scale, UNKNOWN } from './size-estimate.ts';
import { type CelType, formatType } from './types.ts';

const PER_CHARACTER = 0.1;
const PER_REGEX_CHARACTER = 0.25;
const LIST_COST = exactly(10);

/** An argument, as far as costs are concerned. */
export interface Argument {
  readonly type: CelType;
  readonly expression: Expression;
  readonly size: Bounds;
  /** Of the items of a list; of texts that it holds. */
  readonly itemSize: Bounds;
}

export interface Call {
  readonly name: string;
  readonly overload: Overload;
  readonly target: Argument | undefined;
  readonly args: readonly Argument[];
}

export interface CallEstimate {
  readonly cost: Bounds;
  readonly size?: Bounds;
}

type Estimate = (call: Call) => CallEstimate | undefined;

/**
 * What a call may cost at most, its arguments aside, and how large its result may be (cel-go's checker/cost.go and
 * Kubernetes' library/cost.go, which decide which rules a CustomResourceDefinition may have).
 */
export function estimateCall(call: Call): CallEstimate {
  return ESTIMATES.get(call.name)?.(call) ?? { cost: ONE };
}

const characters = (size: Bounds, factor = 1): Bounds => scale(size, factor * PER_CHARACTER);
const subject = ({ target, args }: Call): Argument | undefined => target ?? args[0];
const isText = ({ kind }: CelType): boolean => kind === 'string' || kind === 'bytes';

const one: Estimate = () => ({ cost: ONE });
const readsSubject: Estimate = (call) => ({ cost: characters(subject(call)?.size ?? UNKNOWN) });
/** Reads a text and gives one that is no longer. */
const sameSize: Estimate = (call) => {
  const size = subject(call)?.size ?? UNKNOWN;
  return { cost: characters(size), size };
};
/** Global functions only; of a method the cost is nominal. */
const readsArgument: Estimate = ({ target, args: [text] }) =>
  target ? { cost: ONE } : { cost: characters(text?.size ?? UNKNOWN) };

const regex =
  (isResultText: boolean): Estimate =>
  (call) => {
    const [text, pattern] = call.target ? [call.target, call.args[0]] : call.args;
    const size = text?.size ?? UNKNOWN;
    const patternCost = scale(pattern?.size ?? UNKNOWN, PER_REGEX_CHARACTER);
    const cost = multiply(characters(add(size, ONE)), patternCost);
    return isResultText ? { cost, size: { min: 0, max: size.max } } : { cost };
  };

/** `isSorted`, `sum`, `indexOf` …: one walk along the list, texts in it included. */
const walk: Estimate = ({ target }) => {
  if (!target) return undefined;
  if (target.type.kind !== 'list') return { cost: characters(target.size) };
  const perItem = isText(target.type.element) ? add(ONE, characters(target.itemSize)) : ONE;
  return { cost: multiply(target.size, perItem) };
};

const replace: Estimate = ({ target, args: [part, by] }) => {
  if (!target || !part || !by) return undefined;
  const { size } = target;
  const count = { min: 0, max: 0 };
  const kept = { min: 0, max: 0 };
  if (part.size.min === 0) {
    count.max = size.max + 1;
    kept.max = size.max;
  } else if (by.size.max <= part.size.min) kept.max = size.max;
  else count.max = Math.ceil(size.max / part.size.min);
  if (part.size.max === 0) {
    count.min = size.min + 1;
    kept.min = size.min;
  } else if (part.size.max <= by.size.min) kept.min = size.min;
  else count.min = Math.ceil(size.min / part.size.max);
  return { cost: characters(size, 2), size: add(multiply(count, by.size), kept) };
};

const split: Estimate = ({ target, args: [, limit] }) => {
  if (!target) return undefined;
  const literal = limit?.expression;
  const isBounded = literal?.op === 'literal' && typeof literal.value === 'bigint' && literal.value >= 0n;
  const max = isBounded ? Number(literal.value) : target.size.max;
  return { cost: characters(target.size, 2), size: { min: 0, max } };
};

const join: Estimate = ({ target, args: [separator] }) => {
  if (!target) return undefined;
  const less = (count: number): number => (count > 0 ? count - 1 : 0);
  const gaps = { min: less(target.size.min), max: less(target.size.max) };
  const items = multiply(target.size, target.itemSize);
  const size = separator ? add(items, multiply(separator.size, gaps)) : items;
  return { cost: characters(size), size };
};

const selector: Estimate = ({ args: [text] }) => {
  const size = text?.size ?? UNKNOWN;
  // A list, and for each requirement a struct and a list of values; the shortest one has two characters.
  return { cost: add(LIST_COST, characters(size), scale(scale(size, 0.5), 50)) };
};

/** Addresses have 4 or 16 bytes; a text has to be parsed first. */
const ADDRESS: Bounds = { min: 4, max: 16 };
const within =
  (more: Bounds): Estimate =>
  ({ overload, args: [other] }) => {
    const compare = add(characters(add(ADDRESS, ADDRESS)), more);
    const isParsed = formatType(overload.args[1]!) === 'string';
    return { cost: isParsed ? add(compare, characters(other?.size ?? UNKNOWN)) : compare };
  };

const compare: Estimate = ({ name, args: [left, right] }) => {
  if (!left || !right) return undefined;
  const isSized = name === '_==_' || name === '_!=_' || (isText(left.type) && isText(right.type));
  if (!isSized) return { cost: ONE };
  if (left.type.kind === 'opaque' && formatType(left.type) === formatType(right.type)) return { cost: ONE };
  const max = Math.min(left.size.max, right.size.max);
  return { cost: characters({ min: max > 0 ? 1 : 0, max }) };
};

const concat: Estimate = ({ overload, args: [left, right] }) => {
  if (!left || !right) return undefined;
  const size = add(left.size, right.size);
  const { kind } = overload.result;
  if (kind === 'list') return { cost: ONE, size };
  return kind === 'string' || kind === 'bytes' ? { cost: characters(size), size } : { cost: ONE };
};

const isIn: Estimate = ({ args: [, container] }) =>
  container?.type.kind === 'list' ? { cost: scale(container.size, 1) } : { cost: ONE };

const contains: Estimate = ({ target, args: [part] }) =>
  target && part ? { cost: multiply(characters(target.size), characters(part.size)) } : undefined;

const toBytes: Estimate = ({ overload, args: [text] }) => {
  if (!text || overload.args[0]?.kind !== 'string') return undefined;
  return { cost: characters(text.size), size: { min: text.size.min, max: text.size.max * 4 } };
};
const toText: Estimate = ({ overload, args: [bytes] }) => {
  if (!bytes || overload.args[0]?.kind !== 'bytes') return undefined;
  const { min, max } = bytes.size;
  return { cost: characters(bytes.size), size: { min: Math.floor(min / 4), max } };
};
const quote: Estimate = ({ args: [text] }) => {
  const { min, max } = text?.size ?? UNKNOWN;
  return { cost: characters({ min, max }), size: { min: min + 2, max: max * 2 + 2 } };
};

const literalNumber = (argument: Argument | undefined, otherwise: number): number => {
  const { expression } = argument ?? {};
  const isNumber =
    expression?.op === 'literal' && typeof expression.value === 'bigint' && expression.value >= 0n;
  return isNumber ? Number(expression.value) : otherwise;
};
/** A call that makes a list of this size. */
const makesList = (size: Bounds, factor = 1): CallEstimate => ({
  cost: add(scale(size, factor), ONE, LIST_COST),
  size,
});
const sliceOf: Estimate = ({ target, args: [start, end] }) => {
  const last = literalNumber(end, target?.size.max ?? Number.POSITIVE_INFINITY);
  return makesList(exactly(Math.max(0, last - literalNumber(start, 0))));
};
const selfCompare =
  (keys: 'target' | 'argument'): Estimate =>
  ({ target, args: [argument] }) => {
    const list = keys === 'target' ? target : argument;
    const size = list?.size ?? UNKNOWN;
    const holdsTexts = list?.type.kind === 'list' && isText(list.type.element);
    return makesList(multiply(size, size), holdsTexts ? 2 + PER_CHARACTER : 2);
  };
const product =
  (factor: number): Estimate =>
  ({ args: [left, right] }) => ({
    cost: add(scale(multiply(left?.size ?? UNKNOWN, right?.size ?? UNKNOWN), factor), ONE),
  });

const byName = (names: string, estimate: Estimate): [string, Estimate][] =>
  names.split(' ').map((name) => [name, estimate]);

const ESTIMATES: ReadonlyMap<string, Estimate> = new Map<string, Estimate>([
  ...byName('check', () => ({ cost: exactly(350_000) })),
  ...byName('fieldSelector labelSelector', selector),
  ...byName('isSorted sum max min indexOf lastIndexOf', walk),
  ...byName('url jsonpatch.escapeKey lowerAscii upperAscii substring trim', sameSize),
  ...byName('replace', replace),
  ...byName('split', split),
  ...byName('join', join),
  ...byName('find findAll', regex(true)),
  ...byName('matches', regex(false)),
  ...byName('ip', readsArgument),
  ...byName('cidr isIP isCIDR quantity isQuantity semver isSemver', readsSubject),
  ...byName('ip.isCanonical', ({ args: [text] }) => ({ cost: characters(text?.size ?? UNKNOWN, 2) })),
  ...byName('containsIP', within(exactly(0))),
  ...byName('containsCIDR', within(add(characters(ADDRESS), ONE))),
  ...byName('validate', ({ args: [text] }) => ({
    cost: scale(characters(text?.size ?? UNKNOWN), 128 * PER_REGEX_CHARACTER),
  })),
  ...byName('format', ({ target }) => ({ cost: characters(target?.size ?? UNKNOWN) })),
  ...byName('startsWith endsWith', ({ args: [part] }) => ({ cost: characters(part?.size ?? UNKNOWN) })),
  ...byName('bytes', toBytes),
  ...byName('string', toText),
  ...byName('strings.quote', quote),
  ...byName('contains', contains),
  ...byName('@in', isIn),
  ...byName('_==_ _!=_ _<_ _<=_ _>_ _>=_', compare),
  ...byName('_+_', concat),
  ...byName('slice', sliceOf),
  ...byName('flatten', ({ target, args: [depth] }) =>
    makesList(target?.size ?? UNKNOWN, literalNumber(depth, depth ? Number.POSITIVE_INFINITY : 1)),
  ),
  ...byName('lists.range', ({ args: [count] }) =>
    makesList(exactly(literalNumber(count, Number.POSITIVE_INFINITY))),
  ),
  ...byName('reverse', ({ target }) => makesList(target?.size ?? UNKNOWN)),
  ...byName('distinct', ({ target }) =>
    makesList(multiply(target?.size ?? UNKNOWN, target?.size ?? UNKNOWN), 2),
  ),
  ...byName('sort', selfCompare('target')),
  ...byName('@sortByAssociatedKeys', selfCompare('argument')),
  ...byName('sets.contains sets.intersects', product(1)),
  ...byName('sets.equivalent', product(2)),
  ...byName('hasValue value', one),
]);
