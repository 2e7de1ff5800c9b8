import type { Uint } from './values.ts';

/** What a literal may hold. */
export type Literal = null | boolean | bigint | number | string | Uint | Uint8Array;

interface Node {
  /** Unique within one expression; types and overloads that the checker found are kept by it. */
  readonly id: number;
  /** Where it stands in the source, in code points. */
  readonly at: number;
  /** Of the tree below and with it, so that no walk goes deeper than `LIMITS.cel.depth` allows. */
  readonly height: number;
}

export interface Entry {
  readonly at: number;
  readonly key: Expression;
  readonly value: Expression;
  readonly isOptional: boolean;
}

export interface FieldEntry {
  readonly at: number;
  readonly name: string;
  readonly value: Expression;
  readonly isOptional: boolean;
}

/** A loop, as every macro becomes one (CEL spec, Comprehension): a fold over a list's items or a map's keys. */
export interface Fold {
  readonly range: Expression;
  readonly variable: string;
  /** Given: `variable` is the index or key, this the value. */
  readonly variable2?: string | undefined;
  readonly accumulator: string;
  readonly initial: Expression;
  readonly condition: Expression;
  readonly step: Expression;
  readonly result: Expression;
}

/** The syntax tree of one expression after macros were expanded. Calls of operators have names such as `_+_`. */
export type Expression = Node &
  (
    | { readonly op: 'literal'; readonly value: Literal }
    | { readonly op: 'ident'; readonly name: string }
    | {
        readonly op: 'select';
        readonly operand: Expression;
        readonly field: string;
        /** `has(operand.field)` */
        readonly isTest: boolean;
      }
    | {
        readonly op: 'call';
        readonly name: string;
        readonly target?: Expression | undefined;
        readonly args: readonly Expression[];
      }
    | { readonly op: 'list'; readonly items: readonly Expression[]; readonly optional: readonly number[] }
    | { readonly op: 'map'; readonly entries: readonly Entry[] }
    | { readonly op: 'struct'; readonly type: string; readonly entries: readonly FieldEntry[] }
    | ({ readonly op: 'fold' } & Fold)
  );

export type ExpressionOf<Op extends Expression['op']> = Extract<Expression, { op: Op }>;

/** `a.b.c` as one name, where it is nothing but names. */
export function qualifiedName(node: Expression): string | undefined {
  if (node.op === 'ident') return node.name;
  if (node.op !== 'select' || node.isTest) return undefined;
  const prefix = qualifiedName(node.operand);
  return prefix === undefined ? undefined : `${prefix}.${node.field}`;
}
