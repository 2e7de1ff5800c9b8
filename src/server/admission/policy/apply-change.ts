import { mergeObjects } from '../../../api/apply/merge-objects.ts';
import { isObject, type JsonObject } from '../../../api/json-value.ts';
import { applyJsonPatch } from '../../../api/patch/json-patch.ts';
import type { KubeObject } from '../../../api/resource.ts';
import { ApiError } from '../../../api/status.ts';
import type { TypeNode } from '../../../api/type-node.ts';
import type { ObjectSchema } from '../../registry/served-resource.ts';
import { type Change, MutationError } from './mutating-evaluator.ts';

/** The object after a change; `undefined`: it stays as it is. Throws `MutationError` where the change does not fit. */
export function applyChange(
  object: KubeObject,
  change: Change,
  schema: ObjectSchema,
): JsonObject | undefined {
  const live = object as unknown as JsonObject;
  if (change.type === 'apply') return applyConfiguration(live, change.configuration, schema);
  try {
    return applyJsonPatch(live, change.operations);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const [cause] = error.status.details?.causes ?? [];
    const why = cause?.message ?? error.message;
    // A test that fails is a way to say that nothing is to be done.
    if (why.startsWith('testing value ')) return undefined;
    throw new MutationError(`JSON Patch: ${why}`);
  }
}

function applyConfiguration(live: JsonObject, configuration: unknown, schema: ObjectSchema): JsonObject {
  if (!isObject(configuration)) throw new MutationError('invalid return type');
  const { apiVersion, kind } = live;
  const patch = { ...configuration, apiVersion, kind };
  conform(patch, schema);
  const atomic = atomicPaths(patch, schema.type, '');
  if (atomic.length > 0) {
    const why = `may not mutate atomic arrays, maps or structs: ${atomic.join(', ')}`;
    throw new MutationError(`error applying patch: invalid ApplyConfiguration: ${why}`);
  }
  return mergeObjects(live, patch, schema.type);
}

function conform(patch: JsonObject, schema: ObjectSchema): void {
  try {
    schema.conform(structuredClone(patch), 'Strict');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const why = `failed to convert patch object to typed object: ${error.message}`;
    throw new MutationError(`error applying patch: ${why}`);
  }
}

/** Where the patch would replace something that is one value as a whole: a mutation may only add to what merges. */
function atomicPaths(value: unknown, type: TypeNode | undefined, path: string): string[] {
  if (!type) return [];
  if (Array.isArray(value) && type.shape === 'list') {
    const own = type.listType === 'set' || type.listType === 'map' ? [] : [path];
    return [...own, ...value.flatMap((item, index) => atomicPaths(item, type.element, `${path}[${index}]`))];
  }
  if (!isObject(value) || (type.shape !== 'object' && type.shape !== 'map')) return [];
  const own = type.mapType === 'atomic' ? [path] : [];
  if (type.shape === 'map') return own;
  const below = Object.entries(value).flatMap(([name, one]) =>
    atomicPaths(one, type.field(name), `${path}.${name}`),
  );
  return [...own, ...below];
}
