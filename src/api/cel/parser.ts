import { LIMITS } from '../../lib/limits.ts';
import { ExpressionBuilder } from './builder.ts';
import type { Entry, Expression, FieldEntry } from './expression.ts';
import { type Issue, IssueError } from './issue.ts';
import { countCodePoints, type Token, tokenize, unquote } from './lexer.ts';
import { expandMacro } from './macros.ts';
import { isInt64, isUint64, Uint } from './values.ts';

const OPERAND =
  "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER";

/** Not to be used as variables; fields may have these names. */
const RESERVED: ReadonlySet<string> = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const KEYWORDS: ReadonlySet<string> = new Set(['true', 'false', 'null', 'in']);
const RELATIONS: ReadonlySet<string> = new Set(['<', '<=', '>=', '>', '==', '!=', 'in']);

/** Reads an expression and expands its macros. Either a tree, or at least one issue in upstream's words. */
export function parse(source: string): { tree?: Expression; issues: readonly Issue[] } {
  const size = countCodePoints(source);
  if (size > LIMITS.cel.expressionChars) {
    const message = `expression code point size exceeds limit: size: ${size}, limit ${LIMITS.cel.expressionChars}`;
    return { issues: [{ at: -1, message }] };
  }
  const { tokens, issues } = tokenize(source);
  try {
    const tree = new Parser(tokens).parse();
    return issues.length > 0 ? { issues } : { tree, issues };
  } catch (error) {
    if (!(error instanceof IssueError)) throw error;
    return { issues: [...issues, { at: error.at, message: error.message }] };
  }
}

