import { ACCUMULATOR, type ExpressionBuilder } from './builder.ts';
import type { Expression } from './expression.ts';
import { IssueError } from './issue.ts';

interface Use {
  readonly build: ExpressionBuilder;
  /** Of the call. */
  readonly at: number;
  readonly target: Expression;
  readonly args: readonly Expression[];
}

type Macro = (use: Use) => Expression;

/**
 * Rewrites a call that is a macro; `undefined` when it is none. Throws `IssueError` for arguments a macro cannot
 * take. One-variable macros are the CEL standard's, two-variable ones the extension `comprev2`, `optMap` and
 * `optFlatMap` those of optional types.
 */
export function expandMacro(
  build: ExpressionBuilder,
  at: number,
  call: { name: string; target?: Expression | undefined; args: readonly Expression[] },
): Expression | undefined {
  const { name, target, args } = call;
  if (target === undefined) return name === 'has' && args.length === 1 ? has(build, args[0]!) : undefined;
  const macro = MACROS.get(`${name}/${args.length}`);
  return macro?.({ build, at, target, args });
}

function has(build: ExpressionBuilder, argument: Expression): Expression {
  if (argument.op !== 'select' || argument.isTest)
    throw new IssueError(argument.at, 'invalid argument to has() macro');
  return build.select(argument.at, { ...argument, isTest: true });
}

/** The loop variables, and what is left of the arguments. */
function variablesOf({ args }: Use, count: 1 | 2): { variable: string; variable2?: string } {
  const names = args.slice(0, count).map((one) => nameOf(one, count));
  if (count === 2 && names[0] === names[1])
    throw new IssueError(args[1]!.at, `duplicate variable name: ${names[0]}`);
  return count === 1 ? { variable: names[0]! } : { variable: names[0]!, variable2: names[1]! };
}

function nameOf(argument: Expression, count: 1 | 2): string {
  if (argument.op !== 'ident' || argument.name.startsWith('.')) {
    throw new IssueError(
      argument.at,
      count === 1 ? 'argument is not an identifier' : 'argument must be a simple name',
    );
  }
  if (argument.name === ACCUMULATOR || argument.name === '__result__')
    throw new IssueError(argument.at, 'iteration variable overwrites accumulator variable');
  return argument.name;
}

const all =
  (count: 1 | 2): Macro =>
  (use) => {
    const { build, at, target, args } = use;
    return build.fold(at, {
      range: target,
      ...variablesOf(use, count),
      accumulator: ACCUMULATOR,
      initial: build.literal(at, true),
      condition: build.call(at, '@not_strictly_false', [build.accumulator(at)]),
      step: build.call(at, '_&&_', [build.accumulator(at), args[count]!]),
      result: build.accumulator(at),
    });
  };

const exists =
  (count: 1 | 2): Macro =>
  (use) => {
    const { build, at, target, args } = use;
    return build.fold(at, {
      range: target,
      ...variablesOf(use, count),
      accumulator: ACCUMULATOR,
      initial: build.literal(at, false),
      condition: build.call(at, '@not_strictly_false', [build.call(at, '!_', [build.accumulator(at)])]),
      step: build.call(at, '_||_', [build.accumulator(at), args[count]!]),
      result: build.accumulator(at),
    });
  };

const existsOne =
  (count: 1 | 2): Macro =>
  (use) => {
    const { build, at, target, args } = use;
    const increment = build.call(at, '_+_', [build.accumulator(at), build.literal(at, 1n)]);
    return build.fold(at, {
      range: target,
      ...variablesOf(use, count),
      accumulator: ACCUMULATOR,
      initial: build.literal(at, 0n),
      condition: build.literal(at, true),
      step: build.call(at, '_?_:_', [args[count]!, increment, build.accumulator(at)]),
      result: build.call(at, '_==_', [build.accumulator(at), build.literal(at, 1n)]),
    });
  };

