import { createHash, randomBytes } from 'node:crypto';
import { ensureMode, readText, writeFileAtomic } from '../../lib/secret-file.ts';

/** `K10<sha256 of the CA certificate>::server:<secret>`; the parts before the secret are optional for the user. */
const FULL_TOKEN = /^K10[0-9a-f]{64}::[a-z]+:(.+)$/;
const SECRET_BYTES = 24;

export interface ClusterTokenOptions {
  /** Such as `/var/lib/kedge/server/token`. */
  readonly path: string;
  /** What the user gave; the one on disk, or a new one, where nothing was given. */
  readonly wanted: string | undefined;
  /** The authority that joining boards check the server against. */
  readonly caPem: string;
}

/**
 * The secret that boards join with, kept with the fingerprint of the server's authority in a file of mode 0600, so
 * that whoever reads it can also tell the right server from a wrong one. Returns the secret alone.
 */
export async function ensureClusterToken({ path, wanted, caPem }: ClusterTokenOptions): Promise<string> {
  const stored = (await readText(path))?.trim();
  const secret = secretOf(wanted) ?? secretOf(stored) ?? randomBytes(SECRET_BYTES).toString('hex');
  const fingerprint = createHash('sha256').update(caPem).digest('hex');
  const token = `K10${fingerprint}::server:${secret}`;
  if (stored !== token) await writeFileAtomic(path, `${token}\n`);
  else await ensureMode(path, 0o600);
  return secret;
}

function secretOf(token: string | undefined): string | undefined {
  if (token === undefined || token === '') return undefined;
  return FULL_TOKEN.exec(token)?.[1] ?? token;
}
