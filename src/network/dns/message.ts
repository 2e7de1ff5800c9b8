import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { LIMITS } from '../../lib/limits.ts';

export const RCODE = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const;

/** One question as it came, and how large an answer may be. */
export interface Query {
  readonly packet: Packet;
  readonly bytes: Uint8Array;
  /** Lower case, without the last dot. */
  readonly name: string;
  /** As it was written. */
  readonly originalName: string;
  readonly type: string;
  /** What the client takes over UDP. */
  readonly udpBytes: number;
  readonly hasEdns: boolean;
}

export interface Reply {
  readonly rcode: number;
  readonly authoritative?: boolean;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
}

/** A header that can be answered with an error, or nothing when even that is not there. */
export type ParsedQuery = Query | { readonly id: number; readonly rcode: number } | undefined;

/** Reads a datagram. Answers and everything that is not one question are not replied to with data. */
export function parseQuery(bytes: Uint8Array): ParsedQuery {
  if (bytes.length < 12) return undefined;
  const id = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  const flags = bytes[2] ?? 0;
  // An answer must never be answered: two servers could go on for ever.
  if (flags & 0x80) return undefined;
  if ((flags >> 3) & 0x0f) return { id, rcode: RCODE.notImplemented };
  let packet: Packet;
  try {
    packet = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch {
    return { id, rcode: RCODE.formatError };
  }
  const [question, ...others] = packet.questions ?? [];
  if (!question || others.length > 0) return { id, rcode: RCODE.formatError };
  const edns = packet.additionals?.find((record) => record.type === 'OPT');
  const offered = edns?.type === 'OPT' ? edns.udpPayloadSize : 512;
  return {
    packet,
    bytes,
    name: question.name.toLowerCase().replace(/\.$/, ''),
    originalName: question.name,
    type: question.type,
    udpBytes: Math.min(LIMITS.dns.udpBytes, Math.max(512, offered)),
    hasEdns: edns !== undefined,
  };
}

/** Writes a reply no larger than `maxBytes`: additional records go first, then the answer itself, marked truncated. */
export function encodeReply(query: Query, reply: Reply, maxBytes: number): Buffer {
  const edns: Answer[] = query.hasEdns
    ? [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: LIMITS.dns.udpBytes,
          flags: 0,
          extendedRcode: 0,
          ednsVersion: 0,
          flag_do: false,
          options: [],
        } as unknown as Answer,
      ]
    : [];
  const flags =
    RECURSION_AVAILABLE |
    ((query.packet.flags ?? 0) & RECURSION_DESIRED) |
    (reply.authoritative ? AUTHORITATIVE_ANSWER : 0) |
    reply.rcode;
  const { answers = [], authorities = [], additionals = [] } = reply;
  const write = (parts: Pick<Packet, 'answers' | 'authorities' | 'additionals'>, extraFlags = 0): Buffer =>
    encode({
      type: 'response',
      id: query.packet.id ?? 0,
      flags: flags | extraFlags,
      questions: query.packet.questions ?? [],
      ...parts,
    });
  const full = write({
    answers: [...answers],
    authorities: [...authorities],
    additionals: [...additionals, ...edns],
  });
  if (full.length <= maxBytes) return full;
  const bare = write({ answers: [...answers], authorities: [...authorities], additionals: edns });
  if (bare.length <= maxBytes) return bare;
  return write({ additionals: edns }, TRUNCATED_RESPONSE);
}

/** The twelve bytes that say only what went wrong. */
export function encodeError(id: number, rcode: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x8000 | rcode, 2);
  return header;
}
