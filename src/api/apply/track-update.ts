import type { JsonObject } from '../json-value.ts';
import type { KubeObject } from '../resource.ts';
import type { TypeNode } from '../type-node.ts';
import type { ManagedFieldsEntry } from '../types.gen.ts';
import { type Comparison, compareObjects, excludeFields } from './compare.ts';
import { createdFields } from './created-fields.ts';
import { difference, EMPTY_SET, type FieldSet, isEmptySet, union, withoutSubtrees } from './field-set.ts';
import {
  capUpdateManagers,
  fromStored,
  isSameManager,
  type Manager,
  startingManagers,
  toEntries,
} from './managed-fields.ts';

/** Fields the main resource does not own where a `status` subresource exists. */
export const STATUS_FIELDS: FieldSet = { 'f:status': {} };

export interface UpdateOptions {
  /** The stored object; `undefined` for a creation. */
  readonly old: KubeObject | undefined;
  /** The object about to be stored. May carry the client's `managedFields`. */
  readonly new: KubeObject;
  /** `fieldManager`, or what `managerFromUserAgent` gives. */
  readonly manager: string;
  /** Of the request, such as `apps/v1`. */
  readonly apiVersion: string;
  /** `status`, `scale` …; empty for the object itself. */
  readonly subresource?: string;
  /** RFC 3339. */
  readonly now: string;
  readonly type: TypeNode | undefined;
  /** Fields this request cannot change and hence never owns (`STATUS_FIELDS`, `SPEC_FIELDS`). */
  readonly resetFields?: FieldSet;
  /** A custom resource: no Go types stand behind it. */
  readonly custom?: boolean;
}

/**
 * Managed fields after a create, update or patch: what changed now belongs to `manager`, and to nobody else.
 * Returns the stored list itself when nothing changed. `[]` where an existing object has no tracked owners:
 * it stays untracked until somebody applies, as upstream.
 */
export function trackUpdate(options: UpdateOptions): ManagedFieldsEntry[] {
  const { old } = options;
  const stored = old?.metadata.managedFields;
  const submitted = options.new.metadata.managedFields;
  const subresource = options.subresource ?? '';
  const start = subresource === '' ? startingManagers(stored, submitted) : fromStored(stored);
  if (start.length === 0) return old === undefined ? createdManagers(options) : [];
  const comparison = compareObjects(
    (old ?? {}) as unknown as JsonObject,
    options.new as unknown as JsonObject,
    options.type,
    options.custom,
  );
  const isUntouched =
    (subresource !== '' || submitted === undefined || submitted === stored) && stored !== undefined;
  if (isUntouched && isUnchanged(comparison)) return stored;
  const managers = updatedManagers(start, comparison, options);
  return toEntries(managers);
}

function createdManagers(options: UpdateOptions): ManagedFieldsEntry[] {
  const created = createdFields(options.new as unknown as JsonObject, options.type, options.custom);
  const fields = withoutSubtrees(created, options.resetFields ?? EMPTY_SET);
  return toEntries([updater(options, fields)]);
}

const isUnchanged = (comparison: Comparison): boolean =>
  isEmptySet(comparison.added) && isEmptySet(comparison.modified) && isEmptySet(comparison.removed);

/** The owners after `manager` made the changes in `comparison` by an update. */
export function updatedManagers(
  start: readonly Manager[],
  comparison: Comparison,
  options: Pick<UpdateOptions, 'manager' | 'apiVersion' | 'subresource' | 'now' | 'resetFields'>,
): readonly Manager[] {
  const effective = excludeFields(comparison, options.resetFields ?? EMPTY_SET);
  const written = union(effective.added, effective.modified);
  const managers: Manager[] = start.map((one) => {
    const fields = difference(difference(one.fields, written), effective.removed);
    return fields === one.fields ? one : { ...one, fields };
  });
  const owned = withoutSubtrees(written, options.resetFields ?? EMPTY_SET);
  if (!isEmptySet(owned)) {
    const self = updater(options, owned);
    const at = managers.findIndex((one) => isSameManager(one, self));
    const previous = managers[at];
    if (previous) managers[at] = { ...self, fields: union(previous.fields, owned) };
    else managers.push(self);
  }
  return capUpdateManagers(managers.filter((one) => !isEmptySet(one.fields)));
}

function updater(
  options: Pick<UpdateOptions, 'manager' | 'apiVersion' | 'subresource' | 'now'>,
  fields: FieldSet,
): Manager {
  return {
    manager: options.manager === '' ? 'unknown' : options.manager,
    operation: 'Update',
    apiVersion: options.apiVersion,
    subresource: options.subresource ?? '',
    time: options.now,
    fields,
  };
}

/** Longest field manager name (FieldManagerMaxLength). */
const MANAGER_MAX_BYTES = 128;

/** The manager of a request without `fieldManager`: its User-Agent up to the first slash, printable, cut at 128 bytes. */
export function managerFromUserAgent(userAgent: string): string {
  const name = (userAgent.split('/')[0] ?? '').replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '');
  let cut = '';
  for (const letter of name) {
    if (Buffer.byteLength(cut + letter) > MANAGER_MAX_BYTES) break;
    cut += letter;
  }
  return cut === '' ? 'unknown' : cut;
}
