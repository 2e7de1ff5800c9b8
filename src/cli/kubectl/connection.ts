import { existsSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import WebSocket from 'ws';
import { ApiError, apiError } from '../../api/status.ts';
import type { Status } from '../../api/types.gen.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { errorText } from '../../lib/log.ts';
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

const DEFAULT_KUBECONFIG = '/etc/kedge/kedge.yaml';

/** Opens the cluster of a kubeconfig (`kubeconfigPath`). */
export async function connect(named: string | undefined): Promise<Connection> {
  const { connection, namespace } = await loadKubeconfig(kubeconfigPath(named)).catch((cause: unknown) => {
    throw new Failure(errorText(cause), 1, { cause });
  });
  const server = new URL(connection.server);
  const { ca, cert, key, token } = connection;
  const tls = withoutUndefined({ ca, cert, key, servername: connection.serverName });
  const bearer = typeof token === 'function' ? await token() : token;
  const headers: Record<string, string> = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const agent = new Agent({ keepAlive: true, ...tls });
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
          ...(input.body === undefined ? {} : bodyHeaders(input.body, input.contentType)),
        },
      };
      const outgoing = httpsRequest(options, resolve);
      outgoing.once('error', (cause) =>
        reject(
          new Failure(`cannot reach ${server.origin}: ${cause.message}; is kedge server running?`, 1, {
            cause,
          }),
        ),
      );
      outgoing.end(input.body);
    });
  return {
    namespace,
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
      new WebSocket(`wss://${server.host}${requestPath}`, [...protocols], { ...tls, headers }),
    close: () => agent.destroy(),
  };
}

/** The length is given because Node sends the body of a DELETE without any framing otherwise. */
function bodyHeaders(body: string, contentType = 'application/json'): Record<string, string | number> {
  return { 'content-type': contentType, 'content-length': Buffer.byteLength(body) };
}

/** The kubeconfig named, or that of `KUBECONFIG`, or Kedge's own, or `~/.kube/config`. Throws when there is none. */
export function kubeconfigPath(named: string | undefined): string {
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
