import { callCost } from './call-cost.ts';
import type { Checked } from './checker.ts';
import type { Overload } from './declaration.ts';
import { isEqual } from './equality.ts';
import type { Entry, Expression, ExpressionOf } from './expression.ts';
import { planFold } from './fold.ts';
import type { Meter } from './meter.ts';
import {
  arithmetic,
  at,
  atOptional,
  entriesOf,
  entryMap,
  hasField,
  insert,
  isIn,
  isOrdered,
  negate,
  noOverload,
  type Relation,
  select,
  selectOptional,
} from './operators.ts';
import { type CelType, isSameType, runtimeName, type StructType } from './types.ts';
import {
  CelError,
  EntryMap,
  isMap,
  ListValue,
  OptionalValue,
  TypeValue,
  typeOf,
  type Value,
} from './values.ts';

/** One run of an expression. */
export interface Frame {
  readonly variable: (name: string) => Value | undefined;
  /** Variables of loops; an error where the accumulator of a loop holds one. */
  readonly slots: (Value | CelError)[];
  readonly meter: Meter;
}

/** A part of an expression, ready to run. Throws `CelError` and `BudgetError`. */
export type Step = (frame: Frame) => Value;

/** Makes values of `Name{…}`. */
export type Construct = (type: StructType, fields: ReadonlyMap<string, Value>) => Value;

/** Turns a checked tree into closures: names are resolved and constants computed once. */
export class Planner {
  readonly #checked: Checked;
  readonly #isVariable: (name: string) => boolean;
  readonly #struct: (name: string) => StructType | undefined;
  readonly #typeName: (name: string) => CelType | undefined;
  readonly #construct: Construct;
  readonly #planned = new Map<number, Step>();
  /** Loop variables in scope, by name, and the slot of each. */
  #scope: ReadonlyMap<string, number> = new Map();
  slots = 0;

  constructor(
    checked: Checked,
    types: {
      isVariable: (name: string) => boolean;
      struct: (name: string) => StructType | undefined;
      typeName: (name: string) => CelType | undefined;
      construct: Construct;
    },
  ) {
    this.#checked = checked;
    this.#isVariable = types.isVariable;
    this.#struct = types.struct;
    this.#typeName = types.typeName;
    this.#construct = types.construct;
  }

  /** Runs `plan` with more loop variables in scope. */
  within<T>(names: readonly string[], plan: (slots: readonly number[]) => T): T {
    const outer = this.#scope;
    const slots = names.map(() => this.slots++);
    this.#scope = new Map([...outer, ...names.map((name, index) => [name, slots[index]!] as const)]);
    const result = plan(slots);
    this.#scope = outer;
    return result;
  }

  plan(node: Expression): Step {
    const known = this.#planned.get(node.id);
    if (known) return known;
    const step = this.#make(node);
    this.#planned.set(node.id, step);
    return step;
  }

