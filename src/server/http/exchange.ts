import { randomUUID } from 'node:crypto';
import type { Http2ServerResponse as CompatResponse, Http2ServerRequest } from 'node:http2';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { stringify } from 'yaml';
import { ApiError, apiError, STATUS_CODES } from '../../api/status.ts';
import type { Status } from '../../api/types.gen.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Deadlines } from '../../lib/deadlines.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { AuditRecord } from '../audit/record.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { HeaderFields } from './header-fields.ts';
import { type Answer, acceptsGzip } from './negotiate.ts';
import { isTrue } from './request-info.ts';
import { warningHeader } from './warning-header.ts';

const compress = promisify(gzip);

/** What HTTP/2 and HTTP/1.1 have in common, and Node's types forgot. */
export type Http2ServerResponse = CompatResponse & {
  flushHeaders(): void;
  writeHead(code: number, fields: readonly (string | string[])[]): unknown;
  end(text: string, encoding: 'latin1'): unknown;
};

/** One request and its answer. */
export interface Exchange {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  /** Header fields of the answer; `sendHead` sends them. */
  readonly fields: HeaderFields;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly user: UserInfo;
  readonly warnings: string[];
  /** What admission has to say in the audit log. */
  readonly annotations: Map<string, string>;
  /** What is written down of this request; undefined where nobody wants to know. */
  readonly audit: AuditRecord | undefined;
  /** Room for bodies, shared by all requests. */
  readonly bodies: ByteBudget;
  /** It is about a resource that is served. */
  readonly isServed: boolean;
  /** The request no longer holds up others, although its answer goes on (a watch that has begun). */
  readonly release: () => void;
  readonly disconnect: Disconnect;
  readonly clock: Clock;
  /** When an answer is of no use any more, by the monotonic clock; undefined for requests that last. */
  readonly endMs?: number;
  /** For a body that comes too slowly. */
  readonly bodyDeadlines: Deadlines;
}

/** Whether the client went away before its answer was complete. A signal is made only for those who wait for it. */
export class Disconnect {
  happened = false;
  #controller: AbortController | undefined;
  #callbacks: (() => void)[] = [];

  /** `closed` is called when the answer is over, one way or the other. */
  constructor(response: Http2ServerResponse, closed: () => void) {
    response.on('close', () => {
      closed();
      // An answer over HTTP/2 calls itself finished when its stream was reset, too.
      if (response.writableEnded && response.writableFinished) return;
      this.happened = true;
      this.#controller?.abort();
      for (const callback of this.#callbacks.splice(0)) callback();
    });
  }
  /** Calls back when the client leaves; at once where it has. */
  onceHappened(callback: () => void): void {
    if (this.happened) callback();
    else this.#callbacks.push(callback);
  }
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.happened) this.#controller.abort();
    }
    return this.#controller.signal;
  }
}

/** Header fields every answer carries. */
export function prepareFields(request: Http2ServerRequest, fields: HeaderFields): void {
  const given = request.headers['audit-id'];
  fields.set('audit-id', typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID());
  fields.set('cache-control', 'no-cache, private');
}

/** Begins the answer. Over HTTP/1.1 the head waits for the first bytes of the body, so that both go at once. */
export function sendHead({ response, fields }: Pick<Exchange, 'response' | 'fields'>, code: number): void {
  response.writeHead(code, fields.list);
}

/** Whether JSON is indented: where `pretty` says so and, without it, for what people read it with, as upstream. */
export function isPretty({ query, request }: Exchange): boolean {
  const wanted = query.get('pretty');
  if (wanted) return isTrue(wanted);
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(request.headers['user-agent'] ?? '');
}

/** Adds `Warning:` headers. */
export function setWarnings(exchange: Exchange): void {
  if (exchange.warnings.length === 0) return;
  exchange.fields.set('warning', warningHeader(exchange.warnings));
}

const NEWLINE = Buffer.from('\n');

/**
 * Writes bytes that are JSON already, or YAML and indented JSON made of them where the client wants that. As upstream's
 * does, JSON ends with a line break and indented JSON does not.
 */
export function sendJson(
  exchange: Exchange,
  code: number,
  json: Buffer | object,
  answer: Answer = { format: 'json' },
): Promise<void> {
  setWarnings(exchange);
  exchange.audit?.responseObject(json);
  if (answer.format === 'yaml') {
    const text = stringify(Buffer.isBuffer(json) ? JSON.parse(json.toString('utf8')) : json, {
      lineWidth: 0,
    });
    return sendBytes(exchange, code, 'application/yaml', Buffer.from(text));
  }
  if (isPretty(exchange)) {
    const value: unknown = Buffer.isBuffer(json) ? JSON.parse(json.toString('utf8')) : json;
    return sendBytes(exchange, code, 'application/json', Buffer.from(JSON.stringify(value, null, 2)));
  }
  const bytes = Buffer.isBuffer(json)
    ? Buffer.concat([json, NEWLINE])
    : Buffer.from(`${JSON.stringify(json)}\n`);
  return sendBytes(exchange, code, 'application/json', bytes);
}

