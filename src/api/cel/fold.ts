import type { Expression, ExpressionOf } from './expression.ts';
import { entriesOf, insert, noOverload } from './operators.ts';
import type { Planner } from './plan.ts';
import type { Frame, Step } from './steps.ts';
import { CelError, EntryMap, isMap, isStruct, ListValue, type Value } from './values.ts';

interface Loop {
  readonly range: Step;
  readonly initial: Step;
  readonly condition: Step;
  readonly step: Step;
  readonly result: Step;
  readonly accumulator: number;
  readonly variable: number;
  readonly variable2: number | undefined;
  /** The condition is the literal `true`: an error of one turn is the result's. */
  readonly isUnconditional: boolean;
}

/** Plans a comprehension. Those that only append to a list or insert into a map do so without copying it. */
export function planFold(planner: Planner, node: ExpressionOf<'fold'>): Step {
  const range = planner.plan(node.range);
  const initial = planner.plan(node.initial);
  return planner.within([node.accumulator], ([accumulator]) => {
    const result = planner.plan(node.result);
    const names = node.variable2 === undefined ? [node.variable] : [node.variable, node.variable2];
    return planner.within(names, ([variable, variable2]) => {
      const slots = { accumulator: accumulator!, variable: variable!, variable2 };
      const collected = planCollect(planner, node, { range, ...slots });
      if (collected) return collected;
      return runLoop({
        range,
        initial,
        condition: planner.plan(node.condition),
        step: planner.plan(node.step),
        result,
        ...slots,
        isUnconditional: node.condition.op === 'literal' && node.condition.value === true,
      });
    });
  });
}

function runLoop(loop: Loop): Step {
  return (frame) => {
    const { slots } = frame;
    const range = loop.range(frame);
    slots[loop.accumulator] = loop.initial(frame);
    eachTurn(range, loop.variable2 !== undefined, (first, second) => {
      frame.meter.work(1);
      slots[loop.variable] = first;
      if (loop.variable2 !== undefined) slots[loop.variable2] = second;
      if (loop.condition(frame) !== true) return false;
      slots[loop.accumulator] = attempt(loop, frame);
      return true;
    });
    return loop.result(frame);
  };
}

function attempt(loop: Loop, frame: Frame): Value | CelError {
  try {
    return loop.step(frame);
  } catch (error) {
    if (loop.isUnconditional || !(error instanceof CelError)) throw error;
    return error;
  }
}

/** Items, or index and item; keys, or key and value; as long as `turn` says so. */
function eachTurn(range: Value, isTwofold: boolean, turn: (first: Value, second: Value) => boolean): void {
  if (range instanceof ListValue) {
    for (let index = 0; index < range.size; index++) {
      const item = range.at(index);
      if (!(isTwofold ? turn(BigInt(index), item) : turn(item, null))) return;
    }
    return;
  }
  if (typeof range !== 'object' || range === null) throw noOverload();
  if (isMap(range)) {
    for (const key of range.keys()) if (!turn(key, isTwofold ? (range.get(key) ?? null) : null)) return;
    return;
  }
  if (!isStruct(range)) throw noOverload();
  for (const name of range.fields()) if (!turn(name, isTwofold ? (range.get(name) ?? null) : null)) return;
}

interface Collector {
  readonly filter: Step | undefined;
  readonly parts: readonly Step[];
  readonly isMap: boolean;
}

/** `map`, `filter`, `transformList`, `transformMap`, `transformMapEntry`: recognised by their shape. */
function planCollect(
  planner: Planner,
  node: ExpressionOf<'fold'>,
  loop: Pick<Loop, 'range' | 'accumulator' | 'variable' | 'variable2'>,
): Step | undefined {
  const { step, accumulator } = node;
  const isChoice = step.op === 'call' && step.name === '_?_:_';
  const [filter, add] = isChoice ? [step.args[0], step.args[1]] : [undefined, step];
  if (add?.op !== 'call' || !isAccumulator(add.args[0], accumulator)) return undefined;
  if (!isAccumulator(node.result, accumulator) || isAccumulator(filter, accumulator)) return undefined;
  const parts = partsOf(add);
  if (!parts) return undefined;
  return runCollect(loop, {
    filter: filter && planner.plan(filter),
    parts: parts.map((one) => planner.plan(one)),
    isMap: add.name !== '_+_',
  });
}

function partsOf(add: ExpressionOf<'call'>): readonly Expression[] | undefined {
  if (add.name === 'cel.@mapInsert') return add.args.slice(1);
  const list = add.args[1];
  if (add.name !== '_+_' || list?.op !== 'list' || list.optional.length > 0) return undefined;
  return list.items;
}

function isAccumulator(node: Expression | undefined, name: string): boolean {
  return name.startsWith('@') && node?.op === 'ident' && node.name === name;
}

/** What one turn costs where it adds something: the accumulator, the list literal, the sum. */
const LIST_TURN = 12;
const MAP_TURN = 2;

function runCollect(
  loop: Pick<Loop, 'range' | 'variable' | 'variable2'>,
  { filter, parts, isMap: makesMap }: Collector,
): Step {
  return (frame) => {
    const { slots, meter } = frame;
    const list: Value[] = [];
    const map = new Map<string, readonly [Value, Value]>();
    meter.spend(1);
    eachTurn(loop.range(frame), loop.variable2 !== undefined, (first, second) => {
      meter.work(1);
      slots[loop.variable] = first;
      if (loop.variable2 !== undefined) slots[loop.variable2] = second;
      const chosen = filter ? filter(frame) : true;
      if (typeof chosen !== 'boolean') throw noOverload();
      if (!chosen) {
        meter.spend(1);
        return true;
      }
      const made = parts.map((part) => part(frame));
      meter.spend(makesMap ? MAP_TURN : LIST_TURN);
      if (makesMap) insertAll(map, made);
      else list.push(...made);
      return true;
    });
    return makesMap ? new EntryMap(map) : ListValue.of(list);
  };
}

function insertAll(map: Map<string, readonly [Value, Value]>, [key, value]: readonly Value[]): void {
  if (value !== undefined) insert(map, [key!, value]);
  else if (typeof key === 'object' && key !== null && isMap(key))
    for (const entry of entriesOf(key)) insert(map, entry);
  else throw noOverload();
}
