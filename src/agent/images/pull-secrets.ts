import type { Secret } from '../../api/types.gen.ts';
import { normalizeReference } from '../../runtime/image-reference.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

interface DockerAuth {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
}

/** The credentials of the first secret that has any for the image's registry; the longest matching path wins in it. */
export function credentialsFor(image: string, secrets: readonly Secret[]): Credentials | undefined {
  const full = normalizeReference(image);
  for (const secret of secrets) {
    const matches = Object.entries(authsOf(secret))
      .map(([server, auth]) => ({ server: serverName(server), auth }))
      .filter(({ server }) => full === server || full.startsWith(`${server}/`))
      .sort((a, b) => b.server.length - a.server.length);
    for (const { auth } of matches) {
      const found = credentials(auth);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Docker's configuration as a Secret holds it; what cannot be read counts as empty. */
function authsOf(secret: Secret): Record<string, DockerAuth> {
  const modern = secret.data?.['.dockerconfigjson'];
  const legacy = secret.data?.['.dockercfg'];
  try {
    if (modern !== undefined) return parse(modern)['auths'] as Record<string, DockerAuth>;
    if (legacy !== undefined) return parse(legacy) as Record<string, DockerAuth>;
  } catch {
    // A damaged secret is no credential; the pull says what it lacks.
  }
  return {};
}

function parse(base64: string): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** `https://index.docker.io/v1/` → `docker.io`. */
function serverName(server: string): string {
  const bare = server.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}

function credentials(auth: DockerAuth): Credentials | undefined {
  if (auth.username !== undefined && auth.password !== undefined)
    return { username: auth.username, password: auth.password };
  const [username, ...rest] = Buffer.from(auth.auth ?? '', 'base64')
    .toString('utf8')
    .split(':');
  return username === undefined || rest.length === 0 ? undefined : { username, password: rest.join(':') };
}
