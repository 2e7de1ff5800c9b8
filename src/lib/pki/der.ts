/**
 * The part of DER (X.690) that certificates and signing requests need. Small enough to own: a general ASN.1 library
 * costs a quarter of a second and more than 20 MB at start (docs/decisions/0030).
 */

const SEQUENCE = 0x30;
const SET = 0x31;

function element(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  let header: number[];
  if (length < 0x80) header = [tag, length];
  else if (length < 0x100) header = [tag, 0x81, length];
  else if (length < 0x10000) header = [tag, 0x82, length >> 8, length & 0xff];
  else throw new Error(`DER element of ${length} bytes is too long`);
  return Buffer.concat([Buffer.from(header), content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(SEQUENCE, Buffer.concat(parts));
export const setOf = (...parts: readonly Uint8Array[]): Buffer => element(SET, Buffer.concat(parts));
export const octetString = (content: Uint8Array): Buffer => element(0x04, content);
export const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  element(0x03, Buffer.concat([Buffer.from([unusedBits]), content]));
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]));
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'));
/** `[n]` around or instead of something. */
export const context = (n: number, content: Uint8Array, isConstructed: boolean): Buffer =>
  element(0x80 | (isConstructed ? 0x20 : 0) | n, content);

/** An unsigned integer, big endian. */
export function integer(value: Uint8Array): Buffer {
  let start = 0;
  while (start < value.length - 1 && value[start] === 0) start++;
  const bytes = value.subarray(start);
  const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0;
  return element(0x02, isNegative ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return element(0x06, Buffer.from(bytes));
}

/** UTCTime up to 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
export function time(epochMs: number): Buffer {
  const digits = new Date(epochMs).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const isUtcTime = new Date(epochMs).getUTCFullYear() < 2050;
  return isUtcTime
    ? element(0x17, Buffer.from(`${digits.slice(2)}Z`, 'latin1'))
    : element(0x18, Buffer.from(`${digits}Z`, 'latin1'));
}

/** One decoded element. `raw` is the whole of it, `content` what it holds. */
export interface DerElement {
  readonly tag: number;
  readonly raw: Buffer;
  readonly content: Buffer;
}

/** All elements of a buffer, in order. Throws on malformed or trailing bytes. */
export function parseDer(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    if ((tag & 0x1f) === 0x1f) throw new Error('DER tag is not supported');
    let length = byteAt(bytes, at + 1);
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 3) throw new Error('DER length is not supported');
      length = 0;
      for (let index = 0; index < count; index++) length = length * 256 + byteAt(bytes, start++);
    }
    if (start + length > bytes.length) throw new Error('DER element is cut off');
    elements.push({
      tag,
      raw: bytes.subarray(at, start + length),
      content: bytes.subarray(start, start + length),
    });
    at = start + length;
  }
  return elements;
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new Error('DER element is cut off');
  return byte;
}

/** The text form of an OBJECT IDENTIFIER's content. */
export function identifierText(content: Buffer): string {
  const first = byteAt(content, 0);
  const arcs = [Math.min(2, Math.floor(first / 40)), first < 80 ? first % 40 : first - 80];
  let arc = 0;
  for (const byte of content.subarray(1)) {
    arc = arc * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}
