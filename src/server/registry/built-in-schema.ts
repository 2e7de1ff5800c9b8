import { appliedName } from '../../api/apply/apply-patch.ts';
import { appliedFields } from '../../api/apply/object-fields.ts';
import { TypeMismatchError } from '../../api/decode/conform.ts';
import { conformObject, type FieldValidation } from '../../api/decode/decode-body.ts';
import { unknownField } from '../../api/decode/strict-errors.ts';
import { copyJson, isObject, type JsonObject } from '../../api/json-value.ts';
import { applyJsonPatch } from '../../api/patch/json-patch.ts';
import { applyMergePatch } from '../../api/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../api/patch/strategic-merge-patch.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource.ts';
import { applyDefaults } from '../../api/schema/defaulting.ts';
import type { SchemaNode } from '../../api/schema/node.ts';
import { validateSchema } from '../../api/schema/validation.ts';
import { badRequest } from '../../api/status.ts';
import { fieldOwnership } from './field-ownership.ts';
import type { ObjectSchema } from './served-resource.ts';

/** The engine's view of a kind whose type is known: decoding, defaults, validation, patches, ownership of fields. */
export function objectSchema(
  kind: { readonly group: string; readonly version: string; readonly kind: string },
  type: SchemaNode,
): ObjectSchema {
  const apiVersion = apiVersionOf(kind);
  const shape: ObjectSchema['shape'] = (data) => {
    const fitted = conformObject(data, type);
    // Code behind this relies on metadata being there.
    if (type.field('metadata') !== undefined) fitted.object['metadata'] ??= {};
    return fitted;
  };
  return {
    type,
    conform: (data, validation) => conformPatched(data, shape, validation),
    conformApplied(data, validation) {
      const { unknownFields, ...conformed } = conformPatched(
        copyJson(data),
        shape,
        validation === 'Strict' ? 'Warn' : validation,
      );
      if (unknownFields.length > 0 && isObject(data))
        appliedFields(
          data,
          type,
          appliedName({ applied: data, live: undefined, apiVersion, kind: kind.kind }),
        );
      return conformed;
    },
    shape,
    applyDefaults: (object) => applyDefaults(object, type),
    validate: (object) => validateSchema(object, type),
    patch(live, patch) {
      const document = live as unknown as JsonObject;
      if (patch.type === 'json') return applyJsonPatch(document, patch.body);
      if (patch.type === 'merge') return applyMergePatch(document, patch.body);
      return applyStrategicMergePatch(document, patch.body, type);
    },
    ...fieldOwnership({ kind, type: () => type }),
  };
}

/** Fits what a patch made to the schema. Throws 400 for unknown fields where they are refused, 422 for wrong types. */
export function conformPatched(data: unknown, shape: ObjectSchema['shape'], validation: FieldValidation) {
  try {
    const { object, unknownFields } = shape(data);
    const problems = validation === 'Ignore' ? [] : unknownFields.map(unknownField);
    if (problems.length > 0 && validation === 'Strict')
      throw badRequest(`strict decoding error: ${problems.join(', ')}`);
    object['metadata'] ??= {};
    return { object: object as unknown as KubeObject, warnings: problems, unknownFields };
  } catch (error) {
    if (error instanceof TypeMismatchError) throw badRequest(error.message);
    throw error;
  }
}
