import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import WebSocket from 'ws';
import { parse } from 'yaml';
import { ApiError, apiError } from '../../api/status.ts';
import type { Status } from '../../api/types.gen.ts';
import { Failure } from '../failure.ts';

/** Raw requests to the API server, for output the typed Client does not carry: tables, streams, any resource. */
export interface Connection {
  readonly namespace: string;
  json<T>(method: string, path: string, options?: RequestInput): Promise<T>;
  /** The answer's body as it arrives; rejects with `ApiError` when the status is an error. */
  stream(path: string, accept?: string): Promise<IncomingMessage>;
  websocket(path: string, protocols: readonly string[]): WebSocket;
  close(): void;
}

export interface RequestInput {
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
}

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string; namespace?: string } }[];
  clusters?: {
    name: string;
    cluster: { server: string; 'certificate-authority-data'?: string; 'certificate-authority'?: string };
  }[];
  users?: {
    name: string;
    user: {
      'client-certificate-data'?: string;
      'client-certificate'?: string;
      'client-key-data'?: string;
      'client-key'?: string;
      token?: string;
    };
  }[];
}

const DEFAULT_KUBECONFIG = '/etc/kedge/kedge.yaml';

/** Opens the kubeconfig named, or that of `KUBECONFIG`, or Kedge's own, or `~/.kube/config`. */
export function connect(named: string | undefined): Connection {
  const path = kubeconfigPath(named);
  const config = readKubeconfig(path);
  const context =
    config.contexts?.find(({ name }) => name === config['current-context'])?.context ??
    config.contexts?.[0]?.context;
  const cluster = config.clusters?.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users?.find(({ name }) => name === context?.user)?.user;
  if (cluster === undefined) throw new Failure(`${path} names no cluster`);
  const server = new URL(cluster.server);
  const tls = {
    ca: material(cluster['certificate-authority-data'], cluster['certificate-authority']),
    cert: material(user?.['client-certificate-data'], user?.['client-certificate']),
    key: material(user?.['client-key-data'], user?.['client-key']),
  };
  const headers: Record<string, string> =
    user?.token === undefined ? {} : { authorization: `Bearer ${user.token}` };
  const agent = new Agent({ keepAlive: true, ...withoutUndefined(tls) });
  const open = (method: string, path: string, input: RequestInput = {}): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const options: RequestOptions = {
        agent,
        method,
        host: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port === '' ? 443 : server.port,
        path,
        headers: {
          ...headers,
          accept: input.accept ?? 'application/json',
          ...(input.body === undefined ? {} : { 'content-type': input.contentType ?? 'application/json' }),
        },
      };
      const outgoing = httpsRequest(options, resolve);
      outgoing.once('error', (cause) =>
        reject(
          new Failure(`cannot reach ${cluster.server}: ${cause.message}; is kedge server running?`, 1, {
            cause,
          }),
        ),
      );
      outgoing.end(input.body);
    });
  return {
    namespace: context?.namespace ?? 'default',
    async json<T>(method: string, requestPath: string, input?: RequestInput) {
      const response = await open(method, requestPath, input);
      const text = await readAll(response);
      if ((response.statusCode ?? 500) >= 400) throw statusError(response, text);
      return JSON.parse(text) as T;
    },
    async stream(requestPath, accept) {
      const response = await open('GET', requestPath, accept === undefined ? {} : { accept });
      if ((response.statusCode ?? 500) >= 400) throw statusError(response, await readAll(response));
      return response;
    },
    websocket: (requestPath, protocols) =>
      new WebSocket(`wss://${server.host}${requestPath}`, [...protocols], {
        ...withoutUndefined(tls),
        headers,
      }),
    close: () => agent.destroy(),
  };
}

function kubeconfigPath(named: string | undefined): string {
  if (named !== undefined) return named;
  const listed = process.env['KUBECONFIG']?.split(':').find((path) => path !== '' && existsSync(path));
  const home = join(process.env['HOME'] ?? '/root', '.kube/config');
  const found = [listed, DEFAULT_KUBECONFIG, home].find((path) => path !== undefined && existsSync(path));
  if (found === undefined)
    throw new Failure(
      `no kubeconfig: neither KUBECONFIG nor ${DEFAULT_KUBECONFIG} exists; start kedge server first`,
    );
  return found;
}

function readKubeconfig(path: string): Kubeconfig {
  try {
    const parsed: unknown = parse(readFileSync(path, 'utf8'));
    if (parsed === null || typeof parsed !== 'object') throw new Error('it is empty');
    return parsed as Kubeconfig;
  } catch (cause) {
    throw new Failure(
      `cannot read kubeconfig ${path}: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      1,
      { cause },
    );
  }
}

function material(data: string | undefined, file: string | undefined): Buffer | undefined {
  if (data !== undefined) return Buffer.from(data, 'base64');
  return file === undefined ? undefined : readFileSync(file);
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

async function readAll(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function statusError(response: IncomingMessage, text: string): Error {
  try {
    const status = JSON.parse(text) as Status;
    if (status.kind === 'Status')
      return new ApiError({ ...status, code: status.code ?? response.statusCode ?? 500 });
  } catch {
    // Not a Status: shown as it is.
  }
  return apiError(
    'InternalError',
    `the server answered ${response.statusCode}: ${text.trim().slice(0, 200)}`,
  );
}
