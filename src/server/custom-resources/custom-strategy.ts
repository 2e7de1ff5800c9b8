import { invalidValue } from '../../api/field-errors.ts';
import { isObject } from '../../api/json-value.ts';
import { labelKeyProblems, pathSegmentProblems } from '../../api/names.ts';
import type { KubeObject } from '../../api/resource.ts';
import { apiError, type FieldError } from '../../api/status.ts';
import { Correlated } from '../../api/structural/correlated.ts';
import { validateEmbedded } from '../../api/structural/embedded.ts';
import { validateListTypes } from '../../api/structural/list-types.ts';
import { validateValue } from '../../api/structural/validate-value.ts';
import type { CustomResourceSubresourceScale } from '../../api/types.gen.ts';
import type { Strategy, Subresource } from '../registry/definition.ts';
import { validateMetadata } from '../registry/metadata-validation.ts';
import type { CompiledSchema } from './compiled-schemas.ts';
import type { CustomVersion } from './custom-type.ts';

const MAX_INT32 = 2 ** 31 - 1;

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
      const { schema, rules } = compiled();
      const errors = [
        ...validateValue(object, schema),
        ...validateScale(object, scale),
        ...embedded(object, compiled()),
        ...validateListTypes(object, schema),
      ];
      return [...errors, ...(blockingError(errors) ?? rules.validate(object, undefined))];
    },
    validateUpdate(object, old) {
      const { schema, rules } = compiled();
      const correlated = new Correlated(object, old, schema);
      const errors = [
        ...validateValue(object, schema, { correlated }),
        ...validateScale(object, scale),
        ...embedded(object, compiled()),
        ...(validateListTypes(old, schema).length > 0 ? [] : validateListTypes(object, schema)),
      ];
      return [...errors, ...(blockingError(errors) ?? rules.validate(object, old))];
    },
    warnings(object, old) {
      const known = old?.metadata.finalizers ?? [];
      const added = (object.metadata.finalizers ?? []).filter((one) => !known.includes(one));
      return [...new Set(added)].sort().flatMap(finalizerWarnings);
    },
  };
}

export function customSubresources(
  version: CustomVersion,
  compiled: () => CompiledSchema,
): Subresource<KubeObject>[] {
  const { hasStatus, scale } = version;
  return [
    ...(scale ? [scaleSubresource(scale)] : []),
    ...(hasStatus ? [statusSubresource(version, compiled)] : []),
  ];
}

function statusSubresource(
  { scale }: CustomVersion,
  compiled: () => CompiledSchema,
): Subresource<KubeObject> {
  return {
    name: 'status',
    /** Nothing but the status and who wrote it. */
    prepareUpdate(object, old) {
      const { managedFields, resourceVersion } = object.metadata;
      object.metadata = {
        ...old.metadata,
        ...(managedFields === undefined ? {} : { managedFields }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      };
    },
    validateUpdate(object, old) {
      const { schema, rules } = compiled();
      const { status } = object as { status?: unknown };
      const statusSchema = schema.property('status');
      const correlated = new Correlated(object, old, schema).key('status');
      const lists = validateListTypes(object, schema);
      const errors = [
        ...(status !== undefined && statusSchema
          ? validateValue(status, statusSchema, { base: 'status', correlated })
          : []),
        ...validateScaleStatus(object, scale),
        ...(lists.length > 0 && validateListTypes(old, schema).length === 0 ? lists : []),
      ];
      return [...errors, ...(blockingError(errors) ?? rules.validate(object, old))];
    },
  };
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

const namesOf = (path: string): string[] => path.replace(/^\./, '').split('.');

/** What a path such as `.spec.replicas` leads to; the text says what is in its way. */
function nested(object: unknown, path: string): { readonly value?: unknown; readonly problem?: string } {
  let value: unknown = object;
  const names = namesOf(path);
  for (const [index, name] of names.entries()) {
    if (!isObject(value)) {
      const at = names.slice(0, index).join('.');
      return { problem: `.${at} accessor error: ${JSON.stringify(value)} is not a map[string]interface {}` };
    }
    if (!Object.hasOwn(value, name)) return {};
    value = value[name];
  }
  return { value };
}

function numberAt(object: unknown, path: string): { readonly value?: number; readonly problem?: string } {
  const { value, problem } = nested(object, path);
  if (problem !== undefined) return { problem };
  if (value === undefined) return {};
  if (typeof value === 'number' && Number.isInteger(value)) return { value };
  return {
    problem: `.${namesOf(path).join('.')} accessor error: ${JSON.stringify(value)} is not an integer`,
  };
}

function validateCount(object: KubeObject, path: string): FieldError[] {
  const { value = 0, problem } = numberAt(object, path);
  if (problem !== undefined) return [invalidValue(path, value, problem)];
  if (value < 0) return [invalidValue(path, value, 'should be a non-negative integer')];
  return value > MAX_INT32 ? [invalidValue(path, value, `should be less than or equal to ${MAX_INT32}`)] : [];
}

function validateScale(object: KubeObject, scale: CustomResourceSubresourceScale | undefined): FieldError[] {
  if (!scale) return [];
  return [...validateCount(object, scale.specReplicasPath), ...validateScaleStatus(object, scale)];
}

function validateScaleStatus(
  object: KubeObject,
  scale: CustomResourceSubresourceScale | undefined,
): FieldError[] {
  if (!scale) return [];
  const errors = validateCount(object, scale.statusReplicasPath);
  const { labelSelectorPath } = scale;
  if (!labelSelectorPath) return errors;
  const { value, problem } = nested(object, labelSelectorPath);
  const wrong = value !== undefined && typeof value !== 'string' ? 'is not a string' : problem;
  return wrong === undefined ? errors : [...errors, invalidValue(labelSelectorPath, '', wrong)];
}

function scaleSubresource(scale: CustomResourceSubresourceScale): Subresource<KubeObject> {
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  return {
    name: 'scale',
    replicasPath: specReplicasPath,
    get(object) {
      const spec = numberAt(object, specReplicasPath);
      if (spec.problem !== undefined) throw apiError('InternalError', spec.problem);
      const selector = labelSelectorPath ? nested(object, labelSelectorPath).value : undefined;
      return {
        spec: spec.value,
        status: numberAt(object, statusReplicasPath).value ?? 0,
        selector: typeof selector === 'string' ? selector : '',
      };
    },
    set(object, replicas) {
      const names = namesOf(specReplicasPath);
      const last = names.pop() ?? '';
      let target = object as unknown as Record<string, unknown>;
      for (const name of names) {
        if (!isObject(target[name])) target[name] = {};
        target = target[name] as Record<string, unknown>;
      }
      target[last] = replicas;
    },
  };
}
