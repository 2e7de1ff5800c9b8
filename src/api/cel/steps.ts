import type { Cost } from './call-cost.ts';
import type { Overload } from './declaration.ts';
import { isEqual } from './equality.ts';
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

// Each of these is made outside of the planner, so that a closure keeps nothing alive but what it runs.

export const constantStep =
  (value: Value): Step =>
  () =>
    value;

/** A variable of a loop. */
export function slotStep(slot: number): Step {
  return ({ slots, meter }) => {
    meter.spend(1);
    const value = slots[slot]!;
    if (value instanceof CelError) throw value;
    return value;
  };
}

export function variableStep(name: string): Step {
  return ({ variable, meter }) => {
    meter.spend(1);
    const value = variable(name);
    if (value === undefined) throw new CelError(`no such attribute(s): ${name}`);
    return value;
  };
}

export function selectStep(operand: Step, field: string, isTest: boolean): Step {
  if (isTest) return (frame) => hasField(operand(frame), field);
  return (frame) => {
    const value = operand(frame);
    frame.meter.spend(1);
    return select(value, field);
  };
}

interface Part {
  readonly value: Step;
  readonly isOptional: boolean;
}

/** `undefined`: an optional part that is not there. */
function partOf({ value, isOptional }: Part, frame: Frame): Value | undefined {
  const made = value(frame);
  if (!isOptional) return made;
  if (made instanceof OptionalValue) return made.value;
  throw new CelError('cannot initialize optional entry from non-optional value');
}

const LIST_COST = 10;
const MAP_COST = 30;
const STRUCT_COST = 40;

export function listStep(items: readonly Part[]): Step {
  return (frame) => {
    const made: Value[] = [];
    for (const item of items) {
      const value = partOf(item, frame);
      if (value !== undefined) made.push(value);
    }
    frame.meter.spend(LIST_COST);
    return ListValue.of(made);
  };
}

export function mapStep(entries: readonly (Part & { readonly key: Step })[]): Step {
  return (frame) => {
    const made = new Map<string, readonly [Value, Value]>();
    for (const entry of entries) {
      const key = entry.key(frame);
      const value = partOf(entry, frame);
      if (value !== undefined) insert(made, [key, value]);
    }
    frame.meter.spend(MAP_COST);
    return new EntryMap(made);
  };
}

export function structStep(
  type: StructType,
  entries: readonly (Part & { readonly name: string })[],
  construct: Construct,
): Step {
  return (frame) => {
    const fields = new Map<string, Value>();
    for (const entry of entries) {
      const made = partOf(entry, frame);
      if (made !== undefined) fields.set(entry.name, made);
    }
    frame.meter.spend(STRUCT_COST);
    return construct(type, fields);
  };
}

export interface CallOptions {
  readonly args: readonly Step[];
  readonly cost: Cost;
  /** Absent: a function with overloads. */
  readonly operator: Operator | undefined;
  readonly overloads: readonly Overload[];
}

export function callStep({ args, cost, operator, overloads }: CallOptions): Step {
  return (frame) => {
    const values = args.map((one) => one(frame));
    const { meter } = frame;
    meter.spend(cost(values));
    return operator ? operator(values, meter) : dispatch(overloads, values, meter);
  };
}

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
  return hasFreeParameters(type) || isSameType(type, wanted);
}

const hasFreeParameters = ({ kind }: CelType): boolean =>
  kind === 'list' || kind === 'map' || kind === 'type';

/** `&&` and `||`: an operand that decides hides an error of the other one. */
export function logicStep(left: Step, right: Step, decisive: boolean): Step {
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

export function conditionalStep(condition: Step, yes: Step, no: Step): Step {
  return (frame) => {
    const value = condition(frame);
    if (typeof value !== 'boolean') throw noOverload();
    return value ? yes(frame) : no(frame);
  };
}

/** Loops go on although their accumulator holds an error: a later turn may still decide. */
export function notStrictlyFalseStep(operand: Step): Step {
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

/** `optional.or(other)`, `optional.orValue(other)`: `other` runs only when it is needed. */
export function orElseStep(name: 'or' | 'orValue', target: Step, other: Step): Step {
  return (frame) => {
    const value = target(frame);
    frame.meter.spend(1);
    if (!(value instanceof OptionalValue)) throw noOverload();
    if (value.value !== undefined) return name === 'or' ? value : value.value;
    return other(frame);
  };
}

export type Operator = (values: readonly Value[], meter: Meter) => Value;

const relation =
  (symbol: Relation): Operator =>
  ([left, right]) =>
    isOrdered(symbol, left!, right!);

function not([value]: readonly Value[]): Value {
  if (typeof value !== 'boolean') throw noOverload();
  return !value;
}

function mapInsert([map, key, value]: readonly Value[]): Value {
  if (!isMap(map!)) throw noOverload();
  const added = value !== undefined ? [[key!, value] as const] : isMap(key!) ? entriesOf(key) : [];
  return entryMap([...entriesOf(map), ...added]);
}

/** Operators that run without regard to their overloads, by the names they have in the tree. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...(['+', '-', '*', '/', '%'] as const).map((symbol): readonly [string, Operator] => [
    `_${symbol}_`,
    ([left, right], meter) => arithmetic(symbol, left!, right!, meter),
  ]),
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
  ['!_', not],
  ['type', ([value]) => new TypeValue(value instanceof TypeValue ? { kind: 'type' } : typeOf(value!))],
  ['dyn', ([value]) => value!],
  ['cel.@mapInsert', mapInsert],
]);
