import type { KubeObject } from '../../api/resource.ts';

const METADATA = Buffer.from('"metadata":{');
const CLOSING_BRACE = 0x7d;
const QUOTE = 0x22;

/**
 * The bytes the datastore keeps of an object: its JSON, `apiVersion`, `kind` and `metadata` first, without
 * `metadata.resourceVersion`, which is the entry's revision and is spliced in on every read.
 */
export function encodeForStorage(object: KubeObject): Buffer {
  return Buffer.from(JSON.stringify(isInOrder(object) ? object : inOrder(object)));
}

/** Whether parsing the stored bytes of `object` gives just what it is. */
export function isAsStored(object: KubeObject): boolean {
  return isInOrder(object) && isJson(object);
}

/** What JSON leaves out or writes as something else is not among it. */
function isJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (Array.isArray(value)) return value.every(isJson);
  if ('toJSON' in value) return false;
  for (const key in value) if (!isJson((value as Record<string, unknown>)[key])) return false;
  return true;
}

/** Most new objects are as they are stored, and need not be copied first. */
function isInOrder(object: KubeObject): boolean {
  if (object.metadata.resourceVersion !== undefined) return false;
  let at = 0;
  for (const key in object) {
    if (key !== FIRST[at]) return false;
    if (++at === FIRST.length) return true;
  }
  return false;
}

const FIRST = ['apiVersion', 'kind', 'metadata'];

function inOrder({ apiVersion, kind, metadata, ...rest }: KubeObject): object {
  const { resourceVersion: _, ...kept } = metadata;
  return { apiVersion, kind, metadata: kept, ...rest };
}

/**
 * Where `resourceVersion` goes: right after the brace that opens the object's own `metadata`. Before it stand only
 * `apiVersion` and `kind`; inside a JSON string the searched bytes cannot occur, since its quotes are escaped.
 * Throws for bytes that `encodeForStorage` did not make.
 */
export function revisionOffset(stored: Buffer): number {
  const at = stored.indexOf(METADATA);
  if (at < 0) throw new TypeError('a stored object has no metadata');
  return at + METADATA.length;
}

const VERSION_HEAD = '{"apiVersion":"';

/** `apiVersion` of stored bytes, in which it comes first; empty where it does not. */
export function apiVersionOf({ buffer, start, length }: StoredBytes): string {
  const from = start + VERSION_HEAD.length;
  const to = buffer.indexOf(QUOTE, from);
  const hasHead = buffer.toString('latin1', start, from) === VERSION_HEAD;
  return hasHead && to >= 0 && to < start + length ? buffer.toString('latin1', from, to) : '';
}

/** The same JSON of an object with another `apiVersion`. */
export function withApiVersion(json: Buffer, apiVersion: string): Buffer {
  const to = json.indexOf(QUOTE, VERSION_HEAD.length);
  return Buffer.concat([Buffer.from(VERSION_HEAD + apiVersion), json.subarray(to)]);
}

/** Encoded bytes and where in them they begin; a view for each object would cost more than the splicing. */
export interface StoredBytes {
  readonly buffer: Buffer;
  readonly start: number;
  readonly length: number;
}

/** The text to splice in at `offset`. */
export function revisionText({ buffer, start }: StoredBytes, offset: number, revision: number): string {
  const isOnly = buffer[start + offset] === CLOSING_BRACE;
  return isOnly ? `"resourceVersion":"${revision}"` : `"resourceVersion":"${revision}",`;
}

/** The object's JSON as clients see it, in a buffer of its own. */
export function withRevision(stored: StoredBytes, offset: number, revision: number): Buffer {
  const text = revisionText(stored, offset, revision);
  const json = Buffer.allocUnsafe(stored.length + text.length);
  spliceInto(json, 0, { stored, offset, text });
  return json;
}

/** Length of what `withRevision` makes. */
export function lengthWithRevision(
  { buffer, start, length }: StoredBytes,
  offset: number,
  revision: number,
): number {
  const aroundBytes = buffer[start + offset] === CLOSING_BRACE ? ONLY_BYTES : ONLY_BYTES + 1;
  return length + aroundBytes + String(revision).length;
}

const ONLY_BYTES = '"resourceVersion":""'.length;

/** Writes what `withRevision` makes into `target` at `at`. */
export function writeWithRevision(
  target: Buffer,
  at: number,
  { stored, offset, revision }: { stored: StoredBytes; offset: number; revision: number },
): void {
  spliceInto(target, at, { stored, offset, text: revisionText(stored, offset, revision) });
}

/** Writes the spliced object into `target` at `at`. */
export function spliceInto(
  target: Buffer,
  at: number,
  { stored, offset, text }: { stored: StoredBytes; offset: number; text: string },
): void {
  const { buffer, start, length } = stored;
  buffer.copy(target, at, start, start + offset);
  target.write(text, at + offset, 'latin1');
  buffer.copy(target, at + offset + text.length, start + offset, start + length);
}
