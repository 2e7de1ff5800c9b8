import { WebSocket } from 'ws';
import type { NodeApi } from '../../client/node-port.ts';
import { type Link, webSocketLink } from '../../client/tunnel/link.ts';
import { TUNNEL_PATH, TUNNEL_PROTOCOL } from '../../client/tunnel/node-call.ts';
import { TunnelSession } from '../../client/tunnel/session.ts';
import { Backoff } from '../../lib/backoff.ts';
import { type Clock, sleep } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { serveNode } from './serve-node.ts';

export interface TunnelOptions {
  readonly api: NodeApi;
  /** Opens one connection to the server; see `dialServer`. */
  readonly dial: (signal: AbortSignal) => Promise<Link>;
  /** Connected anew after the server had fallen silent: other connections to it may hang, and no longer need to. */
  readonly onBack?: () => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** From 0 to 1, for the pause before the next try. */
  readonly random?: () => number;
}

export interface Tunnel {
  /** The server can be reached again: a pause before the next try ends now. */
  retry(): void;
  stop(): Promise<void>;
}

/** Keeps one connection to the server open, over which the server reaches this node, wherever the node may be. */
export function startTunnel(options: TunnelOptions): Tunnel {
  const abort = new AbortController();
  const pause: Pause = { end: () => {} };
  const running = keepConnected(options, abort.signal, pause);
  return {
    retry: () => pause.end(),
    async stop() {
      abort.abort(new Error('the agent stops'));
      await running;
    },
  };
}

/** Ends the pause that is under way, if there is one. */
interface Pause {
  end: () => void;
}

async function keepConnected(options: TunnelOptions, signal: AbortSignal, pause: Pause): Promise<void> {
  const { clock, log, dial, random = Math.random } = options;
  const backoff = new Backoff(LIMITS.tunnel.retry);
  let said = '';
  let wasSilent = false;
  while (!signal.aborted) {
    let why: string;
    const startMs = clock.monotonicMs();
    try {
      const link = await dial(signal);
      log.info('connected to the server');
      said = '';
      if (wasSilent) options.onBack?.();
      const end = await serve(options, link, signal);
      why = end.reason;
      wasSilent = end.isSilent;
      if (clock.monotonicMs() - startMs >= LIMITS.tunnel.steadyMs) backoff.forget('connect');
    } catch (error) {
      why = errorText(error);
    }
    if (signal.aborted) return;
    // Not all boards at once when the server comes back.
    const delayMs = Math.round(backoff.next('connect') * (0.5 + random()));
    // A server that is away for weeks is told of once.
    log[why === said ? 'debug' : 'warn']('not connected to the server, trying again', {
      reason: why,
      delayMs,
    });
    said = why;
    const early = new AbortController();
    pause.end = () => early.abort();
    await sleep(clock, delayMs, AbortSignal.any([signal, early.signal])).catch(() => {});
  }
}

interface End {
  readonly reason: string;
  readonly isSilent: boolean;
}

/** Resolves when the connection is over. */
function serve({ api, clock }: TunnelOptions, link: Link, signal: AbortSignal): Promise<End> {
  return new Promise((resolve) => {
    const stop = (): void => session.close('the agent stops');
    const session = new TunnelSession({
      link,
      clock,
      onCall: serveNode(api),
      lost: (reason) => new Error(`the connection to the server was lost: ${reason}`),
      onClosed(reason, isSilent) {
        signal.removeEventListener('abort', stop);
        resolve({ reason, isSilent });
      },
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

export interface ServerAddress {
  /** `https://10.0.0.1:6443` */
  readonly server: string;
  /** PEM: the server's authority, and the node's own certificate and key. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Name to verify the server's certificate against, where it is not the host in `server`. */
  readonly serverName?: string;
}

/** Opens the WebSocket of a tunnel. Rejects with what the server or the system says. */
export function dialServer(address: ServerAddress, signal: AbortSignal): Promise<Link> {
  const { server, ca, cert, key, serverName } = address;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(
      new URL(TUNNEL_PATH, server).href.replace(/^http/, 'ws'),
      [TUNNEL_PROTOCOL],
      {
        ...{ ca, cert, key },
        ...(serverName === undefined ? {} : { servername: serverName }),
        perMessageDeflate: false,
        maxPayload: LIMITS.tunnel.messageBytes,
        handshakeTimeout: LIMITS.tunnel.connectTimeoutMs,
      },
    );
    const stop = (): void => socket.terminate();
    signal.addEventListener('abort', stop, { once: true });
    socket.once('upgrade', ({ socket: connection }) =>
      connection.setKeepAlive(true, LIMITS.tunnel.keepAliveMs),
    );
    socket.once('unexpected-response', (request, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += body.length < LIMITS.tunnel.messageBytes ? text : '';
      });
      // After its end, or without one where the server died meanwhile.
      response.on('error', () => {});
      response.once('close', () => {
        reject(new Error(`the server refuses the connection: ${refusal(response.statusCode ?? 0, body)}`));
        request.destroy();
      });
    });
    socket.once('open', () => {
      signal.removeEventListener('abort', stop);
      resolve(webSocketLink(socket));
    });
    socket.on('error', (cause) => reject(new Error(`cannot connect to ${server}`, { cause })));
    socket.once('close', () => {
      signal.removeEventListener('abort', stop);
      reject(new Error('the connection was closed before it was open'));
    });
  });
}

/** The message of the Status in the answer, if there is one. */
function refusal(code: number, body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // Something else than the API server answered.
  }
  return `HTTP ${code}`;
}
