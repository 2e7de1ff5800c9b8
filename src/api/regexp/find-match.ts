import { holds, type Kind, kindOf } from './assertion.ts';
import type { Program } from './program.ts';

/** Where a match lies, in UTF-16 units. */
export interface Match {
  readonly start: number;
  readonly end: number;
}

/**
 * The leftmost match, and of several there the one that the expression prefers: all ways are followed at once, in
 * order of preference (Pike's machine, https://swtch.com/~rsc/regexp/regexp2.html).
 */
export function findMatch(
  program: Program,
  text: string,
  { from, work }: { from: number; work: (steps: number) => void },
): Match | undefined {
  let threads = new Threads(program);
  let next = new Threads(program);
  let found: Match | undefined;
  let before = from > 0 ? kindOf(text.codePointAt(from - 1) ?? 0) : ('none' as const);
  for (let at = from; ; ) {
    const codePoint = text.codePointAt(at);
    const after = codePoint === undefined ? 'none' : kindOf(codePoint);
    // Threads that arrived here first: they began further left.
    const current = next;
    next = threads;
    next.clear();
    threads = current;
    current.settle(before, after, found ? undefined : at);
    if (current.size === 0 && found) return found;
    work(current.size + 1);
    const behind = at + (codePoint !== undefined && codePoint > 0xffff ? 2 : 1);
    for (const { position, start } of current.settled()) {
      const instruction = program.instructions[position];
      if (instruction?.op === 'match') {
        found = { start, end: at };
        // What follows is less preferred.
        break;
      }
      if (codePoint !== undefined && instruction?.op === 'class' && instruction.members.has(codePoint))
        next.arrive(instruction.next, start);
    }
    if (codePoint === undefined) return found;
    at = behind;
    before = after;
  }
}

interface Thread {
  readonly position: number;
  /** Where its match began. */
  readonly start: number;
}

/** Ways to match under way, in order of preference. */
class Threads {
  readonly #program: Program;
  #arrived: Thread[] = [];
  #settled: Thread[] = [];

  constructor(program: Program) {
    this.#program = program;
  }
  get size(): number {
    return this.#settled.length;
  }
  settled(): readonly Thread[] {
    return this.#settled;
  }
  clear(): void {
    this.#arrived = [];
    this.#settled = [];
  }
  arrive(position: number, start: number): void {
    this.#arrived.push({ position, start });
  }
  /** Follows everything that needs no character; a new match begins at `fresh`. */
  settle(before: Kind, after: Kind, fresh: number | undefined): void {
    const { instructions, start: first } = this.#program;
    if (fresh !== undefined) this.arrive(first, fresh);
    const seen = new Set<number>();
    for (const { position: arrived, start } of this.#arrived) {
      const pending = [arrived];
      for (let position = pending.pop(); position !== undefined; position = pending.pop()) {
        if (seen.has(position)) continue;
        seen.add(position);
        const instruction = instructions[position];
        if (instruction?.op === 'split') pending.push(instruction.other, instruction.next);
        else if (instruction?.op === 'assert') {
          if (holds(instruction.assertion, before, after)) pending.push(instruction.next);
        } else this.#settled.push({ position, start });
      }
    }
  }
}
