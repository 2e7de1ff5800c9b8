import { invalidValue } from '../../api/field-errors.ts';
import { labelKeyProblems, pathSegmentProblems } from '../../api/names.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { FieldError } from '../../api/status.ts';
import { Correlated } from '../../api/structural/correlated.ts';
import { validateEmbedded } from '../../api/structural/embedded.ts';
import { validateListTypes } from '../../api/structural/list-types.ts';
import { validateRules } from '../../api/structural/validate-rules.ts';
import { validateValue } from '../../api/structural/validate-value.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Strategy, Subresource } from '../registry/definition.ts';
import { validateMetadata } from '../registry/metadata-validation.ts';
import type { CompiledSchema } from './compiled-schemas.ts';
import { scaleSubresource, validateScale, validateScaleStatus } from './custom-scale.ts';
import type { CustomVersion } from './custom-type.ts';

/** Upstream's strategy of custom resources (pkg/registry/customresource). */
export function customStrategy(version: CustomVersion, compiled: () => CompiledSchema): Strategy<KubeObject> {
  const { hasStatus, scale } = version;
  return {
    hasGeneration: true,
    allowUnconditionalUpdate: false,
    ...(hasStatus ? { keepsStatusOnCreate: false } : {}),
    // Where status is part of the object, it counts like everything else.
    ...(hasStatus ? {} : { generationIncludes: (object) => (object as { status?: unknown }).status }),
    validateNew(object) {
      const { schema } = compiled();
      const errors = [
        ...validateValue(object, schema),
        ...validateScale(object, scale),
        ...embedded(object, compiled()),
        ...validateListTypes(object, schema),
      ];
      return [...errors, ...(blockingError(errors) ?? ruleErrors(compiled(), object))];
    },
    validateUpdate(object, old) {
      const { schema } = compiled();
      const correlated = new Correlated(object, old, schema);
      const errors = [
        ...validateValue(object, schema, { correlated }),
        ...validateScale(object, scale),
        ...embedded(object, compiled()),
        ...(validateListTypes(old, schema).length > 0 ? [] : validateListTypes(object, schema)),
      ];
      return [...errors, ...(blockingError(errors) ?? ruleErrors(compiled(), object, correlated))];
    },
    warnings(object, old) {
      const known = old?.metadata.finalizers ?? [];
      const added = (object.metadata.finalizers ?? []).filter((one) => !known.includes(one));
      return [...(RATCHETED.get(object) ?? []), ...[...new Set(added)].sort().flatMap(finalizerWarnings)];
    },
  };
}

export function customSubresources(
  version: CustomVersion,
  compiled: () => CompiledSchema,
): Subresource<KubeObject>[] {
  const { hasStatus, scale } = version;
  return [
    ...(hasStatus ? [statusSubresource(version, compiled)] : []),
    ...(scale ? [scaleSubresource(scale)] : []),
  ];
}

function statusSubresource(
  { scale }: CustomVersion,
  compiled: () => CompiledSchema,
): Subresource<KubeObject> {
  return {
    name: 'status',
    keeps: 'metadata',
    validateUpdate(object, old) {
      const { schema } = compiled();
      const { status } = object as { status?: unknown };
      const statusSchema = schema.property('status');
      const correlated = new Correlated(object, old, schema);
      const lists = validateListTypes(object, schema);
      const errors = [
        ...(status !== undefined && statusSchema
          ? validateValue(status, statusSchema, { base: 'status', correlated: correlated.key('status') })
          : []),
        ...validateScaleStatus(object, scale),
        ...(lists.length > 0 && validateListTypes(old, schema).length === 0 ? lists : []),
      ];
      return [...errors, ...(blockingError(errors) ?? ruleErrors(compiled(), object, correlated))];
    },
  };
}

/** What rules found in objects that are being written and forgave, as warnings. */
const RATCHETED = new WeakMap<KubeObject, readonly string[]>();

function ruleErrors(
  { schema, rules }: CompiledSchema,
  object: KubeObject,
  correlated?: Correlated,
): readonly FieldError[] {
  const budget = LIMITS.customResources.rulesCost;
  const found = validateRules({
    value: object,
    old: correlated?.old,
    schema,
    programs: rules,
    budget,
    correlated,
  });
  if (found.ratcheted.length > 0)
    RATCHETED.set(
      object,
      found.ratcheted.map(({ field, message }) => `${field}: ${message}`),
    );
  return found.errors;
}

function embedded(object: KubeObject, { schema }: CompiledSchema): readonly FieldError[] {
  return validateEmbedded(object, schema, (metadata, namespaced) =>
    validateMetadata(metadata, namespaced, pathSegmentProblems),
  );
}

/** Rules are not asked about objects whose form is wrong: they could not rely on it. */
function blockingError(errors: readonly FieldError[]): FieldError[] | undefined {
  const blocking: ReadonlySet<string> = new Set([
    'FieldValueNotSupported',
    'FieldValueRequired',
    'FieldValueTooLong',
    'FieldValueTooMany',
    'FieldValueTypeInvalid',
  ]);
  if (!errors.some(({ reason }) => blocking.has(reason))) return undefined;
  const why =
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  return [invalidValue('<nil>', null, why)];
}

const STANDARD_FINALIZERS: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

function finalizerWarnings(finalizer: string): string[] {
  const say = (text: string): string => `metadata.finalizers: ${JSON.stringify(finalizer)}: ${text}`;
  const warnings = labelKeyProblems(finalizer).map(say);
  if (finalizer.includes('/') || STANDARD_FINALIZERS.has(finalizer)) return warnings;
  const path = finalizer.includes('.') ? ' including a path (/)' : '';
  const text = `prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`;
  return [...warnings, say(text)];
}
