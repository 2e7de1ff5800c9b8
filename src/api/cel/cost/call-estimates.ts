import type { Overload } from '../declaration.ts';
import type { Expression } from '../expression.ts';
import type { CelType } from '../types.ts';
import { add, fixed, multiply, type Range, scale, ZERO } from './range.ts';

/** What takes part in a call. */
export interface Operand {
  readonly node: Expression | undefined;
  readonly type: CelType;
  /** Where in the data it lies, if anywhere. */
  readonly path: readonly string[] | undefined;
  readonly size: Range;
  readonly isSizeKnown: boolean;
}

export interface Call {
  readonly overload: Overload;
  readonly target: Operand | undefined;
  readonly args: readonly Operand[];
  /** The size of items of a list. */
  readonly itemsOf: (list: Operand) => Operand | undefined;
}

export interface CallEstimate {
  /** Without that of the arguments. */
  readonly cost: Range;
  /** Of the result, where it is a list, map, string or bytes. */
  readonly size?: Range | undefined;
}

const PER_CHARACTER = 0.1;
const PER_REGEX_CHARACTER = 0.25;
const LIST_COST = 10;
const STRUCT_COST = 40;
const ONE = fixed(1);
const MAX_REGEX_OF_FORMAT = 128;
const MAX_FORMAT = 64;

type Estimate = (call: Call) => CallEstimate | undefined;

const characters = (size: Range, times = 1): Range => scale(size, times * PER_CHARACTER);

const constant =
  (cost: number): Estimate =>
  () => ({ cost: fixed(cost) });

/** One walk over the only argument. */
const walkArgument: Estimate = ({ args: [text] }) => text && { cost: characters(text.size) };
const walkTarget: Estimate = ({ target }) => target && { cost: characters(target.size), size: target.size };
const walkWhole: Estimate = ({ args: [text] }) => text && { cost: characters(text.size), size: text.size };

const selector: Estimate = ({ args: [text] }) => {
  if (!text) return undefined;
  const requirements = scale(scale(text.size, 0.5), LIST_COST + STRUCT_COST);
  return { cost: add(fixed(LIST_COST), characters(text.size), requirements) };
};

/** `min`, `sum`, `indexOf` …: every item is compared once. */
const walkItems: Estimate = ({ overload, target, itemsOf }) => {
  if (!target) return undefined;
  const item = itemsOf(target);
  if (!item)
    return { cost: overload.name === 'includes' ? multiply(target.size, ONE) : characters(target.size) };
  const isText = item.type.kind === 'string' || item.type.kind === 'bytes';
  return { cost: multiply(target.size, isText ? add(ONE, characters(item.size)) : ONE) };
};

/** How much text a replacement may make of a text. */
const replace: Estimate = ({ target, args: [old, made] }) => {
  if (!target || !old || !made) return undefined;
  const { min, max } = target.size;
  let count = 0;
  let kept = 0;
  if (old.size.min === 0) [count, kept] = [max + 1, max];
  else if (made.size.max <= old.size.min) kept = max;
  else count = Math.ceil(max / old.size.min);
  let fewest = 0;
  let keptLeast = 0;
  if (old.size.max === 0) [fewest, keptLeast] = [min + 1, min];
  else if (old.size.max <= made.size.min) keptLeast = min;
  else fewest = Math.ceil(min / old.size.max);
  const size = add(multiply({ min: fewest, max: count }, made.size), { min: keptLeast, max: kept });
  return { cost: characters(target.size, 2), size };
};

const split: Estimate = ({ target, args }) => {
  if (!target) return undefined;
  const limit = args[1]?.node?.op === 'literal' ? args[1].node.value : undefined;
  const max = typeof limit === 'bigint' ? Number(BigInt.asUintN(64, limit)) : target.size.max;
  return { cost: characters(target.size, 2), size: { min: 0, max } };
};

