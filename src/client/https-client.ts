import requestOf from 'undici/lib/api/api-request.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { apiVersionOf, type KubeObject, type Resource } from '../api/resource.ts';
import { ApiError, apiError, STATUS_CODES, type StatusReason } from '../api/status.ts';
import type { Status } from '../api/types.gen.ts';
import { LIMITS } from '../lib/limits.ts';
import { errorText } from '../lib/log.ts';
import type {
  Client,
  DeleteOptions,
  KubeList,
  ListOptions,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './port.ts';
import { queryOf, requestPath, selectionQuery } from './request-path.ts';
import { splitLines } from './watch-lines.ts';

export interface HttpsClientOptions {
  /** Origin such as `https://10.0.0.1:6443`. A path in front of the API is kept. */
  readonly server: string;
  /** PEM. The system's authorities when absent. */
  readonly ca?: string;
  /** Client certificate and key, PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** Asked for each request, so that a rotated token needs no new client. */
  readonly token?: string | (() => string | Promise<string>);
  /** Name to verify the server's certificate against, where it is not the host in `server`. */
  readonly serverName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly userAgent?: string;
  readonly requestTimeoutMs?: number;
  /** Longer answers fail; any length by default. For servers that nobody trusts yet. */
  readonly maxAnswerBytes?: number;
  /** Told of every answer and every failure to get one; must not throw. */
  readonly onContact?: (server: string, contact: Contact) => void;
}

/** How a request went: `unauthorized` is a 401, any other answer is `answered`. */
export type Contact =
  | { readonly type: 'answered' | 'unauthorized' }
  | { readonly type: 'unreachable'; readonly cause: unknown };

/** What a client may be told to use from now on. */
export type ConnectionChange = Partial<Pick<HttpsClientOptions, 'server' | 'ca' | 'cert' | 'key'>>;

export interface HttpsClient extends Client {
  /** For what is no resource: `/version`, `/readyz`, discovery. Text of the answer; `ApiError` from 400 up. */
  getPath(path: string, accept?: string): Promise<string>;
  /**
   * Uses another server or other credentials from now on. Watches go on with old credentials until they end; those of
   * another server end at once.
   */
  use(change: ConnectionChange): void;
  /** Drops all connections, whatever is under way on them: where they hang, a new one may not. */
  reconnect(): void;
  /** Ends running watches and idle connections. */
  close(): Promise<void>;
}

interface Pools {
  readonly requests: Pool;
  readonly watches: Pool;
}

interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
}

const PATCH_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const satisfies Record<Patch['type'], string>;

/**
 * A Client over HTTP/1.1 keep-alive connections: each watch holds one, requests share the rest. Failures are
 * `ApiError`: the server's own Status, or `ServiceUnavailable` when it could not be reached, cause kept.
 */
export function createHttpsClient(options: HttpsClientOptions): HttpsClient {
  const transport = new Transport(options);
  const json = async <R>(request: Request): Promise<R> => {
    const text = await transport.text(request);
    try {
      return JSON.parse(text) as R;
    } catch (cause) {
      throw apiError('InternalError', `the server's answer to ${request.path} is not JSON`, { cause });
    }
  };
  return {
    get: (resource, ref, { subresource, signal } = {}) =>
      json({ method: 'GET', path: requestPath(resource, { ...ref, subresource }), signal }),
    list: <T extends KubeObject>(resource: Resource<T>, list: ListOptions = {}): Promise<KubeList<T>> =>
      json({ method: 'GET', path: collection(resource, list), signal: list.signal }),
    watch: (resource, watch) => watchEvents(transport, resource, watch),
    create: (resource, object, write = {}) =>
      json({
        method: 'POST',
        path: requestPath(resource, at(object, write, false)) + writeQuery(write),
        body: typed(resource, object),
        signal: write.signal,
      }),
    update: (resource, object, write = {}) =>
      json({
        method: 'PUT',
        path: requestPath(resource, at(object, write, true)) + writeQuery(write),
        body: typed(resource, object),
        signal: write.signal,
      }),
    patch: (resource, ref, patch, write = {}) =>
      json({
        method: 'PATCH',
        path:
          requestPath(resource, { ...ref, subresource: write.subresource }) +
          writeQuery(write, patch.type === 'apply' ? patch.force : undefined),
        body: patch.body,
        contentType: PATCH_TYPES[patch.type],
        signal: write.signal,
      }),
    async delete(resource, ref, remove = {}) {
      await transport.text({ method: 'DELETE', path: requestPath(resource, ref), body: deleteBody(remove) });
    },
    async deleteCollection(resource, remove) {
      await transport.text({
        method: 'DELETE',
        path: collection(resource, remove),
        body: deleteBody(remove),
        signal: remove.signal,
      });
    },
    createSubresource: (resource, ref, subresource, body) =>
      json({ method: 'POST', path: requestPath(resource, { ...ref, subresource }), body }),
    getPath: (path, accept = 'application/json') => transport.text({ method: 'GET', path, accept }),
    use: (change) => transport.use(change),
    reconnect: () => transport.reconnect(),
    close: () => transport.close(),
  };
}

