import type { Literal } from './expression.ts';
import { IssueError } from './issue.ts';
import { type Token, unquote } from './lexer.ts';
import { isInt64, isUint64, Uint } from './values.ts';

export function isNumber(token: Token | undefined): boolean {
  return token?.kind === 'int' || token?.kind === 'double';
}

/** What a token means; `undefined` where it is no literal. */
export function literalValue(token: Token, sign: string): Literal | undefined {
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
