import { LIMITS } from '../../lib/limits.ts';
import type { Entry, Expression, ExpressionOf, FieldEntry, Fold, Literal } from './expression.ts';
import { IssueError } from './issue.ts';

/** The accumulator of macros: no identifier can have this name. */
export const ACCUMULATOR = '@result';

type Shape<Op extends Expression['op']> = Omit<ExpressionOf<Op>, 'id' | 'at' | 'height' | 'op'>;

/** Makes the nodes of one expression: numbers them and bounds how many and how deep they are. */
export class ExpressionBuilder {
  #last = 0;

  #node(at: number, below: readonly Expression[]): { id: number; at: number; height: number } {
    this.#last++;
    if (this.#last > LIMITS.cel.nodes) throw new IssueError(-1, 'expression is too large');
    let height = 1;
    for (const child of below) if (child.height >= height) height = child.height + 1;
    if (height > LIMITS.cel.depth)
      throw new IssueError(-1, `expression recursion limit exceeded: ${LIMITS.cel.depth}`);
    return { id: this.#last, at, height };
  }

  literal(at: number, value: Literal): Expression {
    return { ...this.#node(at, []), op: 'literal', value };
  }
  ident(at: number, name: string): Expression {
    return { ...this.#node(at, []), op: 'ident', name };
  }
  select(at: number, { operand, field, isTest }: Shape<'select'>): Expression {
    return { ...this.#node(at, [operand]), op: 'select', operand, field, isTest };
  }
  call(at: number, name: string, args: readonly Expression[], target?: Expression): Expression {
    return { ...this.#node(at, target ? [target, ...args] : args), op: 'call', name, args, target };
  }
  list(at: number, items: readonly Expression[], optional: readonly number[] = []): Expression {
    return { ...this.#node(at, items), op: 'list', items, optional };
  }
  map(at: number, entries: readonly Entry[]): Expression {
    const below = entries.flatMap(({ key, value }) => [key, value]);
    return { ...this.#node(at, below), op: 'map', entries };
  }
  struct(at: number, type: string, entries: readonly FieldEntry[]): Expression {
    const below = entries.map(({ value }) => value);
    return { ...this.#node(at, below), op: 'struct', type, entries };
  }
  fold(at: number, fold: Fold): Expression {
    const { range, initial, condition, step, result } = fold;
    return { ...this.#node(at, [range, initial, condition, step, result]), op: 'fold', ...fold };
  }
  accumulator(at: number): Expression {
    return this.ident(at, ACCUMULATOR);
  }
}
