import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/** RFC 9110: for this connection alone. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Credentials for this server, and what only this server may say to a backend. */
const OURS = /^(authorization|impersonate-.*|x-remote-(user|uid|group|extra-.*))$/;
const BEARER_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';

export interface ClientRequestHead {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** What a backend gets to see of the client's header. */
export function forwardedHeaders({ headers, socket }: ClientRequestHead): OutgoingHttpHeaders {
  const named = listed(headers.connection);
  const kept: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || HOP_BY_HOP.has(name) || named.includes(name) || OURS.test(name)) continue;
    kept[name] = value;
  }
  const protocols = listed(headers['sec-websocket-protocol'], false);
  if (protocols.some((one) => one.startsWith(BEARER_PROTOCOL)))
    kept['sec-websocket-protocol'] = protocols.filter((one) => !one.startsWith(BEARER_PROTOCOL)).join(', ');
  const authority = headers[':authority'];
  if (typeof authority === 'string') kept['host'] ??= authority;
  const before = listed(headers['x-forwarded-for'], false);
  if (socket.remoteAddress) kept['x-forwarded-for'] = [...before, socket.remoteAddress].join(', ');
  return kept;
}

/** Lets the backend say who may read its pages in a browser no more than this server would. */
const CORS = /^access-control-allow-(credentials|headers|methods|origin)$/;

/** Name and values, in the order and spelling of the backend, without what concerned its connection. */
export function returnedHeaders(
  rawHeaders: readonly string[],
  connection: string | undefined,
): [string, string[]][] {
  const named = listed(connection);
  const kept = new Map<string, [string, string[]]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]];
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || named.includes(lower) || CORS.test(lower)) continue;
    const known = kept.get(lower);
    if (known) known[1].push(value);
    else kept.set(lower, [name, [value]]);
  }
  return [...kept.values()];
}

function listed(value: string | readonly string[] | undefined, lowerCase = true): string[] {
  return String(value ?? '')
    .split(',')
    .map((one) => (lowerCase ? one.trim().toLowerCase() : one.trim()))
    .filter((one) => one !== '');
}
