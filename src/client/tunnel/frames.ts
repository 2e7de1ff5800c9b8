/**
 * What travels through the tunnel: one frame in one message. A frame is its type (1 byte), the number of the call
 * (4 bytes, big endian) and a payload. Calls are numbered by the side that opens them and are never reused.
 */
export type Frame =
  /** A new call. */
  | { readonly type: 'open'; readonly call: number; readonly message: unknown }
  /** The call is answered; streams may flow. */
  | { readonly type: 'accept'; readonly call: number; readonly message: unknown }
  /** Bytes of one lane of the call. */
  | { readonly type: 'data'; readonly call: number; readonly lane: number; readonly bytes: Buffer }
  /** The sender has no more bytes for the lane; the other direction goes on. */
  | { readonly type: 'end'; readonly call: number; readonly lane: number }
  /** The receiver takes so many bytes more on the lane. */
  | { readonly type: 'credit'; readonly call: number; readonly lane: number; readonly bytes: number }
  /** Besides the streams: a terminal's size, an exit code. */
  | { readonly type: 'note'; readonly call: number; readonly message: unknown }
  /** The call is over: regularly, or with what went wrong. */
  | { readonly type: 'close'; readonly call: number; readonly message: unknown };

const CODES = { open: 1, accept: 2, data: 3, end: 4, credit: 5, note: 6, close: 7 } as const;
const TYPES = new Map(Object.entries(CODES).map(([type, code]) => [code as number, type as Frame['type']]));
const HEADER_BYTES = 5;

export function encodeFrame(frame: Frame): Buffer {
  switch (frame.type) {
    case 'data':
      return assemble(frame, [Buffer.of(frame.lane), frame.bytes]);
    case 'end':
      return assemble(frame, [Buffer.of(frame.lane)]);
    case 'credit': {
      const payload = Buffer.alloc(5);
      payload.writeUInt8(frame.lane, 0);
      payload.writeUInt32BE(frame.bytes, 1);
      return assemble(frame, [payload]);
    }
    default:
      return assemble(frame, [Buffer.from(JSON.stringify(frame.message ?? null))]);
  }
}

function assemble({ type, call }: Frame, payload: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(CODES[type], 0);
  header.writeUInt32BE(call, 1);
  return Buffer.concat([header, ...payload]);
}

/** Throws when the message is no frame. Bytes are not copied. */
export function decodeFrame(message: Buffer): Frame {
  const type = TYPES.get(message[0] ?? 0);
  if (type === undefined || message.length < HEADER_BYTES) throw new Error('not a frame of the tunnel');
  const call = message.readUInt32BE(1);
  const payload = message.subarray(HEADER_BYTES);
  if (type === 'data' || type === 'end' || type === 'credit') {
    const lane = payload[0];
    if (lane === undefined || (type === 'credit' && payload.length < 5))
      throw new Error(`a frame "${type}" of the tunnel is too short`);
    if (type === 'data') return { type, call, lane, bytes: payload.subarray(1) };
    return type === 'end' ? { type, call, lane } : { type, call, lane, bytes: payload.readUInt32BE(1) };
  }
  return { type, call, message: JSON.parse(payload.toString('utf8')) as unknown };
}
