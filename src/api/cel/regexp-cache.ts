import { LIMITS } from '../../lib/limits.ts';
import { compileGoRegexp, type GoRegexp } from '../regexp/go-regexp.ts';
import { RegexpSyntaxError } from '../regexp/syntax-error.ts';
import { CelError } from './values.ts';

const compiled = new Map<string, GoRegexp>();

/** The expression of a pattern, compiled once while it is in use. What is wrong with it is a `CelError`. */
export function regexOf(pattern: string): GoRegexp {
  const known = compiled.get(pattern);
  if (known) return known;
  try {
    const regex = compileGoRegexp(pattern);
    if (compiled.size >= LIMITS.cel.patterns) compiled.delete(compiled.keys().next().value ?? '');
    compiled.set(pattern, regex);
    return regex;
  } catch (error) {
    if (error instanceof RegexpSyntaxError) throw new CelError(error.message);
    throw error;
  }
}