const join: Estimate = ({ target, args: [separator], itemsOf }) => {
  if (!target) return undefined;
  const item = itemsOf(target);
  let size = item ? multiply(target.size, item.size) : ZERO;
  if (separator) {
    const gaps = { min: Math.max(target.size.min - 1, 0), max: Math.max(target.size.max - 1, 0) };
    size = add(size, multiply(separator.size, gaps));
  }
  return { cost: characters(size), size };
};

const regexCost = (text: Range, pattern: Range): Range =>
  multiply(characters(add(text, ONE)), scale(pattern, PER_REGEX_CHARACTER));

const find: Estimate = ({ target, args: [pattern] }) =>
  target && pattern && { cost: regexCost(target.size, pattern.size), size: { min: 0, max: target.size.max } };
const matches: Estimate = ({ target, args: [pattern] }) =>
  target && pattern && { cost: regexCost(target.size, pattern.size) };

/** Addresses are 4 or 16 bytes. */
const ADDRESS: Range = { min: 4, max: 16 };
const within =
  (extra: Range): Estimate =>
  ({ overload, args: [other] }) => {
    if (!other) return undefined;
    const parsing = overload.args[1]?.kind === 'string' ? characters(other.size) : ZERO;
    return { cost: add(characters(add(ADDRESS, ADDRESS)), extra, parsing) };
  };

const ofFormat: Estimate = ({ args: [text] }) =>
  text && { cost: scale(characters(text.size), MAX_REGEX_OF_FORMAT * PER_REGEX_CHARACTER) };

const COMPARED_AT_ONCE: ReadonlySet<string> = new Set([
  'net.IP',
  'net.CIDR',
  'kubernetes.Quantity',
  'kubernetes.Semver',
  'kubernetes.authorization.Authorizer',
  'kubernetes.authorization.PathCheck',
  'kubernetes.authorization.GroupCheck',
  'kubernetes.authorization.ResourceCheck',
  'kubernetes.authorization.Decision',
]);

const equals: Estimate = (call) => {
  const [left, right] = call.args;
  if (call.overload.name === '_==_' && left?.type.kind === 'opaque' && right?.type.kind === 'opaque') {
    const { name } = left.type;
    if (name === right.type.name) {
      if (COMPARED_AT_ONCE.has(name)) return { cost: ONE };
      if (name === 'kubernetes.NamedFormat') return { cost: characters({ min: 1, max: MAX_FORMAT }) };
      if (name === 'kubernetes.URL')
        return { cost: characters({ min: 1, max: right.isSizeKnown ? right.size.max : 1 }) };
    }
  }
  return compare(call);
};

const compare: Estimate = ({ args: [left, right] }) => {
  if (!left || !right) return undefined;
  const max = Math.min(left.size.max, right.size.max);
  return { cost: characters({ min: max > 0 ? 1 : 0, max }) };
};
const isText = (type: CelType | undefined): boolean => type?.kind === 'string' || type?.kind === 'bytes';
const compareTexts: Estimate = (call) => (isText(call.overload.args[0]) ? compare(call) : undefined);

const concatenate: Estimate = ({ overload, args: [left, right] }) => {
  if (!left || !right) return undefined;
  const size = add(left.size, right.size);
  if (overload.args[0]?.kind === 'list') return { cost: ONE, size };
  return isText(overload.args[0]) ? { cost: characters(size), size } : undefined;
};

const allocating = (factor: number, size: Range): CallEstimate => ({
  cost: add(scale(size, factor), ONE, fixed(LIST_COST)),
  size,
});
const numberOf = (operand: Operand | undefined, otherwise: number): number =>
  operand?.node?.op === 'literal' && typeof operand.node.value === 'bigint'
    ? Number(operand.node.value)
    : otherwise;
const slice: Estimate = ({ target, args: [from, to] }) =>
  target && allocating(1, fixed(Math.max(numberOf(to, target.size.max) - numberOf(from, 0), 0)));
const sortCost = (list: Operand, type: CelType | undefined): CallEstimate =>
  allocating(isText(type) ? 2 + PER_CHARACTER : 2, multiply(list.size, list.size));
