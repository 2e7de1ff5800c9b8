/** Parser of the text form of label selectors: `app=web,tier in (a,b),!canary`. */
import { LIMITS } from '../lib/limits.ts';
import { invalidValue } from './field-errors.ts';
import {
  EVERYTHING,
  type LabelOperator,
  type LabelRequirement,
  labelRequirement,
  Selector,
  SelectorError,
} from './labels.ts';
import { labelKeyProblems } from './names.ts';

interface Token {
  readonly kind: 'word' | 'symbol' | 'error' | 'end';
  readonly text: string;
}

const END: Token = { kind: 'end', text: '' };
const SYMBOL_CHARACTERS = '=!(),><';
const SYMBOLS = new Set([')', ',', '!', '==', '=', '>', '<', '!=', '(']);
const BINARY: Readonly<Record<string, LabelOperator>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
};
const BINARY_NAMES = 'in, notin, =, ==, !=, gt, lt';

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at] ?? '';
    if (/[ \t\r\n]/.test(character)) {
      at++;
    } else if (SYMBOL_CHARACTERS.includes(character)) {
      const two = text.slice(at, at + 2);
      const symbol = SYMBOLS.has(two) ? two : character;
      tokens.push({ kind: 'symbol', text: symbol });
      at += symbol.length;
    } else {
      const start = at;
      while (at < text.length && !/[ \t\r\n=!(),><]/.test(text[at] ?? '')) at++;
      tokens.push({ kind: 'word', text: text.slice(start, at) });
    }
  }
  tokens.push(END);
  return tokens;
}

/** Reads a selector from its text; empty text selects everything. Throws {@link SelectorError}. */
export function parseLabelSelector(text: string): Selector {
  if (text === '') return EVERYTHING;
  if (text.length > LIMITS.api.selectorChars) {
    throw new SelectorError(`selector must be no more than ${LIMITS.api.selectorChars} characters`);
  }
  const parser = new Parser(tokenize(text));
  return new Selector(parser.parse());
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): LabelRequirement[] {
    const found: LabelRequirement[] = [];
    for (;;) {
      const next = this.#peek();
      if (next.kind === 'end') return found;
      if (next.kind !== 'word' && next.text !== '!') {
        throw new SelectorError(`found '${next.text}', expected: !, identifier, or 'end of string'`);
      }
      found.push(this.#requirement());
      const separator = this.#take();
      if (separator.kind === 'end') return found;
      if (separator.text !== ',' || separator.kind !== 'symbol') {
        throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`);
      }
      const after = this.#peek();
      if (after.kind !== 'word' && after.text !== '!') {
        throw new SelectorError(`found '${after.text}', expected: identifier after ','`);
      }
    }
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? END;
  }

  #take(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #isAtEndOfTerm(): boolean {
    const next = this.#peek();
    return next.kind === 'end' || (next.kind === 'symbol' && next.text === ',');
  }

  #requirement(): LabelRequirement {
    try {
      const first = this.#take();
      const isNegated = first.kind === 'symbol' && first.text === '!';
      const key = isNegated ? this.#take() : first;
      if (key.kind !== 'word') throw new SelectorError(`found '${key.text}', expected: identifier`);
      const problems = labelKeyProblems(key.text);
      if (problems.length > 0) {
        // Upstream prints its nil path as `<nil>`; clients have long learned to read it.
        const { field, message } = invalidValue('<nil>', key.text, problems.join('; '));
        throw new SelectorError(`${field}: ${message}`);
      }
      if (isNegated) return labelRequirement(key.text, '!', []);
      if (this.#isAtEndOfTerm()) return labelRequirement(key.text, 'exists', []);
      const operator = this.#operator();
      const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#exactValue()];
      return labelRequirement(key.text, operator, [...new Set(values)].sort());
    } catch (error) {
      if (error instanceof SelectorError) {
        throw new SelectorError(`unable to parse requirement: ${error.message}`);
      }
      throw error;
    }
  }

  #operator(): LabelOperator {
    const { text } = this.#take();
    const operator = Object.hasOwn(BINARY, text) ? BINARY[text] : undefined;
    if (operator === undefined) throw new SelectorError(`found '${text}', expected: ${BINARY_NAMES}`);
    return operator;
  }

  #exactValue(): string {
    if (this.#isAtEndOfTerm()) return '';
    const token = this.#take();
    if (token.kind === 'word') return token.text;
    throw new SelectorError(`found '${token.text}', expected: identifier`);
  }

  /** `(a,b)`; an empty place between commas is the empty value. */
  #values(): string[] {
    const open = this.#take();
    if (open.text !== '(' || open.kind !== 'symbol') {
      throw new SelectorError(`found '${open.text}' expected: '('`);
    }
    const values: string[] = [];
    for (;;) {
      if (this.#peek().kind === 'word') values.push(this.#take().text);
      else values.push('');
      const token = this.#take();
      if (token.kind === 'symbol' && token.text === ')') return values;
      if (token.kind === 'symbol' && token.text === ',') continue;
      throw new SelectorError(`found '${token.text}', expected: ',' or ')'`);
    }
  }
}
