import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Status } from '../../api/types.gen.ts';
import type { ExecSession } from '../../client/node-port.ts';
import { exitStatus, failureStatus } from './exec-status.ts';

/** Newest first: what kubectl and other clients may ask for (KEP-4006). */
export const EXEC_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
/** v5: the byte after it names a channel that the sender closes. */
const CLOSE = 255;

/** Carries a session over channels: the first byte of each message says which. Resolves when it is over. */
export async function serveExec(socket: WebSocket, session: ExecSession): Promise<void> {
  const channels = new Channels(socket);
  socket.on('close', () => session.close());
  socket.on('error', () => session.close());
  channels.receive(session);
  let status: Status;
  try {
    await Promise.all([channels.copy(STDOUT, session.stdout), channels.copy(STDERR, session.stderr)]);
    status = exitStatus(await session.exit);
  } catch (error) {
    status = failureStatus(error);
  }
  await channels.send(ERROR, Buffer.from(channels.statusText(status))).catch(() => {});
  socket.close(1000);
}

class Channels {
  readonly #socket: WebSocket;
  readonly #base64: boolean;
  readonly #knowsStatus: boolean;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#base64 = socket.protocol.includes('base64');
    this.#knowsStatus = /^v[45]\./.test(socket.protocol);
  }

  /** Before v4 the error channel carried plain text, and nothing for success. */
  statusText(status: Status): string {
    if (this.#knowsStatus) return JSON.stringify(status);
    return status.status === 'Success' ? '' : (status.message ?? '');
  }

  send(channel: number, bytes: Buffer): Promise<void> {
    const message = this.#base64
      ? `${channel}${bytes.toString('base64')}`
      : Buffer.concat([Buffer.from([channel]), bytes]);
    return new Promise((resolve, reject) => {
      this.#socket.send(message, { binary: !this.#base64 }, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** One chunk at a time: a client that reads slowly slows the process down, not this server. */
  async copy(channel: number, source: Readable | undefined): Promise<void> {
    if (!source) return;
    for await (const chunk of source) await this.send(channel, chunk as Buffer);
  }

  receive(session: ExecSession): void {
    this.#socket.on('message', (data: Buffer) => {
      const { channel, bytes } = this.#parse(data);
      if (channel === STDIN) this.#feed(session, bytes);
      else if (channel === RESIZE) resize(session, bytes);
      else if (channel === CLOSE && bytes[0] === STDIN) session.stdin?.end();
    });
  }

  #feed(session: ExecSession, bytes: Buffer): void {
    if (!session.stdin || bytes.length === 0 || session.stdin.write(bytes)) return;
    this.#socket.pause();
    session.stdin.once('drain', () => this.#socket.resume());
  }

  #parse(data: Buffer): { channel: number; bytes: Buffer } {
    if (!this.#base64) return { channel: data[0] ?? -1, bytes: data.subarray(1) };
    const text = data.toString('latin1');
    return { channel: Number(text[0]), bytes: Buffer.from(text.slice(1), 'base64') };
  }
}

/** `{"Width":80,"Height":24}`; anything else is passed over. */
export function resize(session: ExecSession, bytes: Buffer): void {
  try {
    const { Width, Height } = JSON.parse(bytes.toString('utf8')) as { Width?: unknown; Height?: unknown };
    if (typeof Width === 'number' && typeof Height === 'number' && Width > 0 && Height > 0)
      session.resize({ columns: Width, rows: Height });
  } catch {
    // A size that cannot be read changes nothing.
  }
}
