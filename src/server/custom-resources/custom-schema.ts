import { refuseInexact, TypeMismatchError } from '../../api/decode/conform.ts';
import type { Fitted } from '../../api/decode/decode-body.ts';
import { copyJson, isObject, type JsonObject } from '../../api/json-value.ts';
import { applyJsonPatch } from '../../api/patch/json-patch.ts';
import { applyMergePatch } from '../../api/patch/merge-patch.ts';
import type { Resource } from '../../api/resource.ts';
import { apiError } from '../../api/status.ts';
import { fillDefaults } from '../../api/structural/defaulting.ts';
import { coerceEmbedded, coerceMetadata } from '../../api/structural/embedded.ts';
import { prune } from '../../api/structural/prune.ts';
import type { StructuralSchema } from '../../api/structural/structural.ts';
import { conformPatched } from '../registry/built-in-schema.ts';
import { fieldOwnership } from '../registry/field-ownership.ts';
import type { ObjectSchema } from '../registry/served-resource.ts';

/** What patches custom resources take; strategic merge needs types that only built-in kinds have. */
const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/apply-patch+yaml',
];

/** The engine's view of one version of a custom resource. `schema` is asked for whenever it is needed. */
export function customSchema(resource: Resource, schema: () => StructuralSchema): ObjectSchema {
  const shape = (data: unknown): Fitted => shapeObject(data, schema());
  return {
    get type() {
      return schema();
    },
    shape,
    conform: (data, validation) => conformPatched(data, shape, validation),
    // What nobody declared is for apply to complain about.
    conformApplied: (data, validation) => conformPatched(copyJson(data), shapeApplied, validation),
    applyDefaults: (object) => void fillAll(object as unknown as JsonObject, schema()),
    validate: () => [],
    patch(live, patch) {
      const document = live as unknown as JsonObject;
      if (patch.type === 'json') return applyJsonPatch(document, patch.body);
      if (patch.type === 'merge') return applyMergePatch(document, patch.body);
      const text = `the body of the request was in an unknown format - accepted media types include: ${PATCH_TYPES.join(', ')}`;
      throw apiError('UnsupportedMediaType', text);
    },
    ...fieldOwnership({
      kind: resource,
      type: schema,
      custom: true,
      finish: (object) => void prune(object, schema()),
    }),
  };
}

function rootOf(data: unknown): JsonObject {
  if (!isObject(data))
    throw new TypeMismatchError('json: cannot unmarshal into Go value of type map[string]interface {}');
  refuseInexact(data);
  data['metadata'] ??= {};
  return data;
}

/** Upstream's unstructuredSchemaCoercer: metadata in its form, unknown fields and meaningless nulls gone. */
function shapeObject(data: unknown, schema: StructuralSchema): Fitted {
  const object = rootOf(data);
  const unknown = [...coerceMetadata(object), ...prune(object, schema), ...coerceEmbedded(object, schema)];
  return { object, unknownFields: unknown };
}

/** Metadata must be understood, but fields nobody knows stay. */
function shapeApplied(data: unknown): Fitted {
  const object = rootOf(data);
  const sent = copyJson(object['metadata']);
  coerceMetadata(object);
  if (isObject(sent) && isObject(object['metadata'])) object['metadata'] = { ...sent, ...object['metadata'] };
  return { object, unknownFields: [] };
}

/** Defaults of embedded metadata may have fields that are none, which go as they would have gone from a request. */
function fillAll(object: JsonObject, schema: StructuralSchema): void {
  if (fillDefaults(object, schema)) coerceEmbedded(object, schema, { dropsMalformed: true });
}

/** The same for what is read from the disk, where nobody can be told of mistakes. True when something changed. */
export function bringUp(object: JsonObject, schema: StructuralSchema): boolean {
  const before = JSON.stringify(object);
  coerceMetadata(object, { dropsMalformed: true });
  prune(object, schema);
  coerceEmbedded(object, schema, { dropsMalformed: true });
  fillAll(object, schema);
  return JSON.stringify(object) !== before;
}
