import type { IncomingMessage } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LIMITS } from '../../lib/limits.ts';
import type { Http2ServerResponse } from './exchange.ts';
import { type HandlerContext, handleRequest } from './handler.ts';

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** Authorities of client certificates. Without one, certificates are not asked for. */
  readonly clientCa?: string;
}

export interface ListenOptions {
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsFiles;
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
    streamResetBurst: LIMITS.http.streamsPerConnection * 4,
    streamResetRate: LIMITS.http.streamsPerConnection,
  });
  const sockets = new Set<Duplex>();
  const sessions = new Set<ServerHttp2Session>();
  let active = 0;
  let idle: () => void = () => {};
  server.on('request', (request, response) => {
    active++;
    response.once('close', () => {
      active--;
      if (active === 0) idle();
    });
    void handleRequest(context, request, response as Http2ServerResponse);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    upgrade(request, socket, head),
  );
  // Before TLS: a handshake that never ends must not keep the server from closing.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', (error) => context.log.debug('connection failed', { error }));
  });
  server.on('sessionError', (error) => context.log.debug('connection failed', { error }));
  server.on('tlsClientError', (error) => context.log.debug('TLS handshake failed', { error }));
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

function contextOptions({ cert, key, clientCa }: TlsFiles) {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa === undefined ? {} : { ca: clientCa }) } as const;
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
