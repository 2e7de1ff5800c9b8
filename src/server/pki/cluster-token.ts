import { formatJoinToken, newSecret, parseJoinToken, type TokenUser } from '../../lib/join-token.ts';
import { ensureMode, readText, writeFileAtomic } from '../../lib/secret-file.ts';

export interface ClusterTokenOptions {
  /** Such as `/var/lib/kedge/server/token`. */
  readonly path: string;
  /** Who joins with it. */
  readonly user: TokenUser;
  /** What the user gave; the one on disk, or a new one, where nothing was given. */
  readonly wanted: string | undefined;
  /** The authority that joining boards check the server against. */
  readonly caPem: string;
}

/**
 * The secret that boards join with, kept with the fingerprint of the server's authority in a file of mode 0600, so
 * that whoever reads it can also tell the right server from a wrong one. Returns the secret alone.
 */
export async function ensureClusterToken(options: ClusterTokenOptions): Promise<string> {
  const { path, user, wanted, caPem } = options;
  const stored = (await readText(path))?.trim();
  const secret = secretOf(wanted) ?? storedSecret(stored) ?? newSecret();
  const token = formatJoinToken(caPem, user, secret);
  if (stored !== token) await writeFileAtomic(path, `${token}\n`);
  else await ensureMode(path, 0o600);
  return secret;
}

function secretOf(token: string | undefined): string | undefined {
  return token === undefined || token === '' ? undefined : parseJoinToken(token).secret;
}

/** A file that a bad card left unreadable is replaced, not an obstacle. */
function storedSecret(token: string | undefined): string | undefined {
  try {
    return secretOf(token);
  } catch {
    return undefined;
  }
}
