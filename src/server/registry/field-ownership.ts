import { applyPatch } from '../../api/apply/apply-patch.ts';
import { EMPTY_SET, type FieldSet, union } from '../../api/apply/field-set.ts';
import { trackUpdate } from '../../api/apply/track-update.ts';
import { copyJson, type JsonObject } from '../../api/json-value.ts';
import { apiVersionOf } from '../../api/resource.ts';
import type { SchemaNode } from '../../api/schema/node.ts';
import type { ObjectSchema } from './served-resource.ts';

export interface OwnershipOptions {
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Asked for whenever it is needed. */
  readonly type: () => SchemaNode;
  /** A custom resource, whose lists and maps are compared otherwise. */
  readonly custom?: true;
  /** Brings what was applied into its form, in place. */
  readonly finish?: (object: JsonObject) => void;
}

/** Server-side apply and ownership of fields, for kinds whose type is known from wherever. */
export function fieldOwnership(options: OwnershipOptions): Pick<ObjectSchema, 'apply' | 'recordUpdate'> {
  const { kind, type, finish } = options;
  const custom = options.custom ?? false;
  const apiVersion = apiVersionOf(kind);
  return {
    apply(live, { config, manager, force, subresource, now, ignored }) {
      const { object } = applyPatch({
        live,
        applied: config as unknown as JsonObject,
        manager,
        force,
        apiVersion,
        kind: kind.kind,
        subresource,
        now,
        type: type(),
        resetFields: fieldSet(ignored),
        custom,
      });
      const whole = copyJson(object);
      finish?.(whole as unknown as JsonObject);
      return whole;
    },
    recordUpdate(live, object, { manager, subresource, now, ignored }) {
      const managedFields = trackUpdate({
        old: live,
        new: object,
        manager,
        apiVersion,
        subresource,
        now,
        type: type(),
        resetFields: fieldSet(ignored),
        custom,
      });
      // A Go struct leaves an empty list out.
      if (managedFields.length > 0) object.metadata.managedFields = managedFields;
      else delete object.metadata.managedFields;
    },
  };
}

function fieldSet(fields: readonly string[]): FieldSet {
  if (fields.length === 0) return EMPTY_SET;
  return fields.map(pathSet).reduce(union);
}

function pathSet(path: string): FieldSet {
  return path.split('.').reduceRight<FieldSet>((below, name) => ({ [`f:${name}`]: below }), {});
}
