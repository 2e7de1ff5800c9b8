import { LIMITS } from '../../lib/limits.ts';
import { holds, type Kind, kindOf } from './assertion.ts';
import { findMatch, type Match } from './find-match.ts';
import { parseExpression } from './parser.ts';
import { compileProgram, type Program } from './program.ts';

/**
 * A regular expression as Go's regexp package reads it. Matching takes time in proportion to the text, whatever the
 * expression: those of clients cannot stall the server as they could JavaScript's own engine.
 */
export interface GoRegexp {
  /**
   * Whether it matches anywhere in `text`. `work` is told about steps before they are made, and may throw; a look at
   * each character, which costs little, is for the caller to count.
   */
  test(text: string, work?: Work): boolean;
  /** The leftmost match that begins at `from` or later, the one Go prefers. */
  find(text: string, from: number, work: Work): Match | undefined;
}

export type Work = (steps: number) => void;

/** Throws `RegexpSyntaxError` in Go's words. */
export function compileGoRegexp(pattern: string): GoRegexp {
  return new Matcher(compileProgram(parseExpression(pattern), pattern));
}

/** Positions in the program before a character, and what stood before it. Where each character leads is remembered. */
class State {
  readonly positions: readonly number[];
  readonly before: Kind;
  readonly #next = new Map<number, State | 'matched'>();

  constructor(positions: readonly number[], before: Kind) {
    this.positions = positions;
    this.before = before;
  }
  follow(codePoint: number, find: () => State | 'matched'): State | 'matched' {
    let next = this.#next.get(codePoint);
    if (next === undefined) {
      next = find();
      if (this.#next.size < LIMITS.api.regexpTransitions) this.#next.set(codePoint, next);
    }
    return next;
  }
}

class Matcher implements GoRegexp {
  readonly #program: Program;
  readonly #states = new Map<string, State>();
  /** Positions in all states that are remembered. */
  #kept = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  find(text: string, from: number, work: Work): Match | undefined {
    return findMatch(this.#program, text, { from, work });
  }

  test(text: string, work: Work = () => {}): boolean {
    let state = this.#state([], 'none');
    for (let at = 0; at < text.length; ) {
      const codePoint = text.codePointAt(at) ?? 0;
      at += codePoint > 0xffff ? 2 : 1;
      const here = state;
      const next = here.follow(codePoint, () => this.#step(here, codePoint, work));
      if (next === 'matched') return true;
      state = next;
    }
    return this.#reachable(state, 'none') === 'matched';
  }

  #step(state: State, codePoint: number, work: Work): State | 'matched' {
    const reachable = this.#reachable(state, kindOf(codePoint));
    if (reachable === 'matched') return 'matched';
    work(reachable.size);
    const { instructions } = this.#program;
    const next = new Set<number>();
    for (const position of reachable) {
      const instruction = instructions[position];
      if (instruction?.op === 'class' && instruction.members.has(codePoint)) next.add(instruction.next);
    }
    return this.#state(
      [...next].sort((a, b) => a - b),
      kindOf(codePoint),
    );
  }

  #state(positions: readonly number[], before: Kind): State {
    const key = `${before}:${positions.join(',')}`;
    let state = this.#states.get(key);
    if (!state) {
      this.#kept += positions.length;
      // Starting over costs time, not correctness.
      if (this.#states.size >= LIMITS.api.regexpStates || this.#kept > LIMITS.api.regexpPositions) {
        this.#states.clear();
        this.#kept = positions.length;
      }
      state = new State(positions, before);
      this.#states.set(key, state);
    }
    return state;
  }

  /** All positions that wait for a character, a new attempt from here included. */
  #reachable({ positions, before }: State, after: Kind): ReadonlySet<number> | 'matched' {
    const { instructions, start } = this.#program;
    const seen = new Set<number>();
    const pending = [...positions, start];
    for (let position = pending.pop(); position !== undefined; position = pending.pop()) {
      if (seen.has(position)) continue;
      seen.add(position);
      const instruction = instructions[position];
      if (instruction?.op === 'match') return 'matched';
      if (instruction?.op === 'split') pending.push(instruction.next, instruction.other);
      else if (instruction?.op === 'assert' && holds(instruction.assertion, before, after))
        pending.push(instruction.next);
    }
    return seen;
  }
}
