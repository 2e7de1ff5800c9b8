import type { IncomingMessage } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type SecureServerOptions,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Http2ServerResponse } from './exchange.ts';
import { type HandlerContext, handleRequest } from './handler.ts';

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** Authorities of client certificates. Without one, certificates are not asked for. */
  readonly clientCa?: string;
  /** Authority of proxies that speak for their own clients (`RequestHeaders`). */
  readonly requestHeaderCa?: string;
}

export interface ListenOptions {
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsFiles;
  /** How long clients may take; those of `LIMITS.http` by default. */
  readonly timeouts?: ClientTimeouts;
}

export interface ClientTimeouts {
  readonly handshakeTimeoutMs: number;
  /** For the headers of a request, and until the first request of a connection. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Between two requests. */
  readonly idleTimeoutMs: number;
}

/** One listening socket: HTTP/2 and HTTP/1.1 over TLS. */
export interface Listener {
  readonly port: number;
  /** New connections use these from now on. */
  reload(tls: TlsFiles): void;
  /** Takes no more connections; ends those that are left once requests had `drainMs` to finish. */
  close(drainMs: number): Promise<void>;
}

/** Requests that upgrade the connection (WebSocket, SPDY). The socket is theirs from here on. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Starts to listen. Rejects with the system's error (`EADDRINUSE`, `EACCES`). */
export async function listen(
  context: HandlerContext,
  upgrade: UpgradeHandler,
  options: ListenOptions,
): Promise<Listener> {
  const { timeouts = LIMITS.http } = options;
  const server = createSecureServer({
    allowHTTP1: true,
    ...contextOptions(options.tls),
    requestCert: options.tls.clientCa !== undefined,
    // Authentication answers a certificate that does not verify, with a Status instead of a broken connection.
    rejectUnauthorized: false,
    settings: {
      maxConcurrentStreams: LIMITS.http.streamsPerConnection,
      maxHeaderListSize: LIMITS.http.headerBytes,
    },
    // A client that opens streams only to reset them is cut off (CVE-2023-44487).
    streamResetBurst: LIMITS.http.streamResets,
    streamResetRate: LIMITS.http.streamResetsPerSecond,
    // What one connection may make this process hold: frames unread, headers, outstanding settings and pings.
    maxSessionMemory: LIMITS.http.sessionMegabytes,
    maxHeaderListPairs: LIMITS.http.headerPairs,
    maxSettings: LIMITS.http.settingsPerFrame,
    maxOutstandingPings: LIMITS.http.outstandingPings,
    maxSessionInvalidFrames: LIMITS.http.invalidFrames,
    handshakeTimeout: timeouts.handshakeTimeoutMs,
    // HTTP/1.1 only; the other bounds are per connection.
    maxHeaderSize: LIMITS.http.headerBytes,
    headersTimeout: timeouts.headersTimeoutMs,
    requestTimeout: timeouts.requestTimeoutMs,
    keepAliveTimeout: timeouts.idleTimeoutMs,
    connectionsCheckingInterval: timeouts.headersTimeoutMs / 4,
  } as SecureServerOptions);
  server.maxConnections = LIMITS.http.connections;
  const sockets = new Set<Duplex>();
  const sessions = new Set<ServerHttp2Session>();
  let active = 0;
  let idle: () => void = () => {};
  const answered = (): void => {
    active--;
    if (active === 0) idle();
  };
  server.on('request', (request, response) => {
    active++;
    void handleRequest(context, request, response as Http2ServerResponse, answered);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    upgrade(request, socket, head),
  );
  // Before TLS: a handshake that never ends must not keep the server from closing.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, LIMITS.http.keepAliveMs);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', (error) => context.log.debug('connection failed', { error }));
    endWhenIdle(session, context.clock, timeouts);
  });
  server.on('sessionError', (error) => context.log.debug('connection failed', { error }));
  server.on('tlsClientError', (error) => {
    context.metrics.handshakeErrors.add([]);
    context.log.debug('TLS handshake failed', { error });
  });
  await start(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    reload: (tls) => server.setSecureContext(contextOptions(tls)),
    async close(drainMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) if (!session.closed) session.close();
      if (active > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
          context.clock.setTimer(drainMs, resolve);
        });
      }
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Closes a connection that has carried no request for a while, as upstream does after 90 seconds. */
function endWhenIdle(session: ServerHttp2Session, clock: Clock, timeouts: ClientTimeouts): void {
  let open = 0;
  let timer: Timer | undefined;
  const arm = (delayMs: number): void => {
    timer = clock.setTimer(delayMs, () => session.close());
  };
  arm(timeouts.headersTimeoutMs);
  session.on('stream', (stream) => {
    timer?.cancel();
    open++;
    stream.once('close', () => {
      open--;
      if (open === 0 && !session.closed) arm(timeouts.idleTimeoutMs);
    });
  });
  session.once('close', () => timer?.cancel());
}

function contextOptions({ cert, key, clientCa, requestHeaderCa }: TlsFiles) {
  const ca = [clientCa, requestHeaderCa].filter((one) => one !== undefined);
  return { cert, key, minVersion: 'TLSv1.2', ...(ca.length === 0 ? {} : { ca }) } as const;
}

function start(server: Http2SecureServer, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