/** Recursive descent over CEL's grammar; one method for each rule. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #build = new ExpressionBuilder();
  #index = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    const tree = this.#expression();
    if (this.#next.kind !== 'end') throw this.#unexpected('<EOF>');
    return tree;
  }

  get #next(): Token {
    return this.#tokens[this.#index]!;
  }
  #take(): Token {
    const token = this.#next;
    if (token.kind !== 'end') this.#index++;
    return token;
  }
  #isAt(text: string): boolean {
    const { kind, text: found } = this.#next;
    return found === text && (kind === 'symbol' || kind === 'ident');
  }
  #accept(text: string): Token | undefined {
    return this.#isAt(text) ? this.#take() : undefined;
  }
  #expect(text: string, ...orElse: readonly string[]): Token {
    const found = this.#accept(text);
    if (found) return found;
    if (orElse.length > 0)
      throw this.#unexpected(`{${[text, ...orElse].map((one) => `'${one}'`).join(', ')}}`);
    throw this.#unexpected(`'${text}'`);
  }
  /** ANTLR's sentence: a token that would do no harm if it were absent is extraneous. */
  #unexpected(expected: string): IssueError {
    const { text, at, kind } = this.#next;
    const after = this.#tokens[this.#index + 1];
    const isExtra = kind !== 'end' && expected === '<EOF>' && after?.kind === 'end';
    const word = isExtra ? 'extraneous' : 'mismatched';
    return new IssueError(at, `Syntax error: ${word} input '${text}' expecting ${expected}`);
  }
  #deeper<T>(read: () => T): T {
    this.#depth++;
    if (this.#depth > LIMITS.cel.depth)
      throw new IssueError(-1, `expression recursion limit exceeded: ${LIMITS.cel.depth}`);
    const result = read();
    this.#depth--;
    return result;
  }

  #expression(): Expression {
    return this.#deeper(() => {
      const condition = this.#chain('||', '_||_', () => this.#and());
      const mark = this.#accept('?');
      if (!mark) return condition;
      const yes = this.#chain('||', '_||_', () => this.#and());
      this.#expect(':');
      return this.#build.call(mark.at, '_?_:_', [condition, yes, this.#expression()]);
    });
  }
  #and(): Expression {
    return this.#chain('&&', '_&&_', () => this.#relation());
  }
  /** Long chains become balanced trees, so that their depth stays small. */
  #chain(symbol: string, name: string, read: () => Expression): Expression {
    const terms = [read()];
    const marks: number[] = [];
    for (let mark = this.#accept(symbol); mark; mark = this.#accept(symbol)) {
      marks.push(mark.at);
      terms.push(read());
    }
    const balance = (first: number, last: number): Expression => {
      if (first === last) return terms[first]!;
      const middle = (first + last) >> 1;
      return this.#build.call(marks[middle]!, name, [balance(first, middle), balance(middle + 1, last)]);
    };
    return balance(0, terms.length - 1);
  }
  #relation(): Expression {
    let left = this.#sum();
    while (RELATIONS.has(this.#next.text) && this.#next.kind !== 'string') {
      const { text, at } = this.#take();
      left = this.#build.call(at, text === 'in' ? '@in' : `_${text}_`, [left, this.#sum()]);
    }
    return left;
  }
  #sum(): Expression {
    let left = this.#product();
    while (this.#isAt('+') || this.#isAt('-')) {
      const { text, at } = this.#take();
      left = this.#build.call(at, `_${text}_`, [left, this.#product()]);
    }
    return left;
  }
  #product(): Expression {
    let left = this.#unary();
    while (this.#isAt('*') || this.#isAt('/') || this.#isAt('%')) {
      const { text, at } = this.#take();
      left = this.#build.call(at, `_${text}_`, [left, this.#unary()]);
    }
    return left;
  }
  #unary(): Expression {
    const first = this.#next;
    const symbol = this.#isAt('!') ? '!' : '-';
    let count = 0;
    while (this.#isAt(symbol)) {
      // The minus of a number belongs to its literal, or the smallest int could not be written.
      if (symbol === '-' && count === 0 && isNumber(this.#tokens[this.#index + 1])) break;
      this.#take();
      count++;
    }
    const operand = this.#member();
    if (count % 2 === 0) return operand;
    return this.#build.call(first.at, symbol === '!' ? '!_' : '-_', [operand]);
  }
  #member(): Expression {
    let operand = this.#primary();
    for (;;) {
      if (this.#isAt('.')) operand = this.#selection(operand);
      else if (this.#isAt('[')) operand = this.#indexing(operand);
      else return operand;
    }
  }
  #selection(operand: Expression): Expression {
    const dot = this.#take();
    const isOptional = this.#accept('?') !== undefined;
    const token = this.#next;
    if (token.kind !== 'ident' && token.kind !== 'escaped') {
      const message = `no viable alternative at input '.${token.kind === 'end' ? '' : token.text}'`;
      throw new IssueError(token.at, `Syntax error: ${message}`);
    }
    if (KEYWORDS.has(token.text))
      throw new IssueError(token.at, `Syntax error: mismatched input '${token.text}' expecting IDENTIFIER`);
    this.#take();
    if (token.kind === 'escaped') throw new IssueError(token.at, "unsupported syntax: '`'");
    if (isOptional) {
      const name = this.#build.literal(token.at, token.text);
      return this.#build.call(dot.at, '_?._', [operand, name]);
    }
    if (!this.#isAt('(')) return this.#build.select(dot.at, { operand, field: token.text, isTest: false });
    const open = this.#take();
    return this.#callOrMacro(open.at, token.text, this.#arguments(), operand);
  }
  #indexing(operand: Expression): Expression {
    const open = this.#take();
    const name = this.#accept('?') ? '_[?_]' : '_[_]';
    const index = this.#expression();
    this.#expect(']');
    return this.#build.call(open.at, name, [operand, index]);
  }
  #callOrMacro(at: number, name: string, args: Expression[], target?: Expression): Expression {
    return expandMacro(this.#build, at, { name, args, target }) ?? this.#build.call(at, name, args, target);
  }
  #arguments(): Expression[] {
    const args: Expression[] = [];
    if (this.#accept(')')) return args;
    do args.push(this.#expression());
    while (this.#accept(','));
    this.#expect(')', ',');
    return args;
  }

  #primary(): Expression {
    const token = this.#next;
    if (token.kind === 'symbol') return this.#primarySymbol(token);
    if (token.kind === 'ident' && !['true', 'false', 'null'].includes(token.text)) {
      if (token.text === 'in') throw this.#unexpected(`{${OPERAND}}`);
      return this.#name();
    }
    return this.#literal();
  }
  #primarySymbol({ text }: Token): Expression {
    if (text === '(') {
      this.#take();
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (text === '[') return this.#list();
    if (text === '{') return this.#map();
    if (text === '.') return this.#name();
    if (text === '-' && isNumber(this.#tokens[this.#index + 1])) return this.#literal();
    throw this.#unexpected(`{${OPERAND}}`);
  }
  /** A variable, a call, or a message such as `Object.spec{…}`. */
  #name(): Expression {
    const dot = this.#accept('.') ? '.' : '';
    const token = this.#take();
    if (token.kind !== 'ident' || KEYWORDS.has(token.text)) {
      this.#index--;
      throw this.#unexpected('IDENTIFIER');
    }
    const message = this.#messageName();
    if (message !== undefined) return this.#message(`${dot}${token.text}${message}`);
    if (RESERVED.has(token.text)) throw new IssueError(token.at, `reserved identifier: ${token.text}`);
    const name = dot + token.text;
    if (!this.#isAt('(')) return this.#build.ident(token.at, name);
    const open = this.#take();
    return this.#callOrMacro(open.at, name, this.#arguments());
  }
  /** What follows the first part of a message's name, when a `{` shows that it is one. Consumes it then. */
  #messageName(): string | undefined {
    let index = this.#index;
    let name = '';
    while (this.#tokens[index]?.text === '.' && this.#tokens[index + 1]?.kind === 'ident') {
      name += `.${this.#tokens[index + 1]!.text}`;
      index += 2;
    }
    const { kind, text } = this.#tokens[index]!;
    if (kind !== 'symbol' || text !== '{') return undefined;
    this.#index = index;
    return name;
  }
  #message(type: string): Expression {
    const { at } = this.#take();
    const entries: FieldEntry[] = [];
    while (!this.#isAt('}')) {
      const isOptional = this.#accept('?') !== undefined;
      const token = this.#next;
      if (token.kind !== 'ident' || KEYWORDS.has(token.text))
        throw this.#unexpected("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}");
      this.#take();
      const colon = this.#expect(':');
      entries.push({ at: colon.at, name: token.text, value: this.#expression(), isOptional });
      if (!this.#accept(',')) break;
    }
    this.#expect('}', ',');
    return this.#build.struct(at, type, entries);
  }
  #list(): Expression {
    const { at } = this.#take();
    const items: Expression[] = [];
    const optional: number[] = [];
    while (!this.#isAt(']')) {
      if (this.#accept('?')) optional.push(items.length);
      items.push(this.#expression());
      if (!this.#accept(',')) break;
    }
    this.#expect(']', ',');
    return this.#build.list(at, items, optional);
  }
  #map(): Expression {
    const { at } = this.#take();
    const entries: Entry[] = [];
    while (!this.#isAt('}')) {
      const isOptional = this.#accept('?') !== undefined;
      const key = this.#expression();
      const colon = this.#expect(':');
      entries.push({ at: colon.at, key, value: this.#expression(), isOptional });
      if (!this.#accept(',')) break;
    }
    this.#expect('}', ',');
    return this.#build.map(at, entries);
  }
  #literal(): Expression {
    const first = this.#next;
    const sign = this.#accept('-') ? '-' : '';
    const token = this.#next;
    const value = literalValue(token, sign);
    if (value === undefined) throw this.#unexpected(`{${OPERAND}}`);
    this.#take();
    return this.#build.literal(first.at, value);
  }
}

function isNumber(token: Token | undefined): boolean {
  return token?.kind === 'int' || token?.kind === 'double';
}

function literalValue(token: Token, sign: string) {
  const { kind, text, at } = token;
  if (kind === 'ident') {
    if (text === 'null') return null;
    return text === 'true' ? true : text === 'false' ? false : undefined;
  }
  if (kind === 'int') {
    const value = sign === '-' ? -BigInt(text) : BigInt(text);
    if (!isInt64(value)) throw new IssueError(at, 'invalid int literal');
    return value;
  }
  if (kind === 'uint') {
    const value = BigInt(text.slice(0, -1));
    if (!isUint64(value)) throw new IssueError(at, 'invalid uint literal');
    return new Uint(value);
  }
  if (kind === 'double') {
    const value = Number(sign + text);
    if (!Number.isFinite(value)) throw new IssueError(at, 'invalid double literal');
    return value;
  }
  if (kind !== 'string' && kind !== 'bytes') return undefined;
  try {
    return unquote(token);
  } catch (error) {
    if (error instanceof SyntaxError) throw new IssueError(at, error.message);
    throw error;
  }
}
