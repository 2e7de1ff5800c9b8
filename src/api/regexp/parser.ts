/** Parses the syntax of Go's regexp package (RE2 with Perl's additions), with Go's complaints. */
import { LIMITS } from '../../lib/limits.ts';
import {
  ANY,
  ANY_BUT_NEWLINE,
  type CharacterClass,
  ClassBuilder,
  PERL_CLASSES,
  POSIX_CLASSES,
  singleClass,
  unicodeClass,
} from './character-class.ts';
import { EMPTY, type Expression } from './expression.ts';
import { type RegexpProblem, RegexpSyntaxError } from './syntax-error.ts';

interface Flags {
  readonly foldCase: boolean;
  readonly multiLine: boolean;
  readonly dotNewline: boolean;
  readonly ungreedy: boolean;
}

/** Throws {@link RegexpSyntaxError}. */
export function parseExpression(pattern: string): Expression {
  return new Parser(pattern).parse();
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #flags: Flags = { foldCase: false, multiLine: false, dotNewline: false, ungreedy: false };
  readonly #names = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Expression {
    const expression = this.#alternation();
    if (this.#at < this.#text.length) throw this.#error('unexpected )', this.#text);
    return expression;
  }

  #error(problem: RegexpProblem, where: string): RegexpSyntaxError {
    return new RegexpSyntaxError(problem, where);
  }

  #startsWith(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  /** The character here as a code point, and steps behind it. */
  #next(): number {
    const codePoint = this.#text.codePointAt(this.#at) ?? 0;
    this.#at += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  #alternation(): Expression {
    const parts = [this.#concatenation()];
    while (this.#startsWith('|')) {
      this.#at++;
      parts.push(this.#concatenation());
    }
    return parts.length === 1 ? (parts[0] ?? EMPTY) : { type: 'alternate', parts };
  }

  #concatenation(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#text.length && !this.#startsWith('|') && !this.#startsWith(')')) {
      if (this.#startsWith('\\Q')) {
        this.#literal(parts);
        if (parts.length === 0) continue;
      } else {
        const start = this.#at;
        const one = this.#single();
        // Flags alone, such as `(?i)`: nothing that could be repeated.
        if (one === undefined) continue;
        parts.push(one);
        if (this.#at === start) throw new Error('the parser of expressions does not advance');
      }
      parts.push(this.#repeated(parts.pop() ?? EMPTY));
    }
    return parts.length === 1 ? (parts[0] ?? EMPTY) : { type: 'concat', parts };
  }

  /** `\Q…\E` */
  #literal(parts: Expression[]): void {
    this.#at += 2;
    const end = this.#text.indexOf('\\E', this.#at);
    const stop = end < 0 ? this.#text.length : end;
    while (this.#at < stop) parts.push(this.#character(this.#next()));
    if (end >= 0) this.#at += 2;
  }

  #character(codePoint: number): Expression {
    return { type: 'class', members: singleClass(codePoint, this.#flags.foldCase) };
  }

  #single(): Expression | undefined {
    switch (this.#text[this.#at]) {
      case '(':
        return this.#group();
      case '[':
        return { type: 'class', members: this.#bracket() };
      case '.':
        this.#at++;
        return { type: 'class', members: this.#flags.dotNewline ? ANY : ANY_BUT_NEWLINE };
      case '^':
        this.#at++;
        return { type: 'assert', assertion: this.#flags.multiLine ? 'beginLine' : 'beginText' };
      case '$':
        this.#at++;
        return { type: 'assert', assertion: this.#flags.multiLine ? 'endLine' : 'endText' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw this.#error('missing argument to repetition operator', this.#text[this.#at] ?? '');
      case '{': {
        const count = this.#count();
        if (count) throw this.#error('missing argument to repetition operator', count.text);
        break;
      }
    }
    return this.#character(this.#next());
  }

  #group(): Expression | undefined {
    const outer = this.#flags;
    if (++this.#depth > LIMITS.api.regexpDepth) throw this.#error('expression nests too deeply', this.#text);
    if (this.#startsWith('(?')) {
      if (this.#startsWith('(?P<') || this.#startsWith('(?<')) this.#captureName();
      else if (!this.#groupFlags()) {
        this.#depth--;
        return undefined;
      }
    } else this.#at++;
    const inner = this.#alternation();
    if (!this.#startsWith(')')) throw this.#error('missing closing )', this.#text);
    this.#at++;
    this.#depth--;
    this.#flags = outer;
    return inner;
  }

  #captureName(): void {
    const begin = this.#at + (this.#startsWith('(?P<') ? 4 : 3);
    const end = this.#text.indexOf('>', begin);
    if (end < 0) throw this.#error('invalid named capture', this.#text.slice(this.#at));
    const name = this.#text.slice(begin, end);
    if (!/^\w+$/.test(name)) throw this.#error('invalid named capture', this.#text.slice(this.#at, end + 1));
    if (this.#names.has(name)) throw this.#error('duplicate capture group name', name);
    this.#names.add(name);
    this.#at = end + 1;
  }

  /** `(?i-s:` or `(?i)`; true when a group begins. */
  #groupFlags(): boolean {
    const start = this.#at;
    let at = start + 2;
    let isOn = true;
    let isSet = false;
    const flags = { ...this.#flags };
    for (; ; at++) {
      const letter = this.#text[at];
      if (letter === 'i') flags.foldCase = isOn;
      else if (letter === 'm') flags.multiLine = isOn;
      else if (letter === 's') flags.dotNewline = isOn;
      else if (letter === '-' && isOn) {
        isOn = false;
        isSet = false;
        continue;
      } else if (letter === ':' || letter === ')') break;
      else if (letter === undefined) throw this.#error('missing closing )', this.#text);
      else if (letter === 'U') flags.ungreedy = isOn;
      else throw this.#error('invalid or unsupported Perl syntax', this.#text.slice(start, at + 1));
      isSet = true;
    }
    // `(?-)` turns nothing off.
    if (!isOn && !isSet)
      throw this.#error('invalid or unsupported Perl syntax', this.#text.slice(start, at + 1));
    this.#at = at + 1;
    const isGroup = this.#text[at] === ':';
    this.#flags = flags;
    return isGroup;
  }

  /** What follows an atom: `*`, `+`, `?`, `{n,m}`, each perhaps with a `?` behind. */
  #repeated(atom: Expression): Expression {
    const start = this.#at;
    const first = this.#operator();
    if (!first) return atom;
    const behind = this.#at;
    if (this.#operator())
      throw this.#error('invalid nested repetition operator', this.#text.slice(start, this.#at));
    this.#at = behind;
    const isLazy = first.isMarked !== this.#flags.ungreedy;
    const repeat = { type: 'repeat', part: atom, min: first.min, max: first.max, isLazy } as const;
    const whole = this.#text.slice(start, behind);
    if (whole.startsWith('{') && largestCount(repeat) > MAX_COUNT)
      throw this.#error('invalid repeat count', whole.replace(/\?$/, ''));
    return repeat;
  }

  #operator():
    | { readonly min: number; readonly max: number | undefined; readonly isMarked: boolean }
    | undefined {
    const operators: Readonly<Record<string, { min: number; max: number | undefined }>> = {
      '*': { min: 0, max: undefined },
      '+': { min: 1, max: undefined },
      '?': { min: 0, max: 1 },
    };
    const letter = this.#text[this.#at] ?? '';
    const simple = operators[letter];
    if (simple) this.#at++;
    const found = simple ?? (letter === '{' ? this.#count() : undefined);
    if (!found) return undefined;
    const isMarked = this.#startsWith('?');
    if (isMarked) this.#at++;
    return { min: found.min, max: found.max, isMarked };
  }

  /** `{3}`, `{3,}`, `{3,5}`; anything else is a literal brace. */
  #count(): { readonly min: number; readonly max: number | undefined; readonly text: string } | undefined {
    const match = /^\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}/.exec(this.#text.slice(this.#at, this.#at + 64));
    if (!match) return undefined;
    const [text, low = '', comma, high] = match;
    const min = Number(low);
    const max = comma === undefined ? min : high === undefined ? undefined : Number(high);
    if (min > MAX_COUNT || (max !== undefined && (max > MAX_COUNT || max < min)))
      throw this.#error('invalid repeat count', text);
    this.#at += text.length;
    return { min, max, text };
  }

  #escape(): Expression {
    const start = this.#at;
    const letter = this.#text[start + 1];
    const asserted = { A: 'beginText', z: 'endText', b: 'word', B: 'notWord' } as const;
    if (letter !== undefined && Object.hasOwn(asserted, letter)) {
      this.#at += 2;
      return { type: 'assert', assertion: asserted[letter as keyof typeof asserted] };
    }
    const known = this.#classEscape();
    if (known) return { type: 'class', members: known };
    return this.#character(this.#escapedCharacter());
  }

  /** `\d`, `\pL`, `\P{Greek}`; `undefined` when it is something else. */
  #classEscape(): CharacterClass | undefined {
    const letter = this.#text[this.#at + 1] ?? '';
    if (Object.hasOwn(PERL_CLASSES, letter)) {
      this.#at += 2;
      return PERL_CLASSES[letter];
    }
    if (letter !== 'p' && letter !== 'P') return undefined;
    const match = /^\\[pP](?:\{(\^?)([^}]*)\}|(.))/u.exec(this.#text.slice(this.#at));
    if (!match) throw this.#error('invalid character class range', this.#text.slice(this.#at));
    const [text, caret = '', long, short] = match;
    const negated = (letter === 'P') !== (caret === '^');
    const members = unicodeClass(long ?? short ?? '', negated);
    if (!members) throw this.#error('invalid character class range', text);
    this.#at += text.length;
    return members;
  }

  /** An escape that stands for one character. */
  #escapedCharacter(): number {
    const start = this.#at;
    this.#at++;
    if (this.#at >= this.#text.length) throw this.#error('trailing backslash at end of expression', '');
    const codePoint = this.#next();
    const letter = String.fromCodePoint(codePoint);
    if (Object.hasOwn(ESCAPES, letter)) return ESCAPES[letter] ?? 0;
    if (codePoint < 0x80 && !/\w/.test(letter)) return codePoint;
    const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(this.#text.slice(start + 1));
    if (octal) {
      this.#at = start + 1 + octal[0].length;
      return Number.parseInt(octal[0], 8);
    }
    const hex = /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})/.exec(this.#text.slice(start + 1));
    const value = hex ? Number.parseInt(hex[1] ?? hex[2] ?? '', 16) : Number.NaN;
    if (hex && value <= 0x10ffff) {
      this.#at = start + 1 + hex[0].length;
      return value;
    }
    throw this.#error('invalid escape sequence', this.#text.slice(start, this.#at));
  }

  #bracket(): CharacterClass {
    const start = this.#at;
    this.#at++;
    const negated = this.#startsWith('^');
    if (negated) this.#at++;
    const builder = new ClassBuilder();
    let isFirst = true;
    while (isFirst || !this.#startsWith(']')) {
      if (this.#at >= this.#text.length) throw this.#error('missing closing ]', this.#text.slice(start));
      // Go, unlike POSIX, takes a dash anywhere but reads `a-b-c` as an error.
      if (this.#startsWith('-') && !isFirst && !this.#text.startsWith(']', this.#at + 1)) {
        const following = /^-(?:.|$)/su.exec(this.#text.slice(this.#at))?.[0] ?? '-';
        throw this.#error('invalid character class range', following);
      }
      isFirst = false;
      if (this.#posix(builder)) continue;
      const known = this.#startsWith('\\') ? this.#classEscape() : undefined;
      if (known) builder.add(known);
      else this.#range(builder, start);
    }
    this.#at++;
    return builder.build({ negated, foldCase: this.#flags.foldCase });
  }

  #posix(builder: ClassBuilder): boolean {
    if (!this.#startsWith('[:')) return false;
    const end = this.#text.indexOf(':]', this.#at + 2);
    if (end < 0) return false;
    const text = this.#text.slice(this.#at, end + 2);
    const isNot = text[2] === '^';
    const name = text.slice(isNot ? 3 : 2, -2);
    const ranges = Object.hasOwn(POSIX_CLASSES, name) ? POSIX_CLASSES[name] : undefined;
    if (!ranges) throw this.#error('invalid character class range', text);
    builder.add({
      has: (codePoint) => ranges.some(([low, high]) => codePoint >= low && codePoint <= high) !== isNot,
    });
    this.#at = end + 2;
    return true;
  }

  #range(builder: ClassBuilder, bracket: number): void {
    const start = this.#at;
    const low = this.#classCharacter(bracket);
    let high = low;
    const isRange = this.#startsWith('-') && !this.#text.startsWith(']', this.#at + 1);
    if (isRange && this.#at + 1 < this.#text.length) {
      this.#at++;
      high = this.#classCharacter(bracket);
      if (high < low) throw this.#error('invalid character class range', this.#text.slice(start, this.#at));
    }
    builder.range(low, high);
  }

  #classCharacter(bracket: number): number {
    if (this.#at >= this.#text.length) throw this.#error('missing closing ]', this.#text.slice(bracket));
    return this.#startsWith('\\') ? this.#escapedCharacter() : this.#next();
  }
}

/** Go's limit of a repetition, nested ones multiplied. */
const MAX_COUNT = 1000;

function largestCount(expression: Expression): number {
  switch (expression.type) {
    case 'repeat': {
      const times = Math.max(expression.max ?? expression.min, 1);
      return times * largestCount(expression.part);
    }
    case 'concat':
    case 'alternate':
      return Math.max(1, ...expression.parts.map(largestCount));
    default:
      return 1;
  }
}
