import { invalidValue } from '../../api/field-errors.ts';
import { goText } from '../../api/go-text.ts';
import { isObject, type JsonObject, own, setOwn } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { apiError, type FieldError } from '../../api/status.ts';
import type { CustomResourceSubresourceScale } from '../../api/types.gen.ts';
import type { Subresource } from '../registry/definition.ts';

const MAX_INT32 = 2 ** 31 - 1;

const namesOf = (path: string): string[] => path.replace(/^\./, '').split('.');

/** What a path such as `.spec.replicas` leads to; the text says what is in its way, in upstream's words. */
function nested(object: unknown, path: string): { readonly value?: unknown; readonly problem?: string } {
  let value: unknown = object;
  const names = namesOf(path);
  for (const [index, name] of names.entries()) {
    if (value === null) return {};
    if (!isObject(value))
      return { problem: accessorError(names.slice(0, index + 1), value, 'map[string]interface{}') };
    if (!Object.hasOwn(value, name)) return {};
    value = value[name];
  }
  return { value };
}

function accessorError(names: readonly string[], value: unknown, expected: string): string {
  return `.${names.join('.')} accessor error: ${goText(value)} is of the type ${goType(value)}, expected ${expected}`;
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (isObject(value)) return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : value === null ? '<nil>' : 'string';
}

function numberAt(object: unknown, path: string): { readonly value?: number; readonly problem?: string } {
  const { value, problem } = nested(object, path);
  if (problem !== undefined) return { problem };
  if (value === undefined) return {};
  if (typeof value === 'number' && Number.isInteger(value)) return { value };
  return { problem: accessorError(namesOf(path), value, 'int64') };
}

function validateCount(object: KubeObject, path: string): FieldError[] {
  const { value = 0, problem } = numberAt(object, path);
  if (problem !== undefined) return [invalidValue(path, value, problem)];
  if (value < 0) return [invalidValue(path, value, 'should be a non-negative integer')];
  return value > MAX_INT32 ? [invalidValue(path, value, `should be less than or equal to ${MAX_INT32}`)] : [];
}

export function validateScale(
  object: KubeObject,
  scale: CustomResourceSubresourceScale | undefined,
): FieldError[] {
  if (!scale) return [];
  return [...validateCount(object, scale.specReplicasPath), ...validateScaleStatus(object, scale)];
}

export function validateScaleStatus(
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

export function scaleSubresource(scale: CustomResourceSubresourceScale): Subresource<KubeObject> {
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
      let target = object as unknown as JsonObject;
      for (const name of names) {
        // The path is a client's: what a name such as `__proto__` inherits is everybody's.
        const inner = own(target, name);
        const next = isObject(inner) ? inner : {};
        if (next !== inner) setOwn(target, name, next);
        target = next;
      }
      setOwn(target, last, replicas);
    },
  };
}
