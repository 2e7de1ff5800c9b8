import { LIMITS } from '../../lib/limits.ts';
import type { CharacterClass } from './character-class.ts';
import type { Assertion, Expression } from './expression.ts';
import { RegexpSyntaxError } from './syntax-error.ts';

/** One step of a machine that is in many states at once (Thompson's construction). */
export type Instruction =
  | { readonly op: 'match' }
  | { readonly op: 'class'; readonly members: CharacterClass; readonly next: number }
  | { readonly op: 'assert'; readonly assertion: Assertion; readonly next: number }
  /** `next` is what a match prefers. */
  | { readonly op: 'split'; readonly next: number; readonly other: number };

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly start: number;
}

/** Instructions are written back to front, so that each knows where it goes on. Throws for too many of them. */
export function compileProgram(expression: Expression, pattern: string): Program {
  const instructions: Instruction[] = [{ op: 'match' }];
  const emit = (instruction: Instruction): number => {
    if (instructions.length >= LIMITS.api.regexpInstructions)
      throw new RegexpSyntaxError('expression too large', pattern);
    return instructions.push(instruction) - 1;
  };
  const compile = (part: Expression, next: number): number => {
    switch (part.type) {
      case 'empty':
        return next;
      case 'class':
        return emit({ op: 'class', members: part.members, next });
      case 'assert':
        return emit({ op: 'assert', assertion: part.assertion, next });
      case 'concat':
        return part.parts.reduceRight((after, one) => compile(one, after), next);
      case 'alternate':
        return part.parts
          .map((one) => compile(one, next))
          .reduceRight((other, one) => emit({ op: 'split', next: one, other }));
      case 'repeat':
        return repeat(part, next);
    }
  };
  const split = (into: number, past: number, isLazy: boolean): Instruction =>
    isLazy ? { op: 'split', next: past, other: into } : { op: 'split', next: into, other: past };
  const repeat = (
    { part, min, max, isLazy }: Extract<Expression, { type: 'repeat' }>,
    next: number,
  ): number => {
    let after = next;
    if (max === undefined) {
      // The loop is known only once its body is, which leads back to it.
      const loop = emit({ op: 'split', next, other: next });
      instructions[loop] = split(compile(part, loop), next, isLazy);
      after = loop;
    } else {
      for (let time = min; time < max; time++) after = emit(split(compile(part, after), next, isLazy));
    }
    for (let time = 0; time < min; time++) after = compile(part, after);
    return after;
  };
  const start = compile(expression, 0);
  return { instructions, start };
}
