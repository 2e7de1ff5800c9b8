import { serversOf } from '../../agent/join/server-addresses.ts';
import { humanDuration } from '../../api/durations.ts';
import { endpointSlices, secrets } from '../../api/resources.gen.ts';
import { ApiError, isAlreadyExists, isNotFound } from '../../api/status.ts';
import { createHttpsClient, type HttpsClient } from '../../client/https-client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import {
  formatBootstrapToken,
  isBootstrapToken,
  newBootstrapToken,
  parseJoinToken,
} from '../../lib/join-token.ts';
import { errorText } from '../../lib/log.ts';
import { Failure, usageFailure } from '../failure.ts';
import type { FlagValues } from '../flag.ts';
import { kubeconfigPath } from '../kubectl/connection.ts';
import { listFlag, optionalFlag, textFlag } from '../node/config.ts';
import { bootstrapSecret, NAMESPACE, readBootstrapSecret, secretName, TYPE } from './bootstrap-secret.ts';

interface Cluster {
  readonly client: HttpsClient;
  readonly server: string;
  /** PEM; what boards check the server against. */
  readonly caPem: string;
}

/** Makes a token, given or new, and prints it together with the hash of the cluster's authority. */
export async function createToken(values: FlagValues, [given]: readonly string[]): Promise<number> {
  const token = given === undefined ? newBootstrapToken() : checkedToken(given);
  const secret = bootstrapSecret(token, {
    description: optionalFlag(values, 'description'),
    ttl: textFlag(values, 'ttl'),
    usages: listFlag(values, 'usages'),
    groups: listFlag(values, 'groups'),
    nowMs: Date.now(),
  });
  return await withCluster(values, async (cluster) => {
    const id = token.split('.')[0] ?? '';
    await cluster.client.create(secrets, secret).catch((cause: unknown) => {
      if (isAlreadyExists(cause))
        throw new Failure(`there is a token ${id} already: kedge token delete ${id}`, 1, { cause });
      throw cause;
    });
    const whole = formatBootstrapToken(cluster.caPem, token);
    const isCommand = values['print-join-command'] === true;
    print(isCommand ? `kedge agent --server ${await serverOf(cluster)} --token ${whole}` : whole);
    return 0;
  });
}

/** Prints a new token without making it, for `kedge token create <token>`. */
export async function generateToken(): Promise<number> {
  print(newBootstrapToken());
  return 0;
}

export async function deleteTokens(values: FlagValues, operands: readonly string[]): Promise<number> {
  const ids = operands.map((operand) => {
    const id = /^[a-z0-9]{6}$/.test(operand) ? operand : parseJoinToken(operand).id;
    if (id === undefined)
      throw usageFailure(`${JSON.stringify(operand)} is neither the id of a token nor a token`);
    return id;
  });
  return await withCluster(values, async ({ client }) => {
    for (const id of ids) {
      await client.delete(secrets, { namespace: NAMESPACE, name: secretName(id) }).catch((cause: unknown) => {
        if (isNotFound(cause)) throw new Failure(`there is no token ${id}: kedge token list`, 1, { cause });
        throw cause;
      });
      print(`bootstrap token "${id}" deleted`);
    }
    return 0;
  });
}

export async function listTokens(values: FlagValues): Promise<number> {
  return await withCluster(values, async ({ client }) => {
    const { items } = await client.list(secrets, { namespace: NAMESPACE, fieldSelector: `type=${TYPE}` });
    const tokens = items.flatMap((secret) => readBootstrapSecret(secret) ?? []);
    if (textFlag(values, 'output') === 'json') {
      print(JSON.stringify(tokens, undefined, 2));
      return 0;
    }
    const rows = tokens.map(({ token, description, expires, usages, groups }) => [
      token,
      expires === undefined ? '<forever>' : remaining(expires),
      expires ?? '<never>',
      usages.join(',') || '<none>',
      description || '<none>',
      groups.join(',') || '<none>',
    ]);
    printTable([['TOKEN', 'TTL', 'EXPIRES', 'USAGES', 'DESCRIPTION', 'EXTRA GROUPS'], ...rows]);
    return 0;
  });
}

function remaining(expires: string): string {
  const leftMs = Date.parse(expires) - Date.now();
  return leftMs > 0 ? humanDuration(leftMs) : '<invalid>';
}

function checkedToken(text: string): string {
  if (isBootstrapToken(text)) return text;
  throw usageFailure('a token must look like abcdef.0123456789abcdef: kedge token generate makes one');
}

/** Runs `work` with the administrator's rights and ends in one line when the cluster says no. */
async function withCluster(values: FlagValues, work: (cluster: Cluster) => Promise<number>): Promise<number> {
  const path = kubeconfigPath(optionalFlag(values, 'kubeconfig'));
  const { connection } = await loadKubeconfig(path).catch((cause: unknown) => {
    throw new Failure(errorText(cause), 1, { cause });
  });
  const { ca: caPem, server } = connection;
  if (caPem === undefined)
    throw new Failure(`${path} does not hold the authority of the cluster, which a token has to name`);
  const client = createHttpsClient(connection);
  try {
    return await work({ client, server, caPem });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const hint = error.cause === undefined ? '' : '; is kedge server running?';
    throw new Failure(`${errorText(error)}${hint}`, 1, { cause: error });
  } finally {
    await client.close();
  }
}

/** Where other boards reach the server; the kubeconfig says only where this one does. */
async function serverOf({ client, server }: Cluster): Promise<string> {
  const slice = await client
    .get(endpointSlices, { namespace: 'default', name: 'kubernetes' })
    .catch(() => undefined);
  return (slice && serversOf(slice)[0]) ?? server;
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
        .join('')
        .trimEnd(),
    );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
