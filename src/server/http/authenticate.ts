import type { Http2ServerRequest } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { apiError } from '../../api/status.ts';
import { CA_CERTS_PATH } from '../../client/join-paths.ts';
import type { Clock } from '../../lib/clock.ts';
import { ANONYMOUS } from '../authn/authenticator.ts';
import type { Authenticator } from '../authn/port.ts';
import type { RequestHeaders } from '../authn/request-header.ts';
import type { UserInfo } from '../registry/definition.ts';

interface Subject {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** A proxy in front of us: it speaks for others and is nobody itself. */
  readonly isProxy: boolean;
  /** When its certificate ends, which may be long before the connection does. */
  readonly endMs: number;
}

/** What tells who asks. */
export interface Authentication {
  readonly authenticator: Authenticator;
  readonly clock: Pick<Clock, 'now'>;
  /** Only where proxies in front of this server are believed. */
  readonly requestHeaders?: RequestHeaders | undefined;
}

/** Reading a certificate's subject costs; a connection has one for its whole life. */
const subjects = new WeakMap<object, Subject | 'none'>();

/** Whoever asks may see these without a credential: load balancers, watchdogs and boards that join have none. */
const ANONYMOUS_PATHS: ReadonlySet<string> = new Set(['/healthz', '/livez', '/readyz', CA_CERTS_PATH]);

/**
 * Who sends the request. Throws 401 for a bad credential, and for none, unless the path is one that answers everybody
 * (upstream's `anonymous.conditions`).
 */
export function authenticate(
  { authenticator, clock, requestHeaders }: Authentication,
  request: Http2ServerRequest,
  path: string,
): UserInfo {
  const token = bearerToken(request);
  const connected = subjectOf(request, requestHeaders);
  const subject = connected && connected.endMs > clock.now() ? connected : undefined;
  const proxied = subject?.isProxy
    ? requestHeaders?.userOf(subject.commonName, request.rawHeaders)
    : undefined;
  if (proxied) return proxied;
  const certificate = subject?.isProxy ? undefined : subject;
  if (token === undefined && certificate === undefined) {
    if (ANONYMOUS_PATHS.has(path)) return ANONYMOUS;
    throw apiError('Unauthorized', 'Unauthorized');
  }
  const user = authenticator.authenticate({
    ...(certificate === undefined ? {} : { certificate }),
    ...(token === undefined ? {} : { token }),
  });
  if (!user) throw apiError('Unauthorized', 'Unauthorized');
  return user;
}

/** From the header, or from the WebSocket subprotocol that browsers can set. */
function bearerToken(request: Http2ServerRequest): string | undefined {
  const { authorization } = request.headers;
  const found = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (found !== undefined) return found;
  const protocols = request.headers['sec-websocket-protocol'];
  const encoded = /base64url\.bearer\.authorization\.k8s\.io\.([\w-]+)/.exec(String(protocols ?? ''))?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64url').toString('utf8');
}

/** The subject of the connection's verified client certificate. */
function subjectOf(
  request: Http2ServerRequest,
  requestHeaders: RequestHeaders | undefined,
): Subject | undefined {
  const socket = request.socket as TLSSocket;
  // HTTP/2 shows a new proxy of the socket each time; the session stays the same.
  const connection: object = request.stream?.session ?? socket;
  let subject = subjects.get(connection);
  if (subject === undefined) {
    subject = readSubject(socket, requestHeaders);
    subjects.set(connection, subject);
  }
  return subject === 'none' ? undefined : subject;
}

function readSubject(socket: TLSSocket, requestHeaders: RequestHeaders | undefined): Subject | 'none' {
  if (!socket.authorized) return 'none';
  const certificate = socket.getPeerX509Certificate();
  const isProxy = certificate !== undefined && requestHeaders?.signed(certificate) === true;
  const subject = socket.getPeerCertificate().subject as
    | { CN?: string | string[]; O?: string | string[] }
    | undefined;
  // The last one counts where there are more, as upstream.
  const commonName = [subject?.CN ?? []].flat().at(-1);
  if (commonName === undefined) return 'none';
  const endMs = certificate?.validToDate.getTime() ?? 0;
  return { commonName, organizations: [subject?.O ?? []].flat(), isProxy, endMs };
}