function at(object: KubeObject, write: WriteOptions, named: boolean) {
  const { namespace, name = '' } = object.metadata;
  return { namespace, subresource: write.subresource, ...(named ? { name } : {}) };
}

function typed<T extends KubeObject>(resource: Resource<T>, object: T): T {
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
}

function collection(resource: Resource, options: ListOptions): string {
  const { limit, continue: from, namespace } = options;
  // A continue token carries its own revision; sending both is refused.
  const selection = selectionQuery(options);
  const paging = { limit, continue: from, ...(from ? { resourceVersion: undefined } : {}) };
  return requestPath(resource, { namespace }) + queryOf({ ...selection, ...paging });
}

function writeQuery({ fieldManager, dryRun }: WriteOptions, force?: boolean): string {
  return queryOf({ fieldManager, dryRun: dryRun ? 'All' : undefined, force: force || undefined });
}

function deleteBody({ gracePeriodSeconds, propagationPolicy, preconditions }: DeleteOptions): object {
  return { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions };
}

async function* watchEvents<T extends KubeObject>(
  transport: Transport,
  resource: Resource<T>,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const { namespace, signal } = options;
  const query = queryOf({ ...selectionQuery(options), watch: true, allowWatchBookmarks: true });
  const path = requestPath(resource, { namespace }) + query;
  try {
    const stream = transport.stream({ method: 'GET', path, signal }, LIMITS.client.watchSilenceMs);
    for await (const line of splitLines(stream)) {
      yield watchEvent<T>(line);
      if (signal.aborted) return;
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof ApiError ? error : unreachable(path, error);
  }
}

function watchEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const { type, object } = JSON.parse(line) as { type: string; object: T };
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object };
    case 'BOOKMARK':
      return { type, resourceVersion: object.metadata.resourceVersion ?? '' };
    case 'ERROR':
      throw statusError(object as Status, 500);
    default:
      throw new Error(`unknown watch event type ${JSON.stringify(type)}`);
  }
}

/** Connections, credentials and errors; knows paths and bytes only. */
class Transport {
  #options: HttpsClientOptions;
  #prefix = '';
  #pools: Pools;
  /** Replaced, with watches that still run. */
  readonly #old = new Set<Pools>();

  constructor(options: HttpsClientOptions) {
    this.#options = options;
    this.#pools = this.#open();
  }

