/**
 * JSON from clients: `JSON.parse` for what is plain, a careful parser for what is not (duplicate keys, integers
 * beyond 2^53, errors), so that the usual body costs one native parse and a scan.
 */
import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../lib/limits.ts';
import { JsonSyntaxError, type ParsedJson, parseCarefully } from './careful-json.ts';

/** Parses a whole body. Throws {@link JsonSyntaxError}. The last of several equal keys wins, as in Go. */
export function parseJson(bytes: Uint8Array): ParsedJson {
  const { depth, members, isAscii } = scan(bytes);
  if (!isAscii && !isUtf8(bytes)) throw new JsonSyntaxError('invalid UTF-8 in JSON text');
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString(isAscii ? 'latin1' : 'utf8');
  if (depth > LIMITS.http.nesting) throw new JsonSyntaxError('exceeded max depth');
  try {
    const value: unknown = JSON.parse(text);
    const found = { members: 0, isExact: true };
    survey(value, found);
    if (found.members === members && found.isExact) return { value, duplicates: [] };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return parseCarefully(text);
}

interface Scan {
  readonly depth: number;
  readonly members: number;
  readonly isAscii: boolean;
}

/** Nesting depth and number of members, without understanding the rest. Wrong only for text that is not JSON. */
function scan(bytes: Uint8Array): Scan {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let isString = false;
  // All bits that any byte has.
  let bits = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    bits |= byte;
    if (isString) {
      if (byte === 0x5c) bits |= bytes[++at] ?? 0;
      else if (byte === 0x22) isString = false;
    } else if (byte === 0x22) isString = true;
    else if (byte === 0x3a) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return { depth: deepest, members, isAscii: bits < 0x80 };
}

/** Counts members, so that a lost duplicate shows, and looks for numbers that lost digits. */
function survey(value: unknown, found: { members: number; isExact: boolean }): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      found.isExact = false;
    }
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) survey(item, found);
    return;
  }
  const object = value as Record<string, unknown>;
  for (const key in object) {
    found.members++;
    survey(object[key], found);
  }
}
