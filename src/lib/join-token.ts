import { createHash, randomBytes, randomInt } from 'node:crypto';

/**
 * What a board joins with, in K3s' form: `K10<sha256 of the CA certificate>::server:<secret>`, `…::node:<secret>`, or
 * `…::<id>.<secret>` for a bootstrap token. The hash lets the board tell the right server from a wrong one before it
 * shows the secret to anybody. Also bare secrets and bootstrap tokens, without the hash.
 */
export interface JoinToken {
  /** SHA-256 of the CA certificate's PEM text, in hex; absent in a token that is a secret alone. */
  readonly caHash: string | undefined;
  /** What is shown to the server. */
  readonly secret: string;
  /** Of a bootstrap token: its public half. */
  readonly id: string | undefined;
}

export type TokenUser = 'server' | 'node';

const FULL = /^K10([0-9a-f]{64})::(?:(?:server|node):(.+)|([a-z0-9]{6}\.[a-z0-9]{16}))$/;
const BOOTSTRAP = /^([a-z0-9]{6})\.[a-z0-9]{16}$/;
/** It travels in an HTTP header. */
const SECRET = /^[\x21-\x7e]{1,512}$/;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const SECRET_BYTES = 24;

/** Throws an `Error` that says what is wrong; it does not repeat the token. */
export function parseJoinToken(text: string): JoinToken {
  const token = text.trim();
  const [, caHash, named, bootstrap] = FULL.exec(token) ?? [];
  if (caHash === undefined && token.startsWith('K10'))
    throw new Error('begins with K10 but is not K10<hash>::<name>:<secret>: copy all of it');
  const secret = named ?? bootstrap ?? token;
  if (!SECRET.test(secret)) throw new Error('must be 1 to 512 printable characters without spaces');
  return { caHash, secret, id: BOOTSTRAP.exec(secret)?.[1] };
}

export const formatJoinToken = (caPem: string, user: TokenUser, secret: string): string =>
  `K10${caHashOf(caPem)}::${user}:${secret}`;

/** A bootstrap token together with the hash of the authority. */
export const formatBootstrapToken = (caPem: string, token: string): string =>
  `K10${caHashOf(caPem)}::${token}`;

export const caHashOf = (caPem: string): string => createHash('sha256').update(caPem).digest('hex');

export const isBootstrapToken = (text: string): boolean => BOOTSTRAP.test(text);

/** A new secret that nobody can guess. */
export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('hex');

/** A new bootstrap token, `abcdef.0123456789abcdef`: 31 bits of name, 82 bits of secret. */
export function newBootstrapToken(): string {
  const letters = (count: number): string =>
    Array.from({ length: count }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return `${letters(6)}.${letters(16)}`;
}
