import type { Issue } from './issue.ts';

export type TokenKind =
  | 'ident'
  | 'escaped'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'symbol'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written; `<EOF>` at the end. */
  readonly text: string;
  /** In code points. */
  readonly at: number;
}

const BLANKS = /(?:[\t \r\n\f]+|\/\/[^\n]*)+/y;
const IDENT = /[A-Za-z_][A-Za-z0-9_]*/y;
const ESCAPED = /`[A-Za-z0-9_.\-/ ]+`/y;
const DOUBLE = /\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?/y;
const INTEGER = /(?:0x[0-9a-fA-F]+|\d+)[uU]?/y;
const SYMBOL = /==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%]/y;
const PREFIX = /[bB]?[rR]?(?:"""|'''|"|')/y;
const ESCAPE = /\\(?:[abfnrtv"'\\?`]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/y;

/** Splits an expression into tokens (CEL's grammar). What fits nothing is an issue and left out. */
export function tokenize(source: string): { tokens: readonly Token[]; issues: readonly Issue[] } {
  const tokens: Token[] = [];
  const issues: Issue[] = [];
  let index = 0;
  // Code points up to `index`: equal to it until the first character beyond the Basic Multilingual Plane.
  let at = 0;
  const advance = (end: number): void => {
    at += countCodePoints(source, index, end);
    index = end;
  };
  while (index < source.length) {
    const blank = match(BLANKS, source, index);
    if (blank > index) {
      advance(blank);
      continue;
    }
    const found = nextToken(source, index);
    if (typeof found === 'number') {
      const text = quoteUnknown(source.slice(index, found));
      issues.push({ at, message: `Syntax error: token recognition error at: '${text}'` });
      advance(found);
      continue;
    }
    tokens.push({ kind: found.kind, text: source.slice(index, found.end), at });
    advance(found.end);
  }
  tokens.push({ kind: 'end', text: '<EOF>', at });
  return { tokens, issues };
}

function match(pattern: RegExp, source: string, index: number): number {
  pattern.lastIndex = index;
  return pattern.test(source) ? pattern.lastIndex : index;
}

/** The token at an index, or the end of what is none. */
function nextToken(source: string, index: number): { kind: TokenKind; end: number } | number {
  const opening = match(PREFIX, source, index);
  if (opening > index) return stringToken(source, index, opening);
  const double = match(DOUBLE, source, index);
  if (double > index) return { kind: 'double', end: double };
  const integer = match(INTEGER, source, index);
  if (integer > index)
    return { kind: /[uU]$/.test(source.slice(index, integer)) ? 'uint' : 'int', end: integer };
  const ident = match(IDENT, source, index);
  if (ident > index) return { kind: 'ident', end: ident };
  const escaped = match(ESCAPED, source, index);
  if (escaped > index) return { kind: 'escaped', end: escaped };
  const symbol = match(SYMBOL, source, index);
  if (symbol > index) return { kind: 'symbol', end: symbol };
  return index + String.fromCodePoint(source.codePointAt(index) ?? 0).length;
}

function stringToken(
  source: string,
  index: number,
  opening: number,
): { kind: TokenKind; end: number } | number {
  const prefix = source.slice(index, opening);
  const isRaw = /[rR]/.test(prefix);
  const kind = /^[bB]/.test(prefix) ? 'bytes' : 'string';
  const quote = prefix.endsWith(prefix.at(-1)!.repeat(3)) ? prefix.slice(-3) : prefix.slice(-1);
  for (let position = opening; position < source.length; ) {
    if (source.startsWith(quote, position)) return { kind, end: position + quote.length };
    const character = source[position]!;
    if (quote.length === 1 && (character === '\n' || character === '\r')) return position;
    if (character === '\\' && !isRaw) {
      const end = match(ESCAPE, source, position);
      if (end === position) return Math.min(position + 2, source.length);
      position = end;
    } else position++;
  }
  return source.length;
}

const quoteUnknown = (text: string): string =>
  text.replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r');

export function countCodePoints(text: string, start = 0, end = text.length): number {
  let count = end - start;
  for (let index = start; index < end; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0xd800 || unit > 0xdbff || index + 1 >= end) continue;
    const next = text.charCodeAt(index + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      count--;
      index++;
    }
  }
  return count;
}

const SIMPLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '"': 34,
  "'": 39,
  '\\': 92,
  '?': 63,
  '`': 96,
};

/** The text of a string literal, or its bytes. Throws a `SyntaxError` with upstream's sentence. */
export function unquote(token: Token): string | Uint8Array {
  let text = token.text.replace(/\r\n?/g, '\n');
  const isBytes = token.kind === 'bytes';
  if (isBytes) text = text.slice(1);
  const isRaw = /^[rR]/.test(text);
  if (isRaw) text = text.slice(1);
  const width = text.length >= 6 && text.startsWith(text[0]!.repeat(3)) ? 3 : 1;
  text = text.slice(width, -width);
  if (isRaw || !text.includes('\\')) return isBytes ? Buffer.from(text) : text;
  return isBytes ? unescapeBytes(text) : unescapeText(text);
}

const ESCAPES = /\\(?:([0-3][0-7][0-7])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs;

function unescapeText(text: string): string {
  return text.replace(ESCAPES, (_, octal, hex, short, long, simple) => {
    if (simple !== undefined) return String.fromCharCode(SIMPLE[simple] ?? 0);
    const code = octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex ?? short ?? long, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      throw new SyntaxError('invalid unicode code point');
    return String.fromCodePoint(code);
  });
}

function unescapeBytes(text: string): Uint8Array {
  const parts: Buffer[] = [];
  let last = 0;
  for (const found of text.matchAll(ESCAPES)) {
    const [whole, octal, hex, short, long, simple] = found;
    parts.push(Buffer.from(text.slice(last, found.index)));
    last = found.index + whole.length;
    if (short !== undefined || long !== undefined) throw new SyntaxError('unable to unescape string');
    if (simple !== undefined) parts.push(Buffer.from([SIMPLE[simple] ?? 0]));
    else
      parts.push(Buffer.from([octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex!, 16)]));
  }
  parts.push(Buffer.from(text.slice(last)));
  return Buffer.concat(parts);
}
