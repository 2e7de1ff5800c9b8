import { ACCUMULATOR } from '../builder.ts';
import type { Checked } from '../checker.ts';
import type { Overload } from '../declaration.ts';
import type { Expression, ExpressionOf } from '../expression.ts';
import { type CelType, DYN, parametersOf, unwrapOptional } from '../types.ts';
import { type CallEstimate, estimateCall, type Operand } from './call-estimates.ts';
import { add, fixed, multiply, type Range, UNKNOWN, union, ZERO } from './range.ts';

/**
 * The size that data somewhere may have: characters of a string, items of a list, entries of a map. A path is the name of
 * a variable, then fields, `@items`, `@keys`, `@values`. `undefined` where nothing is known.
 */
export type SizeAt = (path: readonly string[]) => Range | undefined;

/**
 * What an expression costs at least and at most, in upstream's units, for data of the sizes given (cel-go's
 * checker/cost.go). Definitions are accepted or refused by it: it must say what upstream says.
 */
export function estimateCost(checked: Checked, sizeAt: SizeAt): Range {
  return new CostEstimate(checked, sizeAt).of(checked.tree);
}

type Path = readonly string[];

/** Sizes of keys and values of what a literal or a loop makes. */
interface EntrySize {
  readonly isList: boolean;
  readonly key: Range;
  readonly value: Range;
}

interface LocalVariable {
  readonly path: Path | undefined;
  readonly size: Range | undefined;
  readonly entries: EntrySize | undefined;
}

const LIST = fixed(10);
const MAP = fixed(30);
const STRUCT = fixed(40);
const ONE = fixed(1);
const NONE: Range = { min: 2 ** 64, max: 0 };
const SCALARS: ReadonlySet<string> = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint']);

const below = (path: Path | undefined, step: string): Path => [...(path ?? []), step];

class CostEstimate {
  readonly #checked: Checked;
  readonly #sizeAt: SizeAt;
  readonly #costs = new Map<number, Range>();
  readonly #paths = new Map<number, Path>();
  readonly #sizes = new Map<number, Range>();
  readonly #entries = new Map<number, EntrySize>();
  readonly #scopes = new Map<string, LocalVariable[]>();

  constructor(checked: Checked, sizeAt: SizeAt) {
    this.#checked = checked;
    this.#sizeAt = sizeAt;
  }

  of(node: Expression): Range {
    // Macros may use a part twice.
    const known = this.#costs.get(node.id);
    if (known) return known;
    const cost = this.#costOf(node);
    this.#costs.set(node.id, cost);
    return cost;
  }

