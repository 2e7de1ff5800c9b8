import { type JsonObject, own } from '../json-value.ts';
import { ProtobufWriter } from '../protobuf/writer.ts';
import { MESSAGE_LINES } from './messages.gen.ts';

interface Message {
  readonly n: string;
  readonly f: Readonly<Record<string, readonly [name: string, type: string]>>;
}

const messages = MESSAGE_LINES.map((line) => JSON.parse(line) as Message);

/** Writes an object as client-go would, envelope included; for tests of what reads it. */
export function encodeObject(object: JsonObject, definition: string): Uint8Array {
  const message = messages.find(({ n }) => n === definition);
  if (message === undefined) throw new Error(`no message ${definition}`);
  const typeMeta = new ProtobufWriter().string(1, object['apiVersion']).string(2, object['kind']);
  const unknown = new ProtobufWriter()
    .message(1, typeMeta)
    .bytes(2, encodeMessage(object, message).finish())
    .string(4, 'application/json');
  return Buffer.concat([Buffer.from('k8s\0'), unknown.finish()]);
}

function encodeMessage(object: JsonObject, message: Message): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const [number, [name, type]] of Object.entries(message.f)) {
    if (name === '') writer.message(Number(number), encodeMessage(object, typeOf(type)));
    else {
      const value = own(object, name);
      if (value !== undefined && value !== null) encodeField(writer, Number(number), type, value);
    }
  }
  return writer;
}

function typeOf(type: string): Message {
  const message = messages[Number(type.slice(1))];
  if (message === undefined) throw new Error(`no message ${type}`);
  return message;
}

function encodeField(writer: ProtobufWriter, number: number, type: string, value: unknown): void {
  if (type.startsWith('[]')) {
    for (const item of value as unknown[]) encodeField(writer, number, type.slice(2), item);
  } else if (type.startsWith('map:')) {
    for (const [key, item] of Object.entries(value as JsonObject)) {
      const entry = new ProtobufWriter().bytes(1, Buffer.from(key));
      encodeField(entry, 2, type.slice(4), item);
      writer.message(number, entry);
    }
  } else if (type === 's') writer.bytes(number, Buffer.from(value as string));
  else if (type === 'y') writer.bytes(number, Buffer.from(value as string, 'base64'));
  else if (type === 'b') writer.integer(number, value === true ? 1 : 0);
  else if (type === 'i' || type === 'l') writer.integer(number, value as number);
  else writer.message(number, encodeNested(value, typeOf(type)));
}

function encodeNested(value: unknown, message: Message): ProtobufWriter {
  const writer = new ProtobufWriter();
  switch (message.n.slice(message.n.lastIndexOf('.') + 1)) {
    case 'Quantity':
      return writer.string(1, value);
    case 'IntOrString':
      return typeof value === 'number'
        ? writer.integer(1, 0).integer(2, value)
        : writer.integer(1, 1).bytes(3, Buffer.from(value as string));
    case 'Time':
    case 'MicroTime': {
      const fraction = /\.(\d+)Z$/.exec(value as string)?.[1] ?? '';
      return writer
        .integer(1, Math.floor(Date.parse(value as string) / 1000))
        .integer(2, Number(fraction.padEnd(9, '0')));
    }
    case 'FieldsV1':
    case 'RawExtension':
      return writer.bytes(1, Buffer.from(JSON.stringify(value)));
    case 'ExtraValue':
    case 'Verbs':
      for (const item of value as string[]) writer.bytes(1, Buffer.from(item));
      return writer;
    default:
      return encodeMessage(value as JsonObject, message);
  }
}
