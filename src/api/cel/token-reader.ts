import { IssueError } from './issue.ts';
import type { Token } from './lexer.ts';

/** Goes through tokens; says in ANTLR's words what it found instead of what was expected. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #index = 0;

  /** The last one has to be the `end`. */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get next(): Token {
    return this.#tokens[this.#index]!;
  }
  take(): Token {
    const token = this.next;
    if (token.kind !== 'end') this.#index++;
    return token;
  }
  peek(count: number): Token | undefined {
    return this.#tokens[this.#index + count];
  }
  skip(count: number): void {
    this.#index += count;
  }
  isAt(text: string): boolean {
    const { kind, text: found } = this.next;
    return found === text && (kind === 'symbol' || kind === 'ident');
  }
  accept(text: string): Token | undefined {
    return this.isAt(text) ? this.take() : undefined;
  }
  expect(text: string, ...orElse: readonly string[]): Token {
    const found = this.accept(text);
    if (found) return found;
    if (orElse.length > 0)
      throw this.unexpected(`{${[text, ...orElse].map((one) => `'${one}'`).join(', ')}}`);
    throw this.unexpected(`'${text}'`);
  }
  /** ANTLR's sentence: a token that would do no harm if it were absent is extraneous. */
  unexpected(expected: string): IssueError {
    const { text, at, kind } = this.next;
    const after = this.#tokens[this.#index + 1];
    const isExtra = kind !== 'end' && expected === '<EOF>' && after?.kind === 'end';
    const word = isExtra ? 'extraneous' : 'mismatched';
    return new IssueError(at, `Syntax error: ${word} input '${text}' expecting ${expected}`);
  }
}
