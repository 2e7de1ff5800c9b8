import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { LIMITS } from '../../lib/limits.ts';
import { encodeError, encodeReply, parseQuery, type Query, RCODE, type Reply } from './message.ts';

export interface DnsServerOptions {
  readonly address: string;
  readonly port: number;
  readonly resolve: (query: Query) => Promise<Reply>;
}

/** DNS over UDP and TCP (RFC 1035, 7766) on one address. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  #inflight = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#udp = createSocket(options.address.includes(':') ? 'udp6' : 'udp4');
    this.#udp.on('message', (bytes, from) => void this.#onDatagram(bytes, from));
    this.#tcp = createServer((socket) => this.#onConnection(socket));
    this.#tcp.maxConnections = LIMITS.dns.tcpConnections;
  }

  /** Rejects when the address or port cannot be had. */
  async listen(): Promise<void> {
    const { address, port } = this.#options;
    this.#tcp.listen(port, address);
    await once(this.#tcp, 'listening');
    try {
      this.#udp.bind(this.port, address);
      await once(this.#udp, 'listening');
    } catch (error) {
      this.#tcp.close();
      throw error;
    }
    this.#udp.on('error', () => {});
  }

  get port(): number {
    const bound = this.#tcp.address();
    return typeof bound === 'object' && bound ? bound.port : this.#options.port;
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
      new Promise<void>((resolve) => {
        try {
          this.#udp.close(() => resolve());
        } catch {
          resolve();
        }
      }),
    ]);
  }

  async #onDatagram(bytes: Buffer, from: RemoteInfo): Promise<void> {
    const reply = await this.#answer(bytes, true);
    if (!reply) return;
    try {
      // The sender may be gone; nobody waits for this.
      this.#udp.send(reply, from.port, from.address, () => {});
    } catch {
      // Closed meanwhile.
    }
  }

  async #answer(bytes: Uint8Array, isUdp: boolean): Promise<Buffer | undefined> {
    const query = parseQuery(bytes);
    if (!query) return undefined;
    if ('rcode' in query) return encodeError(query.id, query.rcode);
    const maxBytes = isUdp ? query.udpBytes : 65_535;
    if (this.#inflight >= LIMITS.dns.inflight) return encodeReply(query, { rcode: RCODE.refused }, maxBytes);
    this.#inflight++;
    try {
      return encodeReply(query, await this.#options.resolve(query), maxBytes);
    } catch {
      // A record from outside that cannot be written again.
      return encodeReply(query, { rcode: RCODE.serverFailure }, maxBytes);
    } finally {
      this.#inflight--;
    }
  }

  #onConnection(socket: Socket): void {
    let received = Buffer.alloc(0);
    let answering = Promise.resolve();
    this.#connections.add(socket);
    socket.setTimeout(LIMITS.dns.tcpIdleMs, () => socket.destroy());
    socket.once('close', () => this.#connections.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const message = received.subarray(2, end);
        received = received.subarray(end);
        // In order, one at a time: a client that sends faster than it reads waits.
        socket.pause();
        answering = answering.then(async () => {
          const reply = await this.#answer(message, false);
          if (!reply || socket.destroyed) return;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
          socket.resume();
        });
      }
    });
  }
}
