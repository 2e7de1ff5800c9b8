import { equalJson, isObject, type JsonObject } from '../json-value.ts';
import type { KubeObject } from '../resource.ts';
import { badRequest } from '../status.ts';
import type { TypeNode } from '../type-node.ts';
import type { ManagedFieldsEntry } from '../types.gen.ts';
import { compareObjects, excludeFields } from './compare.ts';
import { applyConflict, conflictsOf, type FieldConflict } from './conflict.ts';
import {
  difference,
  EMPTY_SET,
  type FieldSet,
  hasPath,
  intersection,
  isEmptySet,
  union,
  withoutSubtrees,
} from './field-set.ts';
import { lastAppliedFields, withLastApplied } from './last-applied.ts';
import { fromStored, isSameManager, type Manager, toEntries } from './managed-fields.ts';
import { mergeObjects } from './merge-objects.ts';
import { appliedFields } from './object-fields.ts';
import { pruneDropped } from './prune.ts';
import { withoutGaps } from './remove-fields.ts';
import { updatedManagers } from './track-update.ts';

export interface ApplyOptions {
  /** The stored object; `undefined` creates. */
  readonly live: KubeObject | undefined;
  /** The configuration as the client sent it. */
  readonly applied: JsonObject;
  readonly manager: string;
  /** Takes over fields that others own. */
  readonly force: boolean;
  /** Of the request, such as `apps/v1`; the configuration must carry the same. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly subresource?: string;
  /** RFC 3339. */
  readonly now: string;
  readonly type: TypeNode | undefined;
  readonly resetFields?: FieldSet;
  readonly custom?: boolean;
}

export interface ApplyResult {
  /** With the new `managedFields`; not defaulted. Shares structure with `live` and `applied`. */
  readonly object: KubeObject;
  /** Whether anything but managed fields differs from `live`. */
  readonly changed: boolean;
}

const UNOWNED: FieldSet = {
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:clusterName': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
};

/**
 * Server-side apply (KEP-555): lays the configuration over the live object, drops what this manager applied before and
 * applies no more, and moves ownership. Throws `ApiError`: 409 naming every field that somebody else owns with
 * another value, 400 for a configuration that does not fit the schema.
 */
export function applyPatch(options: ApplyOptions): ApplyResult {
  const { applied, manager, apiVersion } = options;
  check(options);
  const live = (options.live ?? {}) as unknown as JsonObject;
  const start = startingOwners(options, live);
  const attempt = merge(options, live, start);
  const conflicts = options.force ? [] : stillConflicting(attempt.conflicts, options, live);
  if (conflicts.length > 0) throw applyConflict(conflicts);

  const changed =
    options.live === undefined || !equalJson(withoutManaged(live), withoutManaged(attempt.object));
  let object = changed ? attempt.object : live;
  if (manager === 'kubectl') object = withLastApplied(object, applied);
  const managers = attempt.managers.map((one) =>
    changed && isSameManager(one, self(options)) ? { ...one, time: options.now } : one,
  );
  return { object: withManaged(object, toEntries(managers), { apiVersion, kind: options.kind }), changed };
}

function check({ applied, apiVersion, kind }: ApplyOptions): void {
  if (applied['apiVersion'] !== apiVersion || applied['kind'] !== kind)
    throw badRequest(
      `invalid object type: ${String(applied['apiVersion'] ?? '')}, Kind=${String(applied['kind'] ?? '')}`,
    );
  const metadata = applied['metadata'];
  if (isObject(metadata) && metadata['managedFields'] !== undefined && metadata['managedFields'] !== null)
    throw badRequest('metadata.managedFields must be nil');
}

const self = (
  options: ApplyOptions,
): Pick<Manager, 'manager' | 'operation' | 'apiVersion' | 'subresource'> => ({
  manager: options.manager,
  operation: 'Apply',
  apiVersion: options.apiVersion,
  subresource: options.subresource ?? '',
});

/** An object nobody tracked so far belongs to `before-first-apply`. */
function startingOwners(options: ApplyOptions, live: JsonObject): readonly Manager[] {
  const stored = fromStored(options.live?.metadata.managedFields);
  if (stored.length > 0 || options.live === undefined) return stored;
  const comparison = compareObjects({}, live, options.type, options.custom);
  return updatedManagers([], comparison, { ...options, manager: 'before-first-apply' });
}

interface Attempt {
  readonly object: JsonObject;
  readonly managers: readonly Manager[];
  /** As if not forced; `managers` are what forcing gives. */
  readonly conflicts: readonly FieldConflict[];
}

function merge(options: ApplyOptions, live: JsonObject, start: readonly Manager[]): Attempt {
  const { applied, type, resetFields = EMPTY_SET } = options;
  const set = withoutSubtrees(appliedFields(applied, type, appliedName(options)), resetFields);
  const mine = self(options);
  const previous = start.find((one) => isSameManager(one, mine));
  const current: Manager = { ...mine, time: previous?.time ?? options.now, fields: set };
  const others = start.filter((one) => one !== previous);
  const merged = mergeObjects(live, applied, type);
  const object = withoutGaps(
    previous === undefined
      ? merged
      : pruneDropped({ merged, last: previous.fields, owners: [...others, current], type }),
  );
  const comparison = excludeFields(compareObjects(live, object, type, options.custom), resetFields);
  const written = union(comparison.modified, comparison.added);
  const conflicts: FieldConflict[] = [];
  const managers = others.map((one) => {
    const lost = intersection(one.fields, written);
    if (!isEmptySet(lost)) conflicts.push(...conflictsOf(one, lost));
    const fields = difference(difference(one.fields, lost), comparison.removed);
    return fields === one.fields ? one : { ...one, fields };
  });
  managers.push({ ...current, fields: difference(set, UNOWNED) });
  return { object, managers, conflicts };
}

/** kubectl may take over what its own client-side apply wrote and nobody changed since. */
function stillConflicting(
  conflicts: readonly FieldConflict[],
  options: ApplyOptions,
  live: JsonObject,
): readonly FieldConflict[] {
  if (conflicts.length === 0 || options.manager !== 'kubectl') return conflicts;
  const allowed = lastAppliedFields(live, options.apiVersion, options.type);
  return allowed === undefined ? conflicts : conflicts.filter(({ path }) => !hasPath(allowed, path));
}

/** How messages name what is applied: `default/web; apps/v1, Kind=Deployment`. */
export function appliedName({
  applied,
  live,
  apiVersion,
  kind,
}: Pick<ApplyOptions, 'applied' | 'live' | 'apiVersion' | 'kind'>): string {
  const metadata = isObject(applied['metadata']) ? applied['metadata'] : {};
  const namespace = metadata['namespace'] ?? live?.metadata.namespace ?? '';
  const name = metadata['name'] ?? live?.metadata.name ?? '';
  return `${String(namespace)}/${String(name)}; ${apiVersion}, Kind=${kind}`;
}

function withoutManaged(object: JsonObject): JsonObject {
  const metadata = object['metadata'];
  if (!isObject(metadata) || !('managedFields' in metadata)) return object;
  const { managedFields: _, ...rest } = metadata;
  return { ...object, metadata: rest };
}

function withManaged(
  object: JsonObject,
  managedFields: ManagedFieldsEntry[],
  type: { apiVersion: string; kind: string },
): KubeObject {
  const metadata = isObject(object['metadata']) ? object['metadata'] : {};
  const { managedFields: _, ...rest } = metadata;
  return {
    ...object,
    ...type,
    metadata: { ...rest, ...(managedFields.length === 0 ? {} : { managedFields }) },
  };
}