const elementOf = (type: CelType | undefined): CelType | undefined =>
  type?.kind === 'list' ? type.element : undefined;

const sets =
  (factor: number): Estimate =>
  ({ args: [left, right] }) =>
    left && right && { cost: add(scale(multiply(left.size, right.size), factor), ONE) };

const named = (estimate: Estimate, ...names: readonly string[]): [string, Estimate][] =>
  names.map((name) => [name, estimate]);

/**
 * By the name of the function: k8s.io/apiserver/pkg/cel/library/cost.go, cel-go's checker/cost.go and its extensions
 * for lists and sets.
 */
const ESTIMATES: ReadonlyMap<string, Estimate> = new Map<string, Estimate>([
  ['check', constant(350_000)],
  ...named(selector, 'fieldSelector', 'labelSelector'),
  ...named(walkItems, 'isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf', 'includes'),
  ...named(walkWhole, 'url', 'jsonpatch.escapeKey'),
  ...named(walkTarget, 'lowerAscii', 'upperAscii', 'substring', 'trim'),
  ['replace', replace],
  ['split', split],
  ['join', join],
  ...named(find, 'find', 'findAll'),
  ['matches', matches],
  ...named(walkArgument, 'cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver', 'ip'),
  ...named(walkArgument, 'startsWith', 'endsWith'),
  ['ip.isCanonical', ({ args: [text] }) => text && { cost: characters(text.size, 2) }],
  ['containsIP', within(ZERO)],
  ['containsCIDR', within(add(characters(ADDRESS), ONE))],
  ['validate', ofFormat],
  ['format', ({ target }) => target && { cost: characters(target.size) }],
  [
    'bytes',
    ({ overload, args: [text] }) =>
      text && isText(overload.args[0])
        ? { cost: characters(text.size), size: { min: text.size.min, max: text.size.max * 4 } }
        : undefined,
  ],
  [
    'string',
    ({ overload, args: [bytes] }) =>
      bytes && overload.args[0]?.kind === 'bytes'
        ? { cost: characters(bytes.size), size: { min: Math.floor(bytes.size.min / 4), max: bytes.size.max } }
        : undefined,
  ],
  [
    'strings.quote',
    ({ args: [text] }) =>
      text && {
        cost: characters(text.size),
        size: add(scale(text.size, 1), { min: 2, max: text.size.max + 2 }),
      },
  ],
  [
    '@in',
    ({ overload, args: [, list] }) =>
      list && overload.args[1]?.kind === 'list' ? { cost: list.size } : undefined,
  ],
  [
    'contains',
    ({ target, args: [part] }) =>
      target && part && { cost: multiply(characters(target.size), characters(part.size)) },
  ],
  ...named(equals, '_==_', '_!=_'),
  ...named(compareTexts, '_<_', '_<=_', '_>_', '_>=_'),
  ['_+_', concatenate],
  ['slice', slice],
  [
    'flatten',
    ({ target, args: [depth] }) => target && allocating(depth ? numberOf(depth, 2 ** 64) : 1, target.size),
  ],
  ['lists.range', ({ args: [count] }) => allocating(1, fixed(numberOf(count, 2 ** 64)))],
  ['reverse', ({ target }) => (target?.type.kind === 'list' ? allocating(1, target.size) : undefined)],
  ['distinct', ({ target }) => target && allocating(2, multiply(target.size, target.size))],
  ['sort', ({ target }) => target && sortCost(target, elementOf(target.type))],
  ['@sortByAssociatedKeys', ({ args: [keys] }) => keys && sortCost(keys, elementOf(keys.type))],
  ['sets.contains', sets(1)],
  ['sets.intersects', sets(1)],
  ['sets.equivalent', sets(2)],
]);

/** What one call costs at least and at most. Most functions cost one. */
export function estimateCall(call: Call): CallEstimate {
  return ESTIMATES.get(call.overload.name)?.(call) ?? { cost: ONE };
}
