import { LIMITS } from '../../lib/limits.ts';
import { ExpressionBuilder } from './builder.ts';
import type { Entry, Expression, FieldEntry } from './expression.ts';
import { type Issue, IssueError } from './issue.ts';
import { countCodePoints, type Token, tokenize } from './lexer.ts';
import { isNumber, literalValue } from './literal-token.ts';
import { expandMacro } from './macros.ts';
import { TokenReader } from './token-reader.ts';

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
  readonly #tokens: TokenReader;
  readonly #build = new ExpressionBuilder();
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = new TokenReader(tokens);
  }

  parse(): Expression {
    const tree = this.#expression();
    if (this.#tokens.next.kind !== 'end') throw this.#tokens.unexpected('<EOF>');
    return tree;
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
      const mark = this.#tokens.accept('?');
      if (!mark) return condition;
      const yes = this.#chain('||', '_||_', () => this.#and());
      this.#tokens.expect(':');
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
    for (let mark = this.#tokens.accept(symbol); mark; mark = this.#tokens.accept(symbol)) {
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
    while (RELATIONS.has(this.#tokens.next.text) && this.#tokens.next.kind !== 'string') {
      const { text, at } = this.#tokens.take();
      left = this.#build.call(at, text === 'in' ? '@in' : `_${text}_`, [left, this.#sum()]);
    }
    return left;
  }
  #sum(): Expression {
    let left = this.#product();
    while (this.#tokens.isAt('+') || this.#tokens.isAt('-')) {
      const { text, at } = this.#tokens.take();
      left = this.#build.call(at, `_${text}_`, [left, this.#product()]);
    }
    return left;
  }
  #product(): Expression {
    let left = this.#unary();
    while (this.#tokens.isAt('*') || this.#tokens.isAt('/') || this.#tokens.isAt('%')) {
      const { text, at } = this.#tokens.take();
      left = this.#build.call(at, `_${text}_`, [left, this.#unary()]);
    }
    return left;
  }
  #unary(): Expression {
    const first = this.#tokens.next;
    const symbol = this.#tokens.isAt('!') ? '!' : '-';
    let count = 0;
    while (this.#tokens.isAt(symbol)) {
      // The minus of a number belongs to its literal, or the smallest int could not be written.
      if (symbol === '-' && count === 0 && isNumber(this.#tokens.peek(1))) break;
      this.#tokens.take();
      count++;
    }
    const operand = this.#member();
    if (count % 2 === 0) return operand;
    return this.#build.call(first.at, symbol === '!' ? '!_' : '-_', [operand]);
  }
  #member(): Expression {
    let operand = this.#primary();
    for (;;) {
      if (this.#tokens.isAt('.')) operand = this.#selection(operand);
      else if (this.#tokens.isAt('[')) operand = this.#indexing(operand);
      else return operand;
    }
  }
  #selection(operand: Expression): Expression {
    const dot = this.#tokens.take();
    const isOptional = this.#tokens.accept('?') !== undefined;
    const token = this.#tokens.next;
    if (token.kind !== 'ident' && token.kind !== 'escaped') {
      const message = `no viable alternative at input '.${token.kind === 'end' ? '' : token.text}'`;
      throw new IssueError(token.at, `Syntax error: ${message}`);
    }
    if (KEYWORDS.has(token.text))
      throw new IssueError(token.at, `Syntax error: mismatched input '${token.text}' expecting IDENTIFIER`);
    this.#tokens.take();
    if (token.kind === 'escaped') throw new IssueError(token.at, "unsupported syntax: '`'");
    if (isOptional) {
      const name = this.#build.literal(token.at, token.text);
      return this.#build.call(dot.at, '_?._', [operand, name]);
    }
    if (!this.#tokens.isAt('('))
      return this.#build.select(dot.at, { operand, field: token.text, isTest: false });
    const open = this.#tokens.take();
    return this.#callOrMacro(open.at, token.text, this.#arguments(), operand);
  }
  #indexing(operand: Expression): Expression {
    const open = this.#tokens.take();
    const name = this.#tokens.accept('?') ? '_[?_]' : '_[_]';
    const index = this.#expression();
    this.#tokens.expect(']');
    return this.#build.call(open.at, name, [operand, index]);
  }
  #callOrMacro(at: number, name: string, args: Expression[], target?: Expression): Expression {
    return expandMacro(this.#build, at, { name, args, target }) ?? this.#build.call(at, name, args, target);
  }
  #arguments(): Expression[] {
    const args: Expression[] = [];
    if (this.#tokens.accept(')')) return args;
    do args.push(this.#expression());
    while (this.#tokens.accept(','));
    this.#tokens.expect(')', ',');
    return args;
  }

  #primary(): Expression {
    const token = this.#tokens.next;
    if (token.kind === 'symbol') return this.#primarySymbol(token);
    if (token.kind === 'ident' && !['true', 'false', 'null'].includes(token.text)) {
      if (token.text === 'in') throw this.#tokens.unexpected(`{${OPERAND}}`);
      return this.#name();
    }
    return this.#literal();
  }
  #primarySymbol({ text }: Token): Expression {
    if (text === '(') {
      this.#tokens.take();
      const inner = this.#expression();
      this.#tokens.expect(')');
      return inner;
    }
    if (text === '[') return this.#list();
    if (text === '{') return this.#map();
    if (text === '.') return this.#name();
    if (text === '-' && isNumber(this.#tokens.peek(1))) return this.#literal();
    throw this.#tokens.unexpected(`{${OPERAND}}`);
  }
  /** A variable, a call, or a message such as `Object.spec{…}`. */
  #name(): Expression {
    const dot = this.#tokens.accept('.') ? '.' : '';
    const token = this.#tokens.next;
    if (token.kind !== 'ident' || KEYWORDS.has(token.text)) throw this.#tokens.unexpected('IDENTIFIER');
    this.#tokens.take();
    const message = this.#messageName();
    if (message !== undefined) return this.#message(`${dot}${token.text}${message}`);
    if (RESERVED.has(token.text)) throw new IssueError(token.at, `reserved identifier: ${token.text}`);
    const name = dot + token.text;
    if (!this.#tokens.isAt('(')) return this.#build.ident(token.at, name);
    const open = this.#tokens.take();
    return this.#callOrMacro(open.at, name, this.#arguments());
  }
  /** What follows the first part of a message's name, when a `{` shows that it is one. Consumes it then. */
  #messageName(): string | undefined {
    let count = 0;
    let name = '';
    while (this.#tokens.peek(count)?.text === '.' && this.#tokens.peek(count + 1)?.kind === 'ident') {
      name += `.${this.#tokens.peek(count + 1)!.text}`;
      count += 2;
    }
    const brace = this.#tokens.peek(count);
    if (brace?.kind !== 'symbol' || brace.text !== '{') return undefined;
    this.#tokens.skip(count);
    return name;
  }
  #message(type: string): Expression {
    const { at } = this.#tokens.take();
    const entries: FieldEntry[] = [];
    while (!this.#tokens.isAt('}')) {
      const isOptional = this.#tokens.accept('?') !== undefined;
      const token = this.#tokens.next;
      if (token.kind !== 'ident' || KEYWORDS.has(token.text))
        throw this.#tokens.unexpected("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}");
      this.#tokens.take();
      const colon = this.#tokens.expect(':');
      entries.push({ at: colon.at, name: token.text, value: this.#expression(), isOptional });
      if (!this.#tokens.accept(',')) break;
    }
    this.#tokens.expect('}', ',');
    return this.#build.struct(at, type, entries);
  }
  #list(): Expression {
    const { at } = this.#tokens.take();
    const items: Expression[] = [];
    const optional: number[] = [];
    while (!this.#tokens.isAt(']')) {
      if (this.#tokens.accept('?')) optional.push(items.length);
      items.push(this.#expression());
      if (!this.#tokens.accept(',')) break;
    }
    this.#tokens.expect(']', ',');
    return this.#build.list(at, items, optional);
  }
  #map(): Expression {
    const { at } = this.#tokens.take();
    const entries: Entry[] = [];
    while (!this.#tokens.isAt('}')) {
      const isOptional = this.#tokens.accept('?') !== undefined;
      const key = this.#expression();
      const colon = this.#tokens.expect(':');
      entries.push({ at: colon.at, key, value: this.#expression(), isOptional });
      if (!this.#tokens.accept(',')) break;
    }
    this.#tokens.expect('}', ',');
    return this.#build.map(at, entries);
  }
  #literal(): Expression {
    const first = this.#tokens.next;
    const sign = this.#tokens.accept('-') ? '-' : '';
    const token = this.#tokens.next;
    const value = literalValue(token, sign);
    if (value === undefined) throw this.#tokens.unexpected(`{${OPERAND}}`);
    this.#tokens.take();
    return this.#build.literal(first.at, value);
  }
}
