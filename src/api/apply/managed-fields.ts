import { equalJson } from '../json-value.ts';
import type { ManagedFieldsEntry } from '../types.gen.ts';
import { type FieldSet, isEmptySet, parseFieldSet, union } from './field-set.ts';

/** Who wrote which fields: one per manager, operation, API version (for updates) and subresource. */
export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  /** RFC 3339; absent in entries a client wrote without. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** Update managers kept per object; older ones are joined into one (upstream's DefaultMaxUpdateManagers). */
const MAX_UPDATE_MANAGERS = 10;
const ANCIENT_CHANGES = 'ancient-changes';

/** Appliers are the same whatever API version they use; updaters are not. */
export function isSameManager(
  left: Pick<Manager, 'manager' | 'operation' | 'apiVersion' | 'subresource'>,
  right: Pick<Manager, 'manager' | 'operation' | 'apiVersion' | 'subresource'>,
): boolean {
  return (
    left.manager === right.manager &&
    left.operation === right.operation &&
    left.subresource === right.subresource &&
    (left.operation === 'Apply' || left.apiVersion === right.apiVersion)
  );
}

/** Entries the server wrote itself, taken as they are. */
export function fromStored(entries: readonly ManagedFieldsEntry[] | undefined): readonly Manager[] {
  return (entries ?? []).map((entry) => ({
    manager: entry.manager ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: entry.apiVersion ?? '',
    subresource: entry.subresource ?? '',
    time: entry.time,
    fields: (entry.fieldsV1 ?? {}) as FieldSet,
  }));
}

/** What is wrong with entries a client sent, in upstream's words; `undefined`: nothing. */
export function managedFieldsError(entries: readonly ManagedFieldsEntry[]): string | undefined {
  for (const [index, entry] of entries.entries()) {
    if (entry.operation !== 'Apply' && entry.operation !== 'Update')
      return 'operation must be `Apply` or `Update`';
    if ((entry.apiVersion ?? '') === '') return 'apiVersion must not be empty';
    if ((entry.fieldsType ?? '') === '') return `missing fieldsType in managed fields entry ${index}`;
    if (entry.fieldsType !== 'FieldsV1')
      return `invalid fieldsType ${JSON.stringify(entry.fieldsType)} in managed fields entry ${index}`;
    if (entry.fieldsV1 !== undefined && parseFieldSet(entry.fieldsV1) === undefined)
      return `error decoding set in managed fields entry ${index}`;
  }
  return undefined;
}

/**
 * The owners an update starts from. A client that sends entries back may change them; `[]` or `[{}]` forgets all;
 * nothing, or nonsense, means what is stored.
 */
export function startingManagers(
  stored: readonly ManagedFieldsEntry[] | undefined,
  submitted: readonly ManagedFieldsEntry[] | undefined,
): readonly Manager[] {
  if (submitted === undefined || submitted === stored || equalJson(submitted, stored))
    return fromStored(stored);
  if (isReset(submitted)) return [];
  if (managedFieldsError(submitted) !== undefined) return fromStored(stored);
  return lastOfEach(fromStored(submitted)).map((one) => ({
    ...one,
    fields: parseFieldSet(one.fields) ?? {},
  }));
}

/** Of entries that name the same manager only the last one counts. */
function lastOfEach(managers: readonly Manager[]): readonly Manager[] {
  return managers.filter(
    (one, at) => !managers.some((other, later) => later > at && isSameManager(one, other)),
  );
}

function isReset(entries: readonly ManagedFieldsEntry[]): boolean {
  const [first] = entries;
  return first === undefined || (entries.length === 1 && Object.keys(first).length === 0);
}

/** Entries as they are stored and sent, in upstream's order; managers of nothing are left out. */
export function toEntries(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return managers
    .filter((one) => !isEmptySet(one.fields))
    .sort(compareManagers)
    .map(toEntry);
}

function toEntry({ manager, operation, apiVersion, time, fields, subresource }: Manager): ManagedFieldsEntry {
  const fieldsV1 = fields as NonNullable<ManagedFieldsEntry['fieldsV1']>;
  const entry: ManagedFieldsEntry =
    time === undefined
      ? { manager, operation, apiVersion, fieldsType: 'FieldsV1', fieldsV1 }
      : { manager, operation, apiVersion, time, fieldsType: 'FieldsV1', fieldsV1 };
  if (subresource !== '') entry.subresource = subresource;
  return entry;
}

function compareManagers(left: Manager, right: Manager): number {
  return (
    order(left.operation, right.operation) ||
    order(left.time ?? '', right.time ?? '') ||
    order(left.manager, right.manager) ||
    order(left.apiVersion, right.apiVersion) ||
    order(left.subresource, right.subresource)
  );
}

const order = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

/** Joins the oldest update managers of each API version into `ancient-changes` while there are too many. */
export function capUpdateManagers(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter((one) => one.operation === 'Update');
  let excess = updaters.length - MAX_UPDATE_MANAGERS;
  if (excess <= 0) return managers;
  const kept = new Set(managers);
  const oldest = new Map<string, Manager>();
  const byAge = updaters.sort((a, b) => order(a.time ?? '', b.time ?? '') || order(a.manager, b.manager));
  for (const one of byAge) {
    if (excess <= 0) break;
    const bucket = oldest.get(one.apiVersion);
    if (bucket === undefined) {
      oldest.set(one.apiVersion, one);
      continue;
    }
    const joined: Manager = {
      ...one,
      manager: ANCIENT_CHANGES,
      subresource: '',
      fields: union(bucket.fields, one.fields),
    };
    kept.delete(bucket);
    kept.delete(one);
    kept.add(joined);
    oldest.set(one.apiVersion, joined);
    excess--;
  }
  return [...kept];
}
