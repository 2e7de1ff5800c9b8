import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * One HTTP/1.1 connection, one request at a time, and no more work than that needs: the load generator shares the
 * machine's cores with the server it measures.
 */
export class RawClient {
  readonly #socket: TLSSocket;
  readonly #target: Target;
  #buffer: Buffer = Buffer.alloc(0);
  #settle: ((answer: { status: number; body: Buffer }) => void) | undefined;
  #fail: (error: Error) => void = () => {};
  #isClosed = false;

  private constructor(socket: TLSSocket, target: Target) {
    this.#socket = socket;
    this.#target = target;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#isClosed = true;
      this.#fail(new Error('the server closed the connection'));
    });
  }

  /** The server ends connections that say nothing for long. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  static open(target: Target): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...target, servername: 'kubernetes' }, () => {
        socket.setNoDelay(true);
        resolve(new RawClient(socket, target));
      });
      socket.once('error', reject);
    });
  }

  /** The status and the bytes of an answer that tells its length. Rejects when the connection ends before. */
  request(method: string, path: string, body = ''): Promise<{ status: number; body: Buffer }> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new Error('the connection is closed');
      this.#settle = resolve;
      this.#fail = reject;
      this.#socket.write(`${head(this.#target, method, path, Buffer.byteLength(body))}${body}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const fields = this.#buffer.toString('latin1', 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(fields)?.[1] ?? 0);
    if (this.#buffer.length < end + 4 + length) return;
    const body = this.#buffer.subarray(end + 4, end + 4 + length);
    this.#buffer = this.#buffer.subarray(end + 4 + length);
    this.#settle?.({ status: Number(fields.slice(9, 12)), body });
  }
}

function head({ host, port }: Target, method: string, path: string, length: number): string {
  const content = length === 0 ? '' : `content-type: application/json\r\ncontent-length: ${length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\naccept: application/json\r\n${content}\r\n`;
}

/** All connections read into the same bytes, one after the other: nothing is kept of them. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** One connection whose answers are read as they come. */
export class RawReader {
  readonly #socket: TLSSocket;
  readonly #target: Target;

  private constructor(socket: TLSSocket, target: Target) {
    this.#socket = socket;
    this.#target = target;
  }

  /** `onRead` gets all bytes of answers, head and chunk framing included, in a buffer that is used again afterwards. */
  static open(target: Target, onRead: (buffer: Buffer, length: number) => void): Promise<RawReader> {
    return new Promise((resolve, reject) => {
      const onread = {
        buffer: READ_BUFFER,
        callback(length: number): boolean {
          onRead(READ_BUFFER, length);
          return true;
        },
      };
      // The types know `onread` of plain sockets only.
      const options = { ...target, servername: 'kubernetes', onread } as ConnectionOptions;
      const socket = connect(options, () => resolve(new RawReader(socket, target)));
      socket.once('error', reject);
    });
  }

  ask(path: string): void {
    this.#socket.write(head(this.#target, 'GET', path, 0));
  }

  close(): void {
    this.#socket.destroy();
  }
}