/** `map`, `filter`, `transformList`, `transformMap` …: collects what `add` makes, where the filter lets it. */
function collect(
  use: Use,
  count: 1 | 2,
  parts: { initial: Expression; add: Expression; filter?: Expression | undefined },
): Expression {
  const { build, at, target } = use;
  const { initial, add, filter } = parts;
  return build.fold(at, {
    range: target,
    ...variablesOf(use, count),
    accumulator: ACCUMULATOR,
    initial,
    condition: build.literal(at, true),
    step: filter ? build.call(at, '_?_:_', [filter, add, build.accumulator(at)]) : add,
    result: build.accumulator(at),
  });
}

const toList =
  (count: 1 | 2): Macro =>
  (use) => {
    const { build, at, args } = use;
    const made = build.list(at, [args.at(-1)!]);
    const add = build.call(at, '_+_', [build.accumulator(at), made]);
    const filter = args.length === count + 2 ? args[count] : undefined;
    return collect(use, count, { initial: build.list(at, []), add, filter });
  };

const filter: Macro = (use) => {
  const { build, at, args } = use;
  const { variable } = variablesOf(use, 1);
  const add = build.call(at, '_+_', [build.accumulator(at), build.list(at, [build.ident(at, variable)])]);
  return collect(use, 1, { initial: build.list(at, []), add, filter: args[1] });
};

const toMap =
  (isEntry: boolean): Macro =>
  (use) => {
    const { build, at, args } = use;
    const { variable } = variablesOf(use, 2);
    const made = args.at(-1)!;
    const inserted = isEntry
      ? [build.accumulator(at), made]
      : [build.accumulator(at), build.ident(at, variable), made];
    const add = build.call(at, 'cel.@mapInsert', inserted);
    return collect(use, 2, {
      initial: build.map(at, []),
      add,
      filter: args.length === 4 ? args[2] : undefined,
    });
  };

/** `list.sortBy(x, key)`: binds the list, so that it is computed once, and sorts it by what `map` makes of it. */
const sortBy: Macro = ({ build, at, target, args }) => {
  if (['literal', 'map', 'struct'].includes(target.op)) {
    const kinds = 'a list, identifier, comprehension, call or select expression';
    throw new IssueError(target.at, `sortBy can only be applied to ${kinds}`);
  }
  const bound = (): Expression => build.ident(at, SORTED);
  const keys = toList(1)({ build, at, target: bound(), args });
  return build.fold(at, {
    range: build.list(at, []),
    variable: '#unused',
    accumulator: SORTED,
    initial: target,
    condition: build.literal(at, false),
    step: bound(),
    result: build.call(at, '@sortByAssociatedKeys', [keys], bound()),
  });
};
const SORTED = '@__sortBy_input__';

/** `target.optMap(x, f(x))`: a fold without turns binds `x`. The target's node is shared, not copied. */
const optional =
  (name: 'optMap' | 'optFlatMap'): Macro =>
  ({ build, at, target, args: [variable, made] }) => {
    if (variable?.op !== 'ident')
      throw new IssueError(variable!.at, `${name}() variable name must be a simple identifier`);
    const bound = build.fold(at, {
      range: build.list(at, []),
      variable: '#unused',
      accumulator: variable.name,
      initial: build.call(at, 'value', [], target),
      condition: build.literal(at, false),
      step: build.ident(at, variable.name),
      result: made!,
    });
    return build.call(at, '_?_:_', [
      build.call(at, 'hasValue', [], target),
      name === 'optMap' ? build.call(at, 'optional.of', [bound]) : bound,
      build.call(at, 'optional.none', []),
    ]);
  };

const MACROS: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['all/2', all(1)],
  ['exists/2', exists(1)],
  ['exists_one/2', existsOne(1)],
  ['existsOne/2', existsOne(1)],
  ['map/2', toList(1)],
  ['map/3', toList(1)],
  ['filter/2', filter],
  ['sortBy/2', sortBy],
  ['optMap/2', optional('optMap')],
  ['optFlatMap/2', optional('optFlatMap')],
  ['all/3', all(2)],
  ['exists/3', exists(2)],
  ['existsOne/3', existsOne(2)],
  ['exists_one/3', existsOne(2)],
  ['transformList/3', toList(2)],
  ['transformList/4', toList(2)],
  ['transformMap/3', toMap(false)],
  ['transformMap/4', toMap(false)],
  ['transformMapEntry/3', toMap(true)],
  ['transformMapEntry/4', toMap(true)],
]);