  #costOf(node: Expression): Range {
    switch (node.op) {
      case 'literal':
        return ZERO;
      case 'ident':
        this.#paths.set(node.id, this.#local(node.name)?.path ?? [node.name]);
        return ONE;
      case 'select':
        return this.#select(node);
      case 'call':
        return this.#call(node);
      case 'list':
        return this.#list(node);
      case 'map':
        return this.#map(node);
      case 'struct':
        return add(STRUCT, ...node.entries.map(({ value }) => this.of(value)));
      case 'fold':
        return isBinding(node) ? this.#binding(node) : this.#loop(node);
    }
  }

  #select(node: ExpressionOf<'select'>): Range {
    const cost = this.of(node.operand);
    if (node.isTest) return cost;
    this.#paths.set(node.id, below(this.#pathOf(node.operand), node.field));
    return ['map', 'struct', 'param'].includes(this.#typeOf(node.operand).kind) ? add(cost, ONE) : cost;
  }

  #call(node: ExpressionOf<'call'>): Range {
    if (node.name === 'dyn' && node.args[0]) return this.#dyn(node, node.args[0]);
    const costs = node.args.map((one) => this.of(one));
    if (node.name === '_?._') return add(ONE, ...costs);
    const overloads = this.#checked.overloads.get(node.id) ?? [];
    if (overloads.length === 0) return ZERO;
    const isMember = node.target !== undefined && overloads[0]?.isMember === true;
    const targetCost = isMember && node.target ? this.of(node.target) : ZERO;
    let total = NONE;
    let size: Range | undefined;
    for (const overload of overloads) {
      const found = this.#overload(node, overload, costs);
      total = union(total, found.cost);
      if (found.size) size = size ? union(size, found.size) : found.size;
      size = this.#indexed(node, overload) ?? size ?? this.#sizeOf(node);
    }
    if (size) this.#sizes.set(node.id, size);
    return add(targetCost, total);
  }

  #dyn(node: Expression, argument: Expression): Range {
    const cost = this.of(argument);
    this.#copySizes(node, argument);
    return add(ONE, cost);
  }

  #overload(node: ExpressionOf<'call'>, overload: Overload, costs: readonly Range[]): CallEstimate {
    const [first = ZERO, second = ZERO, third = ZERO] = costs;
    if (node.name === '_&&_' || node.name === '_||_')
      return { cost: { min: first.min, max: add(first, second).max } };
    if (node.name === '_?_:_') {
      const [, yes, no] = node.args;
      if (!yes || !no) return { cost: ZERO };
      this.#setEntries(node, joined(this.#entriesOf(yes), this.#entriesOf(no)));
      return { cost: add(first, union(second, third)), size: union(this.#size(yes), this.#size(no)) };
    }
    if (node.name === '_+_' && node.args[0] && node.args[1])
      this.#setEntries(node, joined(this.#entriesOf(node.args[0]), this.#entriesOf(node.args[1])));
    const found = estimateCall({
      overload,
      target: overload.isMember && node.target ? this.#operand(node.target) : undefined,
      args: node.args.map((one) => this.#operand(one)),
      itemsOf: (list) => this.#items(list),
    });
    return { cost: add(found.cost, ...costs), size: found.size };
  }

  /** `list[i]` and `map[k]` lead on in the data. */
  #indexed(node: ExpressionOf<'call'>, { args: [container] }: Overload): Range | undefined {
    const operand = node.args[0];
    if (node.name !== '_[_]' || !operand || (container?.kind !== 'list' && container?.kind !== 'map'))
      return undefined;
    this.#paths.set(node.id, below(this.#pathOf(operand), container.kind === 'list' ? '@items' : '@values'));
    return this.#entriesOf(operand)?.value;
  }

  #list(node: ExpressionOf<'list'>): Range {
    let value = node.items.length === 0 ? ZERO : NONE;
    let cost = LIST;
    for (const item of node.items) {
      cost = add(cost, this.of(item));
      value = union(value, this.#size(item));
    }
    this.#entries.set(node.id, { isList: true, key: ONE, value });
    return cost;
  }

  #map(node: ExpressionOf<'map'>): Range {
    let [key, value] = node.entries.length === 0 ? [ZERO, ZERO] : [NONE, NONE];
    let cost = MAP;
    for (const entry of node.entries) {
      cost = add(cost, this.of(entry.key), this.of(entry.value));
      key = union(key, this.#size(entry.key));
      value = union(value, this.#size(entry.value));
    }
    this.#entries.set(node.id, { isList: false, key, value });
    return cost;
  }

  #binding(node: ExpressionOf<'fold'>): Range {
    const before = add(this.of(node.range), this.of(node.initial));
    this.#push(node.accumulator, this.#bound(node.initial));
    const result = this.of(node.result);
    this.#pop(node.accumulator);
    this.#copySizes(node, node.result);
    return add(before, result);
  }

  #loop(node: ExpressionOf<'fold'>): Range {
    const { range, initial, accumulator, variable, variable2 } = node;
    const before = add(this.of(range), this.of(initial));
    this.#push(accumulator, this.#bound(initial));
    if (variable2 === undefined) this.#push(variable, this.#loopVariable(range, 'single'));
    else {
      this.#push(variable, this.#loopVariable(range, 'key'));
      this.#push(variable2, this.#loopVariable(range, 'value'));
    }
    const turn = add(this.of(node.condition), this.of(node.step));
    this.#pop(variable);
    if (variable2 !== undefined) this.#pop(variable2);
    const result = this.of(node.result);
    this.#pop(accumulator);
    const turns = this.#size(range);
    if (initial.op === 'literal') this.#setSize(node, this.#sizeOf(initial));
    else if (initial.op === 'list' || initial.op === 'map') {
      this.#sizes.set(node.id, turns);
      this.#setEntries(node, this.#entriesOf(node.step));
    }
    return add(before, result, multiply(turns, turn));
  }

  #bound(value: Expression): LocalVariable {
    return { path: this.#pathOf(value), size: this.#sizeOf(value), entries: this.#entriesOf(value) };
  }

  #loopVariable(range: Expression, role: 'single' | 'key' | 'value'): LocalVariable {
    const entries = this.#entriesOf(range);
    const isList = entries?.isList ?? this.#typeOf(range).kind === 'list';
    const isValue = role === 'value' || (role === 'single' && isList);
    const step = isValue ? (isList ? '@items' : '@values') : isList ? '@indices' : '@keys';
    const size = isValue ? entries?.value : entries?.key;
    return { path: below(this.#pathOf(range), step), size, entries: undefined };
  }

  #push(name: string, variable: LocalVariable): void {
    const scope = this.#scopes.get(name);
    if (scope) scope.push(variable);
    else this.#scopes.set(name, [variable]);
  }
  #pop(name: string): void {
    this.#scopes.get(name)?.pop();
  }
  #local(name: string): LocalVariable | undefined {
    return this.#scopes.get(name)?.at(-1);
  }

  #typeOf({ id }: Expression): CelType {
    return this.#checked.types.get(id) ?? DYN;
  }
  #pathOf(node: Expression): Path | undefined {
    const local = node.op === 'ident' ? this.#local(node.name) : undefined;
    return local ? local.path : this.#paths.get(node.id);
  }

  #operand(node: Expression): Operand {
    const path = this.#pathOf(node);
    const size = this.#sizeOf(node);
    return {
      node,
      type: this.#typeOf(node),
      path: path?.[0] === ACCUMULATOR ? undefined : path,
      size: size ?? UNKNOWN,
      isSizeKnown: size !== undefined,
    };
  }

  #items({ type, path }: Operand): Operand | undefined {
    const [item] = parametersOf(type);
    if (!item) return undefined;
    const inner = path && below(path, '@items');
    const size = inner && this.#sizeAt(inner);
    return {
      node: undefined,
      type: item,
      path: inner,
      size: size ?? UNKNOWN,
      isSizeKnown: size !== undefined,
    };
  }

  #size(node: Expression): Range {
    return this.#sizeOf(node) ?? UNKNOWN;
  }
  #sizeOf(node: Expression): Range | undefined {
    const known = this.#sizes.get(node.id) ?? sizeOfLiteral(node);
    if (known) return known;
    const path = this.#pathOf(node);
    const found = path && path.length > 0 ? this.#sizeAt(path) : undefined;
    if (found) {
      this.#sizes.set(node.id, found);
      return found;
    }
    if (isScalar(this.#typeOf(node))) return ONE;
    return node.op === 'ident' ? this.#local(node.name)?.size : undefined;
  }
  #setSize({ id }: Expression, size: Range | undefined): void {
    if (size) this.#sizes.set(id, size);
  }
  #entriesOf(node: Expression): EntrySize | undefined {
    return this.#entries.get(node.id) ?? (node.op === 'ident' ? this.#local(node.name)?.entries : undefined);
  }
  #setEntries({ id }: Expression, entries: EntrySize | undefined): void {
    if (entries) this.#entries.set(id, entries);
  }
  #copySizes(to: Expression, from: Expression): void {
    this.#setSize(to, this.#sizeOf(from));
    this.#setEntries(to, this.#entriesOf(from));
  }
}

/** A fold without turns gives something a name. */
function isBinding({ range, condition, accumulator }: ExpressionOf<'fold'>): boolean {
  return (
    range.op === 'list' &&
    range.items.length === 0 &&
    condition.op === 'literal' &&
    condition.value === false &&
    accumulator !== ACCUMULATOR
  );
}

function joined(left: EntrySize | undefined, right: EntrySize | undefined): EntrySize | undefined {
  if (!left || !right) return undefined;
  return { isList: left.isList, key: union(left.key, right.key), value: union(left.value, right.value) };
}

function sizeOfLiteral(node: Expression): Range | undefined {
  if (node.op === 'list') return fixed(node.items.length);
  if (node.op === 'map') return fixed(node.entries.length);
  if (node.op !== 'literal') return undefined;
  const { value } = node;
  if (typeof value === 'string') return fixed([...value].length);
  return fixed(value instanceof Uint8Array ? value.length : 1);
}

function isScalar(type: CelType): boolean {
  const inner = unwrapOptional(type);
  return inner ? isScalar(inner) : SCALARS.has(type.kind);
}
