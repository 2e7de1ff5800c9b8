/**
 * OpenAPI v2 in protobuf, which old clients insist on. Field numbers as in gnostic's openapi.v2 messages:
 * https://github.com/google/gnostic/blob/main/openapiv2/OpenAPIv2.proto
 */

import { ProtobufWriter } from '../protobuf/writer.ts';
import { type DocumentOptions, documentParts } from './document.ts';
import type { SchemaObject } from './schema-object.ts';

/** What clients put into `Accept`. */
export const OPENAPI_V2_PROTOBUF_ACCEPT = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** The answer's `Content-Type`: an `@` is no character of a media type, and Go's clients refuse it there. */
export const OPENAPI_V2_PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** `/openapi/v2` as one buffer. */
export function openApiV2Protobuf(options: DocumentOptions): Uint8Array {
  const parts = documentParts('v2', options);
  const paths = new ProtobufWriter();
  for (const [path, item] of parts.paths()) {
    paths.message(2, new ProtobufWriter().string(1, path).message(2, pathItem(item)));
  }
  const definitions = new ProtobufWriter();
  for (const [name, object] of parts.schemas()) definitions.bytes(1, named(name, schema(object)).finish());
  return new ProtobufWriter()
    .string(1, '2.0')
    .message(2, new ProtobufWriter().string(1, 'Kubernetes').string(2, options.serverVersion))
    .message(8, paths)
    .message(9, definitions)
    .finish();
}

const named = (name: string, value: ProtobufWriter): ProtobufWriter =>
  new ProtobufWriter().string(1, name).message(2, value);

/** Any value travels as YAML, and JSON is YAML. */
const any = (value: unknown): ProtobufWriter => new ProtobufWriter().string(2, JSON.stringify(value));

function extensions(writer: ProtobufWriter, number: number, object: SchemaObject): ProtobufWriter {
  for (const [name, value] of Object.entries(object)) {
    if (name.startsWith('x-')) writer.message(number, named(name, any(value)));
  }
  return writer;
}

const asObject = (value: unknown): SchemaObject | undefined =>
  typeof value === 'object' && value !== null ? (value as SchemaObject) : undefined;

/** Documents of other servers may have anything in the place of a list. */
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function schema(object: SchemaObject): ProtobufWriter {
  const writer = new ProtobufWriter()
    .string(1, object['$ref'])
    .string(2, object['format'])
    .string(4, object['description']);
  if (object['default'] !== undefined) writer.message(5, any(object['default']));
  for (const name of listOf(object['required'])) writer.string(19, name);
  for (const value of listOf(object['enum'])) writer.message(20, any(value));
  const values = asObject(object['additionalProperties']);
  if (values !== undefined) writer.message(21, new ProtobufWriter().message(1, schema(values)));
  if (object['type'] !== undefined) writer.message(22, new ProtobufWriter().string(1, object['type']));
  const items = asObject(object['items']);
  if (items !== undefined) writer.message(23, new ProtobufWriter().message(1, schema(items)));
  const properties = asObject(object['properties']);
  if (properties !== undefined) {
    const list = new ProtobufWriter();
    for (const [name, value] of Object.entries(properties)) {
      const property = asObject(value);
      if (property !== undefined) list.message(1, named(name, schema(property)));
    }
    writer.message(25, list);
  }
  return extensions(writer, 31, object);
}

const METHODS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const;

function pathItem(item: SchemaObject): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const [method, number] of Object.entries(METHODS)) {
    const found = asObject(item[method]);
    if (found !== undefined) writer.message(number, operation(found));
  }
  for (const one of listOf(item['parameters']).map(asObject)) {
    if (one !== undefined) writer.message(9, parametersItem(one));
  }
  return writer;
}

function operation(object: SchemaObject): ProtobufWriter {
  const writer = new ProtobufWriter().string(5, object['operationId']);
  for (const type of listOf(object['produces'])) writer.string(6, type);
  for (const type of listOf(object['consumes'])) writer.string(7, type);
  for (const one of listOf(object['parameters']).map(asObject)) {
    if (one !== undefined) writer.message(8, parametersItem(one));
  }
  const responses = new ProtobufWriter();
  for (const [code, one] of Object.entries(asObject(object['responses']) ?? {})) {
    const value = asObject(one) ?? {};
    const response = new ProtobufWriter().string(1, value['description']);
    const answer = asObject(value['schema']);
    if (answer !== undefined) response.message(2, new ProtobufWriter().message(1, schema(answer)));
    responses.message(1, named(code, new ProtobufWriter().message(1, response)));
  }
  return extensions(writer.message(9, responses), 13, object);
}

/** ParametersItem → Parameter → one of body, query and path. */
function parametersItem(object: SchemaObject): ProtobufWriter {
  const isBody = object['in'] === 'body';
  if (isBody) {
    const body = new ProtobufWriter().string(2, object['name']).string(3, 'body').bool(4, true);
    const content = asObject(object['schema']);
    if (content !== undefined) body.message(5, schema(content));
    return new ProtobufWriter().message(1, new ProtobufWriter().message(1, body));
  }
  const isQuery = object['in'] === 'query';
  const plain = new ProtobufWriter()
    .bool(1, object['required'])
    .string(2, object['in'])
    .string(4, object['name'])
    .string(isQuery ? 6 : 5, object['type'])
    .bool(isQuery ? 20 : 19, object['uniqueItems']);
  const nonBody = new ProtobufWriter().message(isQuery ? 3 : 4, plain);
  return new ProtobufWriter().message(1, new ProtobufWriter().message(2, nonBody));
}
