/**
 * Kubernetes objects in protobuf: the `k8s\0` envelope around runtime.Unknown, and messages read by the generated
 * tables into the form the same object has in JSON.
 */
import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../lib/limits.ts';
import { formatTime } from '../durations.ts';
import { type JsonObject, setOwn } from '../json-value.ts';
import { ProtobufError, ProtobufReader } from '../protobuf/reader.ts';
import { parseJson } from './json-text.ts';
import { type Message, type MessageField, SERVED_MESSAGES } from './message-table.ts';

const MAGIC = Buffer.from('k8s\0');

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

/** Opens the envelope. Throws {@link ProtobufError}. */
export function openEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length === 0) throw new ProtobufError('empty data');
  if (!startsWithMagic(bytes)) {
    throw new ProtobufError(
      `provided data does not appear to be a protobuf message, expected prefix [${[...MAGIC].join(' ')}]`,
    );
  }
  const reader = new ProtobufReader(bytes, MAGIC.length);
  let typeMeta: JsonObject = {};
  let raw: Uint8Array = new Uint8Array();
  while (!reader.isAtEnd) {
    const { number, wire } = reader.tag();
    if (number === 1) typeMeta = readMessage(nested(reader, wire), typeMetaMessage(), 0);
    else if (number === 2) {
      expectWire(wire, 2);
      raw = reader.bytes();
    } else if (number === 3 && wire === 2) {
      const encoding = text(reader.bytes());
      if (encoding !== '')
        throw new ProtobufError(`unable to decode content encoding ${JSON.stringify(encoding)}`);
    } else reader.skip(wire);
  }
  const { apiVersion = '', kind = '' } = typeMeta as { apiVersion?: string; kind?: string };
  return { apiVersion, kind, raw };
}

function nested(reader: ProtobufReader, wire: number): ProtobufReader {
  expectWire(wire, 2);
  return reader.nested();
}

/**
 * Reads a message of the kind `definition` (`io.k8s.api.core.v1.Pod`). Unknown fields are passed over, as protobuf
 * demands. Throws {@link ProtobufError}; undefined where the type has no protobuf form.
 */
export function decodeMessage(raw: Uint8Array, definition: string): JsonObject | undefined {
  const message = SERVED_MESSAGES.named(definition);
  return message === undefined ? undefined : decodeAs(raw, message);
}

/** Reads a message of any version, see {@link decodeMessage}. */
export function decodeAs(raw: Uint8Array, message: Message): JsonObject {
  return readMessage(new ProtobufReader(raw), message, 0);
}

const TYPE_META = 'io.k8s.apimachinery.pkg.runtime.TypeMeta';

function typeMetaMessage(): Message {
  const message = SERVED_MESSAGES.named(TYPE_META);
  if (message === undefined) throw new Error(`no protobuf message ${TYPE_META}`);
  return message;
}

function startsWithMagic(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, index) => bytes[index] === byte);
}

function readMessage(reader: ProtobufReader, message: Message, depth: number): JsonObject {
  const object: JsonObject = {};
  readFields(reader, message, object, depth);
  return object;
}

function readFields(reader: ProtobufReader, message: Message, object: JsonObject, depth: number): void {
  if (depth > LIMITS.http.nesting) throw new ProtobufError('exceeded max depth');
  while (!reader.isAtEnd) {
    const { number, wire } = reader.tag();
    const field = message.fields.get(number);
    if (field === undefined) {
      reader.skip(wire);
      continue;
    }
    const { name, shape } = field;
    if (name === '') {
      expectWire(wire, 2);
      readFields(reader.nested(), field.message, object, depth + 1);
    } else if (shape === 'list') {
      const items = (Object.hasOwn(object, name) ? object[name] : []) as unknown[];
      object[name] = items;
      readItems(reader, field, wire, items, depth);
    } else if (shape === 'map') {
      const map = (Object.hasOwn(object, name) ? object[name] : {}) as JsonObject;
      object[name] = map;
      expectWire(wire, 2);
      readEntry(reader.nested(), field, map, depth);
    } else {
      const value = readValue(reader, field, wire, depth);
      if (value !== null) object[name] = value;
    }
  }
}

function readItems(
  reader: ProtobufReader,
  field: MessageField,
  wire: number,
  items: unknown[],
  depth: number,
): void {
  const isScalar = field.type === 'i' || field.type === 'l' || field.type === 'b';
  if (!isScalar || wire !== 2) {
    items.push(readValue(reader, field, wire, depth));
    return;
  }
  const packed = reader.nested();
  while (!packed.isAtEnd) items.push(readValue(packed, field, 0, depth));
}

