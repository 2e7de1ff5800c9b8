import { ACCUMULATOR } from './builder.ts';
import { type Call, estimateCall } from './call-estimate.ts';
import type { Checked } from './checker.ts';
import type { Expression, ExpressionOf } from './expression.ts';
import { countCodePoints } from './lexer.ts';
import { add, type Bounds, exactly, multiply, ONE, UNKNOWN, union, ZERO } from './size-estimate.ts';
import { type CelType, DYN, unwrapOptional } from './types.ts';
import { Uint } from './values.ts';

/**
 * The largest size of what lies at a path of the data, such as `['self', 'spec', 'items', '@items']`; `undefined`
 * where the schema does not tell.
 */
export type SizeOf = (path: readonly string[]) => number | undefined;

/**
 * The most that an expression can cost whatever the data is, in upstream's units; `Infinity` where there is no bound
 * (cel-go's static cost estimation, by which CustomResourceDefinitions are judged).
 */
export function estimateCost(checked: Checked, sizeOf: SizeOf): number {
  return new Estimator(checked, sizeOf).cost(checked.tree).max;
}

/** How large the keys and values of a list or map are. */
interface EntrySize {
  readonly isList: boolean;
  readonly key: Bounds;
  readonly value: Bounds;
}

interface Local {
  readonly path: readonly string[];
  readonly size: Bounds | undefined;
  readonly entry: EntrySize | undefined;
}

const SELECT = ONE;
const LIST = exactly(10);
const MAP = exactly(30);
const STRUCT = exactly(40);
/** Union with it is the other one. */
const NOTHING: Bounds = { min: Number.POSITIVE_INFINITY, max: 0 };

class Estimator {
  readonly #checked: Checked;
  readonly #sizeOf: SizeOf;
  readonly #costs = new Map<number, Bounds>();
  readonly #paths = new Map<number, readonly string[]>();
  readonly #sizes = new Map<number, Bounds>();
  readonly #entries = new Map<number, EntrySize>();
  #locals: ReadonlyMap<string, Local> = new Map();

  constructor(checked: Checked, sizeOf: SizeOf) {
    this.#checked = checked;
    this.#sizeOf = sizeOf;
  }

  cost(node: Expression): Bounds {
    // Macros may use a part twice.
    const known = this.#costs.get(node.id);
    if (known) return known;
    const cost = this.#costOf(node);
    this.#costs.set(node.id, cost);
    return cost;
  }