  #make(node: Expression): Step {
    switch (node.op) {
      case 'literal': {
        const { value } = node;
        return () => value;
      }
      case 'ident':
        return this.#name(node.name);
      case 'select':
        return this.#select(node);
      case 'call':
        return this.#call(node);
      case 'list':
        return this.#list(node);
      case 'map':
        return this.#map(node);
      case 'struct':
        return this.#message(node);
      case 'fold':
        return planFold(this, node);
    }
  }

  #name(name: string): Step {
    const slot = this.#scope.get(name);
    if (slot !== undefined) {
      return ({ slots, meter }) => {
        meter.spend(1);
        const value = slots[slot]!;
        if (value instanceof CelError) throw value;
        return value;
      };
    }
    const plain = name.replace(/^\./, '');
    const named = this.#isVariable(plain) ? undefined : (this.#typeName(plain) ?? this.#struct(plain));
    if (named) {
      const type = new TypeValue(named);
      return () => type;
    }
    return ({ variable, meter }) => {
      meter.spend(1);
      const value = variable(plain);
      if (value === undefined) throw new CelError(`no such attribute(s): ${plain}`);
      return value;
    };
  }

  #select(node: ExpressionOf<'select'>): Step {
    const name = this.#checked.names.get(node.id);
    if (name !== undefined) return this.#name(name);
    const operand = this.plan(node.operand);
    const { field } = node;
    if (node.isTest) return (frame) => hasField(operand(frame), field);
    return (frame) => {
      const value = operand(frame);
      frame.meter.spend(1);
      return select(value, field);
    };
  }

  #list(node: ExpressionOf<'list'>): Step {
    const items = node.items.map((item) => this.plan(item));
    const optional = new Set(node.optional);
    if (node.items.every(isConstant) && optional.size === 0) {
      const made = ListValue.of(node.items.map(constantValue));
      return () => made;
    }
    return (frame) => {
      const made: Value[] = [];
      items.forEach((item, index) => {
        const value = optional.has(index) ? unwrap(item(frame)) : item(frame);
        if (value !== undefined) made.push(value);
      });
      frame.meter.spend(10);
      return ListValue.of(made);
    };
  }

  #map(node: ExpressionOf<'map'>): Step {
    const entries = node.entries.map(({ key, value, isOptional }: Entry) => ({
      key: this.plan(key),
      value: this.plan(value),
      isOptional,
    }));
    return (frame) => {
      const made = new Map<string, readonly [Value, Value]>();
      for (const entry of entries) {
        const key = entry.key(frame);
        const value = entry.isOptional ? unwrap(entry.value(frame)) : entry.value(frame);
        if (value !== undefined) insert(made, [key, value]);
      }
      frame.meter.spend(30);
      return new EntryMap(made);
    };
  }

  #message(node: ExpressionOf<'struct'>): Step {
    const type = this.#struct(node.type.replace(/^\./, ''));
    const construct = this.#construct;
    const entries = node.entries.map((entry) => ({ ...entry, value: this.plan(entry.value) }));
    return (frame) => {
      const fields = new Map<string, Value>();
      for (const { name, value, isOptional } of entries) {
        const made = isOptional ? unwrap(value(frame)) : value(frame);
        if (made !== undefined) fields.set(name, made);
      }
      frame.meter.spend(40);
      if (!type) throw new CelError(`unknown type: ${node.type}`);
      return construct(type, fields);
    };
  }

  #call(node: ExpressionOf<'call'>): Step {
    const special = this.#special(node);
    if (special) return special;
    const name = this.#checked.names.get(node.id) ?? node.name.replace(/^\./, '');
    const isNamespaced = this.#checked.names.has(node.id);
    const targets = node.target && !isNamespaced ? [node.target] : [];
    const args = [...targets, ...node.args].map((one) => this.plan(one));
    const operator = OPERATORS.get(name);
    const cost = callCost(name);
    const overloads = this.#checked.overloads.get(node.id) ?? [];
    return (frame) => {
      const values = args.map((one) => one(frame));
      const { meter } = frame;
      meter.spend(cost(values));
      return operator ? operator(values, meter) : dispatch(overloads, values, meter);
    };
  }

  /** Operators that do not evaluate all of their arguments. */
  #special({ name, args, target }: ExpressionOf<'call'>): Step | undefined {
    const [first, second, third] = [...(target ? [target] : []), ...args];
    switch (name) {
      case '_&&_':
        return logic(this.plan(first!), this.plan(second!), false);
      case '_||_':
        return logic(this.plan(first!), this.plan(second!), true);
      case '_?_:_':
        return conditional(this.plan(first!), this.plan(second!), this.plan(third!));
      case '@not_strictly_false':
        return notStrictlyFalse(this.plan(first!));
      case 'or':
      case 'orValue':
        return target && second ? this.#orElse(name, this.plan(target), this.plan(second)) : undefined;
      default:
        return undefined;
    }
  }

  #orElse(name: string, target: Step, other: Step): Step {
    return (frame) => {
      const value = target(frame);
      frame.meter.spend(1);
      if (!(value instanceof OptionalValue)) throw noOverload();
      if (value.value !== undefined) return name === 'or' ? value : value.value;
      return other(frame);
    };
  }
}