function readEntry(entry: ProtobufReader, field: MessageField, map: JsonObject, depth: number): void {
  let key = '';
  let value: unknown;
  while (!entry.isAtEnd) {
    const { number, wire } = entry.tag();
    if (number === 1) {
      expectWire(wire, 2);
      key = text(entry.bytes());
    } else if (number === 2) value = readValue(entry, field, wire, depth);
    else entry.skip(wire);
  }
  setOwn(map, key, value ?? (field.type === 's' || field.type === 'y' ? '' : null));
}

function expectWire(wire: number, expected: number): void {
  if (wire !== expected) throw new ProtobufError(`proto: wrong wireType = ${wire}`);
}

function readValue(reader: ProtobufReader, field: MessageField, wire: number, depth: number): unknown {
  const { type } = field;
  expectWire(wire, type === 'b' || type === 'i' || type === 'l' ? 0 : type === 'd' ? 1 : 2);
  switch (type) {
    case 's':
      return text(reader.bytes());
    case 'b':
      return reader.bool();
    case 'i':
      return reader.int32();
    case 'l':
      return reader.int64();
    case 'y':
      return base64(reader.bytes());
    case 'd':
      return reader.double();
    default: {
      const { message } = field;
      const value = readMessage(reader.nested(), message, depth + 1);
      const special = Object.hasOwn(SPECIAL, message.name) ? SPECIAL[message.name] : undefined;
      return special === undefined ? value : special(value, depth);
    }
  }
}

function text(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new ProtobufError('proto: invalid UTF-8 in string field');
  return view(bytes).toString('utf8');
}

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const base64 = (bytes: Uint8Array): string => view(bytes).toString('base64');

const EXTENSIONS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

const items = (value: JsonObject): unknown => value['items'] ?? [];

/** Messages whose form in JSON is not an object of their fields. */
const SPECIAL: Readonly<Record<string, (value: JsonObject, depth: number) => unknown>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': (value) => value['string'] ?? '0',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': (value) =>
    (value['type'] ?? 0) === 0 ? (value['intVal'] ?? 0) : (value['strVal'] ?? ''),
  // An empty message is Go's zero time, which is no time at all.
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': (value) =>
    Object.keys(value).length === 0 ? null : formatTime(secondsMs(value)),
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': (value) =>
    Object.keys(value).length === 0 ? null : microTime(value),
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': (value, depth) => rawJson(value['Raw'], depth),
  'io.k8s.apimachinery.pkg.runtime.RawExtension': (value, depth) => rawJson(value['raw'], depth),
  'io.k8s.api.authentication.v1.ExtraValue': items,
  'io.k8s.api.authentication.v1beta1.ExtraValue': items,
  'io.k8s.api.authorization.v1.ExtraValue': items,
  'io.k8s.api.authorization.v1beta1.ExtraValue': items,
  'io.k8s.api.certificates.v1.ExtraValue': items,
  'io.k8s.api.certificates.v1beta1.ExtraValue': items,
  'io.k8s.apimachinery.pkg.apis.meta.v1.Verbs': items,
  [`${EXTENSIONS}.JSON`]: (value, depth) => rawJson(value['raw'], depth),
  [`${EXTENSIONS}.JSONSchemaPropsOrArray`]: (value) => value['jSONSchemas'] ?? value['schema'] ?? null,
  [`${EXTENSIONS}.JSONSchemaPropsOrBool`]: (value) => value['schema'] ?? value['allows'] === true,
  [`${EXTENSIONS}.JSONSchemaPropsOrStringArray`]: (value) => value['property'] ?? value['schema'] ?? null,
};

/** Years that have four digits; RFC 3339 knows no others. */
const MAX_SECONDS = 253_402_300_799;

function secondsMs(value: JsonObject): number {
  const seconds = Number(value['seconds'] ?? 0);
  if (Math.abs(seconds) > MAX_SECONDS) throw new ProtobufError('proto: time is out of range');
  return seconds * 1000;
}

function microTime(value: JsonObject): string {
  const nanos = Number(value['nanos'] ?? 0);
  if (nanos < 0 || nanos > 999_999_999) throw new ProtobufError('proto: time is out of range');
  const micros = String(Math.floor(nanos / 1000)).padStart(6, '0');
  return formatTime(secondsMs(value)).replace('Z', `.${micros}Z`);
}

/** Extensions carry JSON, or another object in an envelope. */
function rawJson(raw: unknown, depth: number): unknown {
  if (typeof raw !== 'string' || raw === '') return null;
  const bytes = Buffer.from(raw, 'base64');
  if (!startsWithMagic(bytes)) return parseJson(bytes).value;
  if (depth > LIMITS.http.nesting) throw new ProtobufError('exceeded max depth');
  throw new ProtobufError('proto: an extension must hold JSON');
}
