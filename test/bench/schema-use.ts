/**
 * Uses the schema of every built-in kind as a server does in the worst case, where each was asked for once. Bundled and
 * run by `schema.ts`; what `use` leaves behind is what a server keeps.
 */

import { conformObject } from '../../src/api/decode/decode-body.ts';
import { messageOfKind, SERVED_MESSAGES } from '../../src/api/decode/message-table.ts';
import { decodeAs } from '../../src/api/decode/protobuf.ts';
import type { DiscoveredResource } from '../../src/api/discovery/resource.ts';
import { NO_DESCRIPTIONS } from '../../src/api/openapi/descriptions.ts';
import { documentHash, openApiV2, openApiV3 } from '../../src/api/openapi/document.ts';
import { openApiV2Protobuf } from '../../src/api/openapi/v2-protobuf.ts';
import { builtInKinds, kindSchema } from '../../src/api/schema/built-in.ts';
import { applyDefaults } from '../../src/api/schema/defaulting.ts';
import type { SchemaNode } from '../../src/api/schema/node.ts';
import { validateSchema } from '../../src/api/schema/validation.ts';

export interface Used {
  readonly kinds: number;
  /** Places in types that were decoded. */
  readonly places: number;
  readonly messageFields: number;
  readonly documentBytes: number;
}

export function use(): Used {
  const seen = new Set<SchemaNode>();
  const messages = new Set<unknown>();
  let messageFields = 0;
  const walk = (node: SchemaNode | undefined): void => {
    if (node === undefined || seen.has(node)) return;
    seen.add(node);
    for (const name of node.fieldNames) walk(node.field(name));
    walk(node.element);
    walk(node.objects);
  };
  const walkMessage = (message: ReturnType<typeof messageOfKind>): void => {
    if (message === undefined || messages.has(message)) return;
    messages.add(message);
    for (const field of message.fields.values()) {
      messageFields++;
      if (field.type === 'message') walkMessage(field.message);
    }
  };
  const kinds = builtInKinds();
  for (const [group, version, kind] of kinds) {
    const schema = kindSchema({ group, version, kind });
    if (schema === undefined) throw new Error(`no schema of ${kind}`);
    walk(schema);
    const object = {
      apiVersion: group === '' ? version : `${group}/${version}`,
      kind,
      metadata: { name: 'a' },
    };
    conformObject(object, schema);
    applyDefaults(object, schema);
    validateSchema(object, schema);
    const message = messageOfKind(SERVED_MESSAGES, { group, version, kind });
    walkMessage(message);
    if (message) decodeAs(new Uint8Array(), message);
  }
  return { kinds: kinds.length, places: seen.size, messageFields, documentBytes: makeDocuments(kinds) };
}

/** Every OpenAPI document, as often as clients ask: made when asked for and let go of. */
function makeDocuments(kinds: ReturnType<typeof builtInKinds>): number {
  const resources = kinds.map(
    ([group, version, kind]): DiscoveredResource => ({
      ...{ group, version, kind, resource: `${kind.toLowerCase()}s`, namespaced: true },
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    }),
  );
  const options = { resources, descriptions: NO_DESCRIPTIONS, serverVersion: 'v1.36.3' };
  let bytes = documentHash(options).length + openApiV2Protobuf(options).length;
  for (const document of [openApiV3(options), openApiV2(options)])
    for (const piece of document) bytes += piece.length;
  return bytes;
}