export function isConstant(node: Expression): boolean {
  return (
    node.op === 'literal' ||
    (node.op === 'list' && node.optional.length === 0 && node.items.every(isConstant))
  );
}

function constantValue(node: Expression): Value {
  if (node.op === 'literal') return node.value;
  return node.op === 'list' ? ListValue.of(node.items.map(constantValue)) : null;
}

function unwrap(value: Value): Value | undefined {
  if (value instanceof OptionalValue) return value.value;
  throw new CelError('cannot initialize optional entry from non-optional value');
}

type Operator = (values: readonly Value[], meter: Meter) => Value;

const relation =
  (symbol: Relation): Operator =>
  ([left, right]) =>
    isOrdered(symbol, left!, right!);

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...(['+', '-', '*', '/', '%'] as const).map(
    (symbol) =>
      [
        `_${symbol}_`,
        ([left, right]: readonly Value[], meter: Meter) => arithmetic(symbol, left!, right!, meter),
      ] as const,
  ),
  ['_==_', ([left, right], meter) => isEqual(left!, right!, meter)],
  ['_!=_', ([left, right], meter) => !isEqual(left!, right!, meter)],
  ['_<_', relation('<')],
  ['_<=_', relation('<=')],
  ['_>_', relation('>')],
  ['_>=_', relation('>=')],
  ['@in', ([value, container], meter) => isIn(value!, container!, meter)],
  ['_[_]', ([container, index]) => at(container!, index!)],
  ['_[?_]', ([container, index]) => atOptional(container!, index!)],
  ['_?._', ([operand, field]) => selectOptional(operand!, String(field))],
  ['-_', ([value]) => negate(value!)],
  [
    '!_',
    ([value]) => {
      if (typeof value !== 'boolean') throw noOverload();
      return !value;
    },
  ],
  ['type', ([value]) => new TypeValue(value instanceof TypeValue ? { kind: 'type' } : typeOf(value!))],
  ['dyn', ([value]) => value!],
  [
    'cel.@mapInsert',
    ([map, key, value]) => {
      if (!isMap(map!)) throw noOverload();
      const added = value !== undefined ? [[key!, value] as const] : isMap(key!) ? entriesOf(key) : [];
      return entryMap([...entriesOf(map), ...added]);
    },
  ],
]);

/** The first overload whose types fit. */
function dispatch(overloads: readonly Overload[], values: readonly Value[], meter: Meter): Value {
  for (const { args, call } of overloads)
    if (args.every((wanted, index) => accepts(wanted, values[index]!))) return call(...values, meter);
  throw noOverload();
}

function accepts(wanted: CelType, value: Value): boolean {
  if (wanted.kind === 'dyn' || wanted.kind === 'param') return true;
  const type = typeOf(value);
  if (type.kind !== wanted.kind) return false;
  if (type.kind === 'opaque' || type.kind === 'struct') return runtimeName(type) === runtimeName(wanted);
  return parametersFree(type) || isSameType(type, wanted);
}

const parametersFree = ({ kind }: CelType): boolean => kind === 'list' || kind === 'map' || kind === 'type';

/** `&&` and `||`: an operand that decides hides an error of the other one. */
function logic(left: Step, right: Step, decisive: boolean): Step {
  return (frame) => {
    let failure: CelError | undefined;
    for (const operand of [left, right]) {
      try {
        const value = operand(frame);
        if (value === decisive) return decisive;
        if (typeof value !== 'boolean') failure ??= noOverload();
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        failure ??= error;
      }
    }
    if (failure) throw failure;
    return !decisive;
  };
}

function conditional(condition: Step, yes: Step, no: Step): Step {
  return (frame) => {
    const value = condition(frame);
    if (typeof value !== 'boolean') throw noOverload();
    return value ? yes(frame) : no(frame);
  };
}

function notStrictlyFalse(operand: Step): Step {
  return (frame) => {
    try {
      const value = operand(frame);
      frame.meter.spend(1);
      return value !== false;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      return true;
    }
  };
}
