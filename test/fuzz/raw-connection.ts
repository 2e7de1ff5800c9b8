import { connect, type TLSSocket } from 'node:tls';
import type { HostileRequest } from './hostile-request.ts';

export interface RawAnswer {
  readonly code: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** What a client that sends whatever it likes, byte for byte, gets back until the server is done with it. */
export async function rawExchange(
  target: { readonly port: number; readonly ca: string },
  bytes: Buffer,
  timeoutMs = 20_000,
): Promise<RawAnswer | 'closed' | 'hung'> {
  const socket = connect({
    port: target.port,
    ca: target.ca,
    ALPNProtocols: ['http/1.1'],
    servername: 'localhost',
  });
  const chunks: Buffer[] = [];
  try {
    return await new Promise<RawAnswer | 'closed' | 'hung'>((resolve) => {
      const timer = setTimeout(() => resolve('hung'), timeoutMs);
      const end = (): void => {
        clearTimeout(timer);
        resolve(parseAnswer(Buffer.concat(chunks)) ?? 'closed');
      };
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('error', end);
      socket.once('close', end);
      socket.write(bytes);
    });
  } finally {
    socket.destroy();
  }
}

export function requestBytes({ method, path, headers, body }: HostileRequest): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    ...headers,
    `Content-Length: ${body.length}`,
    '',
    '',
  ];
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'utf8'), body]);
}

/** The last answer in the bytes; interim ones (100 Continue) are passed over. */
export function parseAnswer(bytes: Buffer): RawAnswer | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const code = Number(statusLine.split(' ')[1]);
  const rest = bytes.subarray(headEnd + 4);
  if (code >= 100 && code < 200) return parseAnswer(rest);
  const headers = new Map(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
    }),
  );
  const chunked = headers.get('transfer-encoding') === 'chunked';
  return { code, headers, body: (chunked ? unchunked(rest) : rest).toString('utf8') };
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd < 0 ? 0 : Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

/** An open TLS connection, opened again where a machine too slow for a handshake was cut off. */
export async function open(
  target: { readonly port: number; readonly ca: string },
  protocol = 'http/1.1',
): Promise<TLSSocket> {
  for (;;) {
    const socket = connect({
      port: target.port,
      ca: target.ca,
      ALPNProtocols: [protocol],
      servername: 'localhost',
    });
    socket.on('error', () => {});
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('secureConnect', () => resolve(true));
      socket.once('close', () => resolve(false));
    });
    if (isOpen) return socket;
  }
}
