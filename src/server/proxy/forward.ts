import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { apiError } from '../../api/status.ts';
import type { Backend, BackendTransport } from '../backend/transport.ts';
import { type Exchange, sendHead } from '../http/exchange.ts';
import { forwardedHeaders, returnedHeaders } from './forwarded-headers.ts';
import { HtmlLinks } from './html-links.ts';
import { type PageAddress, rewriteUrl } from './rewrite.ts';

/** A request as it goes on to a backend. */
export interface Forwarding {
  readonly transport: BackendTransport;
  readonly backend: Backend;
  /** Of the backend, with the query. */
  readonly path: string;
  /** Besides the client's own, or instead of them. */
  readonly headers: OutgoingHttpHeaders;
  /** How addresses in the answer change. */
  readonly page: PageAddress;
}

/**
 * Passes a request on and its answer back, as both come. Throws 503 when the backend cannot be reached; once the answer
 * has begun, an error ends the connection.
 */
export async function forward(exchange: Exchange, forwarding: Forwarding): Promise<void> {
  const { request, response, fields, disconnect } = exchange;
  const { transport, backend, path, page } = forwarding;
  const headers = { ...forwardedHeaders(request), ...forwarding.headers };
  const isSent = hasBody(request);
  // Of some methods Node does not expect a body and would send it without saying where it ends.
  if (isSent && headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
  const answer = await transport
    .send(backend, {
      method: request.method,
      path,
      headers,
      ...(isSent ? { body: request } : {}),
      signal: disconnect.signal,
    })
    .catch((cause: unknown) => {
      throw unreachable(cause);
    });
  for (const [name, values] of returnedHeaders(answer.rawHeaders, answer.headers.connection))
    fields.set(name, values.length === 1 ? (values[0] ?? '') : values);
  const { location } = answer.headers;
  if (location !== undefined) fields.set('location', rewriteUrl(location, page));
  const filters = location === undefined ? pageFilters(answer, page) : [];
  if (filters.length > 0) fields.delete('content-length');
  sendHead(exchange, answer.statusCode ?? 502);
  // A watch has begun long before its first event.
  response.flushHeaders();
  await pipeline([answer, ...filters, response]).catch((error: unknown) => {
    if (!disconnect.happened) throw error;
  });
}

function unreachable(cause: unknown): Error {
  const text = `error trying to reach service: ${(cause as Error).message}`;
  return apiError('ServiceUnavailable', text, { cause });
}

function hasBody(request: Exchange['request']): boolean {
  const { headers, stream } = request;
  if (headers['content-length'] !== undefined) return headers['content-length'] !== '0';
  return headers['transfer-encoding'] !== undefined || stream?.endAfterHeaders === false;
}

/** What makes the links of a page lead through the proxy; nothing for anything but pages that can be read. */
function pageFilters({ headers, method }: IncomingMessage, page: PageAddress): Duplex[] {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim();
  if (type !== 'text/html' || method === 'HEAD') return [];
  const links = new HtmlLinks((address) => rewriteUrl(address, page));
  const encoding = headers['content-encoding'] ?? '';
  if (encoding === '') return [links];
  return encoding === 'gzip' ? [createGunzip(), links, createGzip()] : [];
}

/**
 * Passes a request for another protocol on; once the backend agrees, both ends are joined until one of them closes.
 * Throws 503 when the backend cannot be reached, 500 when it answers neither yes nor no.
 */
export async function forwardUpgrade(
  client: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
  { transport, backend, path, headers }: Forwarding,
): Promise<void> {
  const { request, socket, head } = client;
  const gone = new AbortController();
  const onClose = (): void => gone.abort(new Error('the client went away'));
  socket.once('close', onClose);
  const { answer, upgraded } = await transport
    .upgrade(backend, {
      method: request.method ?? 'GET',
      path,
      headers: {
        ...forwardedHeaders(request),
        ...headers,
        connection: 'Upgrade',
        upgrade: request.headers.upgrade,
      },
      signal: gone.signal,
    })
    .catch((cause: unknown) => {
      throw unreachable(new Error(`error dialing backend: ${(cause as Error).message}`, { cause }));
    });
  socket.removeListener('close', onClose);
  const { statusCode = 502 } = answer;
  if (!upgraded && statusCode < 400) {
    answer.destroy();
    const text = `Internal error occurred: invalid upgrade response: status code ${statusCode}`;
    throw apiError('InternalError', text);
  }
  socket.write(headText(answer, upgraded !== undefined));
  if (!upgraded) return passOn(answer, socket);
  if (upgraded.head.length > 0) socket.write(upgraded.head);
  if (head.length > 0) upgraded.socket.write(head);
  await join(socket, upgraded.socket);
}

/** The status line and header as the backend sent them. */
function headText({ statusCode, statusMessage, rawHeaders }: IncomingMessage, isUpgraded: boolean): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // A body that follows is not chunked any more, and ends with the connection.
    if (!isUpgraded && /^(transfer-encoding|connection|keep-alive)$/i.test(name)) continue;
    lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  return [...lines, ...(isUpgraded ? [] : ['Connection: close']), '\r\n'].join('\r\n');
}

async function passOn(answer: Readable, socket: Duplex): Promise<void> {
  await pipeline(answer, socket).catch(() => socket.destroy());
}

/** Copies both ways; what ends one end, ends the other. */
function join(left: Duplex, right: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      left.destroy();
      right.destroy();
      resolve();
    };
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      from.once('close', end);
      from.on('error', end);
      from.once('end', () => to.end(end));
      from.pipe(to, { end: false });
    }
  });
}
