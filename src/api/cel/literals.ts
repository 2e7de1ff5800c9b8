import type { ExpressionOf } from './expression.ts';
import type { Issue } from './issue.ts';
import { regexOf } from './regexp-cache.ts';
import { parseDuration, parseTimestamp } from './time.ts';
import { CelError } from './values.ts';

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