/** Writes a complete body, compressed where the client takes it and it is worth it. */
export function sendBytes(
  exchange: Exchange,
  code: number,
  contentType: string,
  bytes: Buffer,
): Promise<void> {
  const { request, fields } = exchange;
  fields.set('content-type', contentType);
  if (bytes.length >= LIMITS.http.gzipFromBytes && acceptsGzip(request.headers['accept-encoding']))
    return sendCompressed(exchange, code, bytes);
  sendWhole(exchange, code, bytes);
  return SENT;
}

const SENT = Promise.resolve();

async function sendCompressed(exchange: Exchange, code: number, bytes: Buffer): Promise<void> {
  const { fields } = exchange;
  const body = await compress(bytes, { level: 1 });
  fields.set('content-encoding', 'gzip');
  fields.set('vary', 'Accept-Encoding');
  sendWhole(exchange, code, body);
}

function sendWhole(exchange: Exchange, code: number, body: Buffer): void {
  const { request, response, fields } = exchange;
  // It was answered already: it took too long.
  if (response.headersSent) return;
  fields.set('content-length', String(body.length));
  sendHead(exchange, code);
  if (request.method === 'HEAD') response.end();
  // Text goes out with the head in one write, as Node joins them; bytes would be copied together with it first.
  else if (request.httpVersionMajor === 1 && body.length <= LIMITS.http.textBodyBytes)
    response.end(body.toString('latin1'), 'latin1');
  else response.end(body);
}

/** Plain text, as health checks and unknown paths answer. */
export function sendText(exchange: Exchange, code: number, text: string): Promise<void> {
  exchange.fields.set('x-content-type-options', 'nosniff');
  return sendBytes(exchange, code, 'text/plain; charset=utf-8', Buffer.from(text));
}

/** Whatever went wrong, as a Status. Nothing of an unexpected error but its message reaches the client. */
export function statusOf(error: unknown): Status & { code: number } {
  if (error instanceof ApiError) return sendable(error.status);
  const text = error instanceof Error ? error.message : String(error);
  return apiError('InternalError', `Internal error occurred: ${text}`, {
    details: { causes: [{ message: text }] },
  }).status;
}

/** Nodes and webhooks speak of errors, too: without a code that HTTP has, nothing could be answered. */
function sendable(status: Status & { code: number }): Status & { code: number } {
  const { code, details } = status;
  const isError = Number.isInteger(code) && code >= 400 && code <= 599;
  const { retryAfterSeconds } = details ?? {};
  const isWait = retryAfterSeconds === undefined || Number.isSafeInteger(retryAfterSeconds);
  if (isError && isWait) return status;
  return {
    ...status,
    code: isError ? code : STATUS_CODES.InternalError,
    ...(isWait ? {} : { details: { ...details, retryAfterSeconds: 1 } }),
  };
}

export async function sendError(exchange: Exchange, error: unknown): Promise<void> {
  const { response, fields } = exchange;
  const status = statusOf(error);
  if (response.headersSent) {
    response.destroy?.();
    return;
  }
  if (status.details?.retryAfterSeconds) fields.set('retry-after', String(status.details.retryAfterSeconds));
  // Nothing that a browser might take for a page.
  if (status.code === 401 || status.code === 403) fields.set('x-content-type-options', 'nosniff');
  if (status.code === 401) closeAfter(exchange);
  leaveBody(exchange);
  await sendJson(exchange, status.code, status, errorFormat(exchange));
}

/** Who reads YAML gets errors in it, too; whatever else somebody asked for. */
function errorFormat({ request: { headers } }: Exchange): Answer {
  const isYaml = headers.accept !== undefined && /^application\/(?:x-)?yaml\b/.test(headers.accept);
  return { format: isYaml ? 'yaml' : 'json' };
}

/** Who has no credential may not keep a connection busy (upstream's UnauthenticatedHTTP2DOSMitigation). */
function closeAfter({ request, response, fields }: Exchange): void {
  if (request.httpVersionMajor < 2) {
    fields.set('connection', 'close');
    return;
  }
  // A stream that has closed no longer knows its session.
  const session = request.stream?.session;
  response.once('close', () => session?.close());
}

/** What is left of a refused body is passed over; a client that goes on sending it over HTTP/2 is told to stop. */
function leaveBody({ request, clock }: Exchange): void {
  if (request.readableEnded) return;
  request.resume();
  const { stream } = request;
  if (request.httpVersionMajor < 2 || stream?.endAfterHeaders !== false) return;
  // The response's own `finish` comes only when the stream is closed. Not at once: a reset overtakes the answer.
  stream.once('finish', () => {
    const timer = clock.setTimer(LIMITS.http.refusedBodyMs, () => stream.close());
    stream.once('close', () => timer.cancel());
  });
}
