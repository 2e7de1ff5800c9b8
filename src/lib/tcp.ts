import { connect, isIPv6, type Socket } from 'node:net';

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * A TCP connection. Rejects with an error that says where it should have gone and why it did not, in Kubernetes' words
 * (`dial tcp 10.42.0.5:443: connect: connection refused`), or with the signal's reason.
 */
export function connectTcp({ host, port, timeoutMs, signal }: TcpOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const socket = connect({ host, port, noDelay: true });
    const timer = setTimeout(
      () => fail(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })),
      timeoutMs,
    );
    timer.unref();
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', fail);
    };
    const onAbort = (): void => {
      settle();
      discard(socket);
      reject(signal?.reason);
    };
    const fail = (cause: NodeJS.ErrnoException): void => {
      settle();
      discard(socket);
      reject(new Error(dialFailure(host, port, cause), { cause }));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
  });
}

function discard(socket: Socket): void {
  socket.on('error', () => {});
  socket.destroy();
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'connect: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
};

function dialFailure(host: string, port: number, cause: NodeJS.ErrnoException): string {
  if (cause.code === 'ENOTFOUND') return `dial tcp: lookup ${host}: no such host`;
  const at = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  // Several addresses of one name fail together; the first one's reason stands for all.
  const code = cause.code ?? ((cause as { errors?: NodeJS.ErrnoException[] }).errors?.[0]?.code || '');
  return `dial tcp ${at}: ${REASONS[code] ?? cause.message}`;
}
