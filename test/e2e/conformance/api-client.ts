import { createConfiguration, HttpMethod, type KubeConfig, RequestContext } from '@kubernetes/client-node';
import type { Status } from '../../../src/api/types.gen.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Request {
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Response {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** An answer of 400 and above. */
export class StatusError extends Error {
  readonly code: number;
  readonly status: Status;
  constructor(request: string, { code, text }: Response) {
    super(`${request}: ${code} ${text}`);
    this.code = code;
    this.status = text.startsWith('{') ? (JSON.parse(text) as Status) : { message: text };
  }
  get reason(): string {
    return this.status.reason ?? '';
  }
}

const METHODS = {
  GET: HttpMethod.GET,
  POST: HttpMethod.POST,
  PUT: HttpMethod.PUT,
  PATCH: HttpMethod.PATCH,
  DELETE: HttpMethod.DELETE,
} as const;
export type Method = keyof typeof METHODS;

/** Any request through client-node's own transport and credentials. */
export class ApiClient {
  readonly config: KubeConfig;
  readonly #transport = createConfiguration().httpApi;
  readonly #server: string;

  constructor(config: KubeConfig) {
    this.config = config;
    this.#server = config.getCurrentCluster()?.server ?? '';
  }

  /** Whatever the answer is. */
  async raw(method: Method, path: string, request: Request = {}): Promise<Response> {
    const context = new RequestContext(`${this.#server}${path}`, METHODS[method]);
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) context.setQueryParam(name, String(value));
    if (request.accept) context.setHeaderParam('Accept', request.accept);
    for (const [name, value] of Object.entries(request.headers ?? {})) context.setHeaderParam(name, value);
    if (request.body !== undefined) {
      context.setHeaderParam('Content-Type', request.contentType ?? 'application/json');
      context.setBody(typeof request.body === 'string' ? request.body : JSON.stringify(request.body));
    }
    await this.config.applySecurityAuthentication(context);
    const answer = await this.#transport.send(context).toPromise();
    return { code: answer.httpStatusCode, headers: answer.headers, text: await answer.body.text() };
  }

  /** The decoded answer; throws a StatusError where the server refused. */
  async json<T>(method: Method, path: string, request: Request = {}): Promise<T> {
    const answer = await this.raw(method, path, request);
    if (answer.code >= 400) throw new StatusError(`${method} ${path}`, answer);
    return JSON.parse(answer.text) as T;
  }
}

/** Resolves with the error of a request that must be refused. */
export async function refusal(request: Promise<unknown>): Promise<StatusError> {
  let answer: unknown;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error(`a request that should be refused was answered with ${JSON.stringify(answer)}`);
}
