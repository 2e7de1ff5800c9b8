import type { ExpressionOf, Literal } from './expression.ts';
import type { Issue } from './issue.ts';
import { regexOf } from './regexp-cache.ts';
import { parseDuration, parseTimestamp } from './time.ts';
import { BOOL, BYTES, type CelType, DOUBLE, INT, NULL, STRING, UINT } from './types.ts';
import { CelError, Uint } from './values.ts';

const CHECKS: ReadonlyMap<string, (text: string) => unknown> = new Map<string, (text: string) => unknown>([
  ['duration', parseDuration],
  ['timestamp', parseTimestamp],
  ['matches', regexOf],
]);

/** A literal that can only fail when the expression runs (cel-go's validators of literals). */
export function literalProblem({ name, args: [argument] }: ExpressionOf<'call'>): Issue | undefined {
  const read = CHECKS.get(name);
  if (!read || argument?.op !== 'literal' || typeof argument.value !== 'string') return undefined;
  try {
    read(argument.value);
    return undefined;
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return { at: argument.at, message: `invalid ${name} argument` };
  }
}

export function literalType(value: Literal): CelType {
  if (value === null) return NULL;
  if (value instanceof Uint) return UINT;
  if (typeof value === 'object') return BYTES;
  if (typeof value === 'boolean') return BOOL;
  if (typeof value === 'bigint') return INT;
  return typeof value === 'number' ? DOUBLE : STRING;
}