  #costOf(node: Expression): Bounds {
    switch (node.op) {
      case 'literal':
        return ZERO;
      case 'ident':
        this.#paths.set(node.id, this.#locals.get(node.name)?.path ?? [node.name]);
        return SELECT;
      case 'select':
        return this.#select(node);
      case 'call':
        return this.#call(node);
      case 'list':
        return this.#list(node);
      case 'map':
        return this.#map(node);
      case 'struct':
        return add(STRUCT, ...node.entries.map(({ value }) => this.cost(value)));
      case 'fold':
        return this.#isBinding(node) ? this.#binding(node) : this.#fold(node);
    }
  }

  #typeOf(node: Expression): CelType {
    return this.#checked.types.get(node.id) ?? DYN;
  }

  #select(node: ExpressionOf<'select'>): Bounds {
    const named = this.#checked.names.get(node.id);
    if (named !== undefined) {
      this.#paths.set(node.id, [named]);
      return SELECT;
    }
    const operand = this.cost(node.operand);
    if (node.isTest) return operand;
    this.#paths.set(node.id, [...this.#pathOf(node.operand), node.field]);
    const { kind } = this.#typeOf(node.operand);
    return kind === 'map' || kind === 'struct' || kind === 'param' ? add(operand, SELECT) : operand;
  }

  #pathOf(node: Expression): readonly string[] {
    const local = node.op === 'ident' ? this.#locals.get(node.name) : undefined;
    return local?.path ?? this.#paths.get(node.id) ?? [];
  }

  /** What is known of the size of a value, from the most to the least certain. */
  #size(node: Expression): Bounds | undefined {
    const known = this.#sizes.get(node.id) ?? literalSize(node);
    if (known) return known;
    const path = this.#pathOf(node);
    const max = path.length > 0 && path[0] !== ACCUMULATOR ? this.#sizeOf(path) : undefined;
    if (max !== undefined) return { min: 0, max };
    if (isScalar(this.#typeOf(node))) return ONE;
    return node.op === 'ident' ? this.#locals.get(node.name)?.size : undefined;
  }
  #sizeOrUnknown(node: Expression): Bounds {
    return this.#size(node) ?? UNKNOWN;
  }
  #entry(node: Expression): EntrySize | undefined {
    const known = this.#entries.get(node.id);
    return known ?? (node.op === 'ident' ? this.#locals.get(node.name)?.entry : undefined);
  }
  #setSize(node: Expression, size: Bounds | undefined): void {
    if (size) this.#sizes.set(node.id, size);
  }

  #call(node: ExpressionOf<'call'>): Bounds {
    const { args, target } = node;
    const name = this.#checked.names.get(node.id) ?? node.name.replace(/^\./, '');
    const isMember = target !== undefined && !this.#checked.names.has(node.id);
    const costs = args.map((one) => this.cost(one));
    if (name === 'dyn') {
      this.#copy(args[0]!, node);
      return add(costs[0]!, ONE);
    }
    const own = isMember ? this.cost(target) : ZERO;
    return add(own, this.#callCost(node, { name, costs, target: isMember ? target : undefined }));
  }

  #callCost(
    node: ExpressionOf<'call'>,
    { name, costs, target }: { name: string; costs: readonly Bounds[]; target: Expression | undefined },
  ): Bounds {
    const [first = ZERO, second = ZERO, third = ZERO] = costs;
    if (name === '_&&_' || name === '_||_') return { min: first.min, max: add(first, second).max };
    if (name === '_?_:_') {
      const [, yes, no] = node.args;
      this.#setSize(node, union(this.#sizeOrUnknown(yes!), this.#sizeOrUnknown(no!)));
      this.#joinEntries(node, yes!, no!);
      return add(first, union(second, third));
    }
    if (name === '_+_') this.#joinEntries(node, node.args[0]!, node.args[1]!);
    let cost: Bounds = NOTHING;
    let size: Bounds | undefined;
    for (const overload of this.#checked.overloads.get(node.id) ?? []) {
      const estimate = estimateCall({
        name,
        overload,
        target: target && this.#argument(target),
        args: node.args.map((one) => this.#argument(one)),
      });
      cost = union(cost, estimate.cost);
      if (estimate.size) size = size ? union(size, estimate.size) : estimate.size;
    }
    if (name === '_[_]') size = this.#index(node) ?? size;
    this.#setSize(node, size ?? this.#size(node));
    return add(cost === NOTHING ? ZERO : cost, ...costs);
  }

  #argument(node: Expression): Call['args'][number] {
    const path = this.#pathOf(node);
    const items = path.length > 0 ? this.#sizeOf([...path, '@items']) : undefined;
    return {
      type: this.#typeOf(node),
      expression: node,
      size: this.#sizeOrUnknown(node),
      itemSize: items === undefined ? UNKNOWN : { min: 0, max: items },
    };
  }

  /** `container[index]`: where the item lies, and how large it is. */
  #index(node: ExpressionOf<'call'>): Bounds | undefined {
    const container = node.args[0]!;
    const { kind } = this.#typeOf(container);
    if (kind !== 'list' && kind !== 'map') return undefined;
    this.#paths.set(node.id, [...this.#pathOf(container), kind === 'list' ? '@items' : '@values']);
    return this.#entry(container)?.value;
  }

  #copy(from: Expression, to: Expression): void {
    this.#setSize(to, this.#size(from));
    const entry = this.#entry(from);
    if (entry) this.#entries.set(to.id, entry);
  }
  #joinEntries(node: Expression, left: Expression, right: Expression): void {
    const [mine, theirs] = [this.#entry(left), this.#entry(right)];
    if (!mine || !theirs) return;
    const key = union(mine.key, theirs.key);
    this.#entries.set(node.id, { isList: mine.isList, key, value: union(mine.value, theirs.value) });
  }

  #list(node: ExpressionOf<'list'>): Bounds {
    const costs = node.items.map((item) => this.cost(item));
    const sizes = node.items.map((item) => this.#sizeOrUnknown(item));
    const value = sizes.length === 0 ? ZERO : sizes.reduce(union, NOTHING);
    this.#entries.set(node.id, { isList: true, key: ONE, value });
    return add(LIST, ...costs);
  }

  #map(node: ExpressionOf<'map'>): Bounds {
    const costs = node.entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]);
    const sizesOf = (parts: readonly Expression[]): Bounds =>
      parts.length === 0 ? ZERO : parts.map((part) => this.#sizeOrUnknown(part)).reduce(union, NOTHING);
    const key = sizesOf(node.entries.map((entry) => entry.key));
    const value = sizesOf(node.entries.map((entry) => entry.value));
    this.#entries.set(node.id, { isList: false, key, value });
    return add(MAP, ...costs);
  }

  /** `optMap` and `sortBy` bind a variable with a loop that never runs. */
  #isBinding({ range, condition, accumulator }: ExpressionOf<'fold'>): boolean {
    return (
      range.op === 'list' &&
      range.items.length === 0 &&
      condition.op === 'literal' &&
      condition.value === false &&
      accumulator !== ACCUMULATOR
    );
  }

  #binding(node: ExpressionOf<'fold'>): Bounds {
    const before = add(this.cost(node.range), this.cost(node.initial));
    const bound = this.#local(node.initial);
    const result = this.#within([[node.accumulator, bound]], () => {
      const cost = this.cost(node.result);
      this.#copy(node.result, node);
      return cost;
    });
    return add(before, result);
  }

  #local(node: Expression): Local {
    return { path: this.#pathOf(node), size: this.#size(node), entry: this.#entry(node) };
  }

  #within<T>(locals: readonly (readonly [string, Local])[], run: () => T): T {
    const outer = this.#locals;
    this.#locals = new Map([...outer, ...locals]);
    const result = run();
    this.#locals = outer;
    return result;
  }

  #fold(node: ExpressionOf<'fold'>): Bounds {
    const { range, initial, variable, variable2 } = node;
    const before = add(this.cost(range), this.cost(initial));
    const accumulator = [node.accumulator, this.#local(initial)] as const;
    const entry = this.#entry(range);
    const isList = entry ? entry.isList : this.#typeOf(range).kind === 'list';
    const path = this.#pathOf(range);
    const keys = { path: [...path, isList ? '@indices' : '@keys'], size: entry?.key, entry: undefined };
    const values = { path: [...path, isList ? '@items' : '@values'], size: entry?.value, entry: undefined };
    const single = isList ? values : keys;
    const variables =
      variable2 === undefined
        ? [[variable, single]]
        : [
            [variable, keys],
            [variable2, values],
          ];
    return this.#within([accumulator], () => {
      const turn = this.#within(variables as [string, Local][], () => {
        const cost = add(this.cost(node.condition), this.cost(node.step));
        const stepEntry = this.#entry(node.step);
        if (stepEntry && (initial.op === 'list' || initial.op === 'map'))
          this.#entries.set(node.id, stepEntry);
        return cost;
      });
      const result = this.cost(node.result);
      const count = this.#sizeOrUnknown(range);
      if (initial.op === 'literal') this.#setSize(node, this.#size(initial));
      else if (initial.op === 'list' || initial.op === 'map') this.#setSize(node, count);
      return add(before, result, multiply(count, turn));
    });
  }
}

function literalSize(node: Expression): Bounds | undefined {
  if (node.op === 'list') return exactly(node.items.length);
  if (node.op === 'map') return exactly(node.entries.length);
  if (node.op !== 'literal') return undefined;
  if (typeof node.value === 'string') return exactly(countCodePoints(node.value));
  if (node.value === null || typeof node.value !== 'object' || node.value instanceof Uint) return ONE;
  return exactly(node.value.length);
}

const SCALARS: ReadonlySet<string> = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint']);

function isScalar(type: CelType): boolean {
  const inner = unwrapOptional(type);
  return SCALARS.has((inner ?? type).kind);
}
