import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { HttpsClientOptions } from './https-client.ts';

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context?: { cluster?: string; user?: string; namespace?: string } }[];
  clusters?: { name: string; cluster?: Cluster }[];
  users?: { name: string; user?: User }[];
}
interface Cluster {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'tls-server-name'?: string;
  'insecure-skip-tls-verify'?: boolean;
}
interface User {
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  token?: string;
  tokenFile?: string;
}

/** What a kubeconfig says about one context. */
export interface KubeconfigContext {
  readonly connection: HttpsClientOptions;
  readonly namespace: string;
}

/**
 * Reads a kubeconfig and the files it names (relative to itself). Errors name the file and what is missing. Login
 * plugins (`exec`, `auth-provider`) are not run.
 */
export async function loadKubeconfig(path: string, context?: string): Promise<KubeconfigContext> {
  try {
    const config = parse(await readFile(path, 'utf8')) as Kubeconfig | null;
    return await resolveContext(config ?? {}, dirname(path), context);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`kubeconfig ${path}: ${why}`, { cause });
  }
}

async function resolveContext(
  config: Kubeconfig,
  folder: string,
  wanted: string | undefined,
): Promise<KubeconfigContext> {
  const contextName = wanted ?? config['current-context'];
  if (!contextName) throw new Error('no current-context');
  const context = find(config.contexts, contextName, 'context').context ?? {};
  const cluster = find(config.clusters, context.cluster, 'cluster').cluster ?? {};
  const user = context.user ? (find(config.users, context.user, 'user').user ?? {}) : {};
  if (!cluster.server) throw new Error(`cluster "${context.cluster}" has no server`);
  const file = (data: string | undefined, name: string | undefined) => pem(folder, data, name);
  const ca = await file(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = await file(user['client-certificate-data'], user['client-certificate']);
  const key = await file(user['client-key-data'], user['client-key']);
  const tokenFile = user.tokenFile ? resolve(folder, user.tokenFile) : undefined;
  const token =
    user.token ?? (tokenFile ? async () => (await readFile(tokenFile, 'utf8')).trim() : undefined);
  const serverName = cluster['tls-server-name'];
  return {
    namespace: context.namespace || 'default',
    connection: {
      server: cluster.server,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(token === undefined ? {} : { token }),
      ...(serverName === undefined ? {} : { serverName }),
      ...(cluster['insecure-skip-tls-verify'] ? { insecureSkipTlsVerify: true } : {}),
    },
  };
}

function find<E extends { name: string }>(list: E[] | undefined, name: string | undefined, what: string): E {
  const found = list?.find((entry) => entry.name === name);
  if (!found) throw new Error(`no ${what} named "${name ?? ''}"`);
  return found;
}

/** Inline base64 wins over a file, as in client-go. */
async function pem(folder: string, data?: string, name?: string): Promise<string | undefined> {
  if (data) return Buffer.from(data, 'base64').toString('utf8');
  return name ? await readFile(resolve(folder, name), 'utf8') : undefined;
}
