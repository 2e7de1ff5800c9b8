import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type Answer, decode, type Packet } from 'dns-packet';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { type Query, RCODE, type Reply } from './message.ts';

export interface ForwarderOptions {
  readonly clock: Clock;
  /** `address` or `address:port` is not meant: plain addresses, in order of preference. */
  readonly upstreams: () => readonly string[];
  readonly port?: number;
}

interface Cached {
  readonly reply: Reply;
  readonly storedMs: number;
  readonly expiresMs: number;
}

/** Asks the host's name servers, one after the other, and remembers answers for a moment. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  /** In order of use: the one not asked for longest is dropped first. */
  readonly #cache = new Map<string, Cached>();
  readonly #asking = new Map<string, Promise<Reply>>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Never rejects: what cannot be answered is a server failure, too many questions at once are refused. */
  async ask(query: Query): Promise<Reply> {
    const key = `${query.name} ${query.type} ${query.packet.flags ?? 0}`;
    const known = this.#remembered(key);
    if (known) return known;
    const running = this.#asking.get(key);
    if (running) return running;
    if (this.#asking.size >= LIMITS.dns.inflight) return { rcode: RCODE.refused };
    const asking = this.#askAll(query)
      .then((packet) => this.#remember(key, packet))
      .catch(() => ({ rcode: RCODE.serverFailure }))
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #askAll(query: Query): Promise<Packet> {
    const servers = this.#options.upstreams();
    let failure: unknown = new Error('no name servers');
    for (let attempt = 0; attempt < LIMITS.dns.upstreamTries && servers.length > 0; attempt++) {
      const server = servers[attempt % servers.length] ?? '';
      try {
        const answer = await this.#exchange(query, server);
        // Another server may know better than one that failed or refuses us.
        const rcode = rcodeOf(answer);
        if ((rcode === RCODE.serverFailure || rcode === RCODE.refused) && attempt + 1 < servers.length)
          continue;
        return answer;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #exchange(query: Query, server: string): Promise<Packet> {
    const { clock, port = 53 } = this.#options;
    const message = Buffer.from(query.bytes);
    const id = randomInt(0x10000);
    message.writeUInt16BE(id, 0);
    const accept = (bytes: Buffer): Packet | undefined => {
      const packet = decodeQuietly(bytes);
      const [question] = packet?.questions ?? [];
      const fits = packet?.type === 'response' && packet.id === id && question?.type === query.type;
      return fits && question.name.toLowerCase().replace(/\.$/, '') === query.name ? packet : undefined;
    };
    const packet = await withTimeout(clock, (signal) => overUdp(message, { server, port, accept, signal }));
    if (!isTruncated(packet)) return packet;
    return withTimeout(clock, (signal) => overTcp(message, { server, port, accept, signal }));
  }

  #remembered(key: string): Reply | undefined {
    const found = this.#cache.get(key);
    if (!found) return undefined;
    const nowMs = this.#options.clock.monotonicMs();
    this.#cache.delete(key);
    if (nowMs >= found.expiresMs) return undefined;
    this.#cache.set(key, found);
    const passedSeconds = Math.floor((nowMs - found.storedMs) / 1000);
    const age = (records: readonly Answer[] = []): Answer[] =>
      records.map((record) => ({ ...record, ttl: Math.max(0, ttlOf(record) - passedSeconds) }) as Answer);
    const { reply } = found;
    return { ...reply, answers: age(reply.answers), authorities: age(reply.authorities) };
  }

  #remember(key: string, packet: Packet): Reply {
    const reply: Reply = {
      rcode: rcodeOf(packet),
      answers: packet.answers ?? [],
      authorities: packet.authorities ?? [],
      additionals: (packet.additionals ?? []).filter(({ type }) => type !== 'OPT'),
    };
    const ttlSeconds = cacheSeconds(reply);
    if (ttlSeconds > 0) {
      const storedMs = this.#options.clock.monotonicMs();
      this.#cache.set(key, { reply, storedMs, expiresMs: storedMs + ttlSeconds * 1000 });
      const [oldest] = this.#cache.keys();
      if (this.#cache.size > LIMITS.dns.cacheEntries && oldest !== undefined) this.#cache.delete(oldest);
    }
    return reply;
  }
}

/** The shortest life of any record; for an absent name or type what the zone's SOA says (RFC 2308). */
function cacheSeconds({ rcode, answers = [], authorities = [] }: Reply): number {
  if (rcode !== RCODE.noError && rcode !== RCODE.nameError) return 0;
  const ttls = [...answers, ...authorities].map(ttlOf);
  if (answers.length === 0) {
    const soa = authorities.find((record) => record.type === 'SOA');
    if (soa?.type !== 'SOA') return 0;
    ttls.push(soa.data.minimum ?? 0);
  }
  return Math.min(LIMITS.dns.cacheMaxTtlSeconds, ...ttls);
}

const ttlOf = (record: Answer): number => ('ttl' in record ? (record.ttl ?? 0) : 0);
const rcodeOf = (packet: Packet): number => (packet.flags ?? 0) & 0x0f;
const isTruncated = (packet: Packet): boolean => ((packet.flags ?? 0) & 0x0200) !== 0;

function decodeQuietly(bytes: Buffer): Packet | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

interface Exchange {
  readonly server: string;
  readonly port: number;
  /** The packet if it answers what was asked; anything else may be forged and is ignored. */
  readonly accept: (bytes: Buffer) => Packet | undefined;
  readonly signal: AbortSignal;
}

/** A socket of its own per question: a fresh random source port makes forging an answer hard (RFC 5452). */
function overUdp(message: Buffer, { server, port, accept, signal }: Exchange): Promise<Packet> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    const done = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.close();
    };
    const onAbort = (): void => {
      done();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort);
    socket.on('message', (bytes) => {
      const packet = accept(bytes);
      if (!packet) return;
      done();
      resolve(packet);
    });
    socket.once('error', (error) => {
      done();
      reject(error);
    });
    // Connected: only this server's datagrams arrive, and an unreachable port shows as an error at once.
    socket.connect(port, server, () => socket.send(message));
  });
}

function overTcp(message: Buffer, { server, port, accept, signal }: Exchange): Promise<Packet> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server, port, signal });
    let received = Buffer.alloc(0);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${server} closed the connection`)));
    socket.once('connect', () => socket.write(Buffer.concat([length, message])));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const packet = accept(received.subarray(2, 2 + received.readUInt16BE(0)));
      if (packet) resolve(packet);
      else reject(new Error(`${server} answered something else`));
      socket.destroy();
    });
  });
}

async function withTimeout<T>(clock: Clock, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const timer = clock.setTimer(LIMITS.dns.upstreamTimeoutMs, () =>
    abort.abort(new Error('no answer in time')),
  );
  try {
    return await run(abort.signal);
  } finally {
    timer.cancel();
  }
}
