import { badRequest } from '../../api/status.ts';

/** Upstream's continue token (apiserver/pkg/storage/continue.go): clients treat it as opaque, other tools do not. */
interface Token {
  readonly v: string;
  readonly rv: number;
  readonly start: string;
  /** How many objects are left from `start` on, where that is known: ours alone. */
  readonly left?: number;
}

/** Where a list goes on. */
export interface Continuation {
  /** -1: at whatever is newest then. */
  readonly revision: number;
  readonly start: string;
  readonly left?: number;
}

const VERSION = 'meta.k8s.io/v1';

/** A token that resumes at `start` (a key below the resource's prefix). */
export function encodeContinue({ revision, start, left }: Continuation): string {
  const token: Token = { v: VERSION, rv: revision, start, ...(left === undefined ? {} : { left }) };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** Throws 400 for anything this server did not make. */
export function decodeContinue(text: string): Continuation {
  const token = parse(text);
  if (token.v !== VERSION) {
    throw refuse(
      `continue key is not valid: server does not recognize this encoded version ${token.v ?? ''}`,
    );
  }
  if (!Number.isSafeInteger(token.rv) || token.rv === 0)
    throw refuse(
      'continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
    );
  if (typeof token.start !== 'string' || token.start === '')
    throw refuse('continue key is not valid: encoded start key empty (version meta.k8s.io/v1)');
  if (/(^|\/)\.{0,2}(\/|$)/.test(token.start.replace(/\0$/, '')))
    throw refuse(`continue key is not valid: ${token.start}`);
  const isCounted = Number.isSafeInteger(token.left) && Number(token.left) >= 0;
  return {
    revision: Number(token.rv),
    start: token.start,
    ...(isCounted ? { left: Number(token.left) } : {}),
  };
}

function parse(text: string): Partial<Token> {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Falls through: whatever is wrong with it, it is not one of ours.
  }
  throw refuse('continue key is not valid');
}

const refuse = (why: string) => badRequest(`invalid continue token: ${why}`);