  #open(): Pools {
    const { server, ca, cert, key, serverName, insecureSkipTlsVerify } = this.#options;
    const url = new URL(server);
    this.#prefix = url.pathname.replace(/\/+$/, '');
    const connect = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert, key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
      rejectUnauthorized: !insecureSkipTlsVerify,
      timeout: LIMITS.client.connectTimeoutMs,
    };
    const pool = (connections: number): Pool =>
      new Pool(url.origin, {
        connections,
        keepAliveTimeout: LIMITS.client.keepAliveMs,
        maxResponseSize: this.#options.maxAnswerBytes ?? -1,
        connect,
      });
    // Apart, so that many watches never keep a request waiting.
    return { requests: pool(LIMITS.client.connections), watches: pool(LIMITS.client.watches) };
  }

  use(change: ConnectionChange): void {
    const isMove = change.server !== undefined && change.server !== this.#options.server;
    this.#options = { ...this.#options, ...change };
    this.#replace((pool) => (isMove ? pool.destroy() : pool.close()));
  }

  reconnect(): void {
    this.#replace((pool) => pool.destroy());
  }

  #replace(end: (pool: Pool) => Promise<void>): void {
    const old = this.#pools;
    this.#pools = this.#open();
    this.#old.add(old);
    void Promise.allSettled(Object.values(old).map(end)).then(() => this.#old.delete(old));
  }

  async text(request: Request): Promise<string> {
    const { server, requestTimeoutMs: timeoutMs = LIMITS.client.requestTimeoutMs } = this.#options;
    const pools = this.#pools;
    try {
      const body = await this.#send(pools.requests, request, timeoutMs);
      return await body.text();
    } catch (error) {
      if (error instanceof ApiError) throw error;
      if (request.signal?.aborted) throw request.signal.reason;
      this.#failed(server, pools, error);
      throw unreachable(request.path, error);
    }
  }

  async *stream(request: Request, silenceMs: number): AsyncGenerator<Uint8Array> {
    const { server } = this.#options;
    const pools = this.#pools;
    try {
      yield* await this.#send(pools.watches, request, silenceMs);
    } catch (error) {
      if (!(error instanceof ApiError) && !request.signal?.aborted) this.#failed(server, pools, error);
      throw error;
    }
  }

  /** What was cut off because its connections were replaced says nothing about the server. */
  #failed(server: string, pools: Pools, cause: unknown): void {
    if (pools === this.#pools) this.#options.onContact?.(server, { type: 'unreachable', cause });
  }

  async close(): Promise<void> {
    const all = [this.#pools, ...this.#old].flatMap((pools) => Object.values(pools));
    await Promise.all(all.map((pool) => pool.destroy()));
  }

  async #send(pool: Pool, request: Request, silenceMs: number) {
    const { method, path, body, signal, accept = 'application/json' } = request;
    const { server, token, userAgent = 'kedge' } = this.#options;
    const bearer = typeof token === 'function' ? await token() : token;
    const answer = await requestOf.call(pool, {
      method,
      path: this.#prefix + path,
      headers: {
        accept,
        'user-agent': userAgent,
        ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
        ...(body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headersTimeout: this.#options.requestTimeoutMs ?? LIMITS.client.requestTimeoutMs,
      bodyTimeout: silenceMs,
      ...(signal === undefined ? {} : { signal }),
    });
    const isRefused = answer.statusCode === 401;
    this.#options.onContact?.(server, { type: isRefused ? 'unauthorized' : 'answered' });
    if (answer.statusCode < 400) return answer.body;
    throw answerError(answer.statusCode, await answer.body.text(), path);
  }
}

/** The Status in a refused answer, or one made of its code when something else answered. */
function answerError(code: number, text: string, path: string): ApiError {
  try {
    const status = JSON.parse(text) as Status;
    if (status.kind === 'Status') return statusError(status, code);
  } catch {
    // Proxies answer in HTML; the code is what counts then.
  }
  const known = Object.entries(STATUS_CODES).find(([, value]) => value === code)?.[0];
  const reason = (known ?? 'InternalError') as StatusReason;
  const { status } = apiError(reason, `the server answered ${path} with ${code}: ${text.slice(0, 200)}`);
  return new ApiError({ ...status, code });
}

function statusError(status: Status, code: number): ApiError {
  return new ApiError({ ...status, code: status.code ?? code });
}

function unreachable(path: string, cause: unknown): ApiError {
  return apiError('ServiceUnavailable', `request ${path.split('?')[0]} failed: ${errorText(cause)}`, {
    cause,
  });
}
