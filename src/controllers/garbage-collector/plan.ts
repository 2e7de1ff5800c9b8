import type { KubeObject } from '../../api/resource.ts';
import type { OwnerReference } from '../../api/types.gen.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** What became of one owner: it stands, it is gone, or it waits in the foreground for its dependents. */
export type OwnerState = 'solid' | 'absent' | 'waiting';

export type CollectAction =
  | { readonly type: 'keep' }
  /** Some owners remain: forget those that do not. */
  | { readonly type: 'dropOwners'; readonly uids: readonly string[] }
  | {
      readonly type: 'delete';
      readonly propagationPolicy: 'Orphan' | 'Background' | 'Foreground';
      /** First let go of its owners: they wait for each other in a circle, and one must not wait. */
      readonly unblock?: true;
    };

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

/** Being deleted in the foreground: goes once those that block it are gone. */
export function isDeletingDependents(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && hasFinalizer(object, FOREGROUND);
}

/** What to do with a dependent, given the state of each of its owners (upstream's attemptToDeleteItem). Pure. */
export function planCollect(
  object: KubeObject,
  owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[],
  dependents: readonly KubeObject[],
): CollectAction {
  const lost = owners.filter(({ state }) => state !== 'solid');
  if (owners.length === 0 || lost.length === 0) return { type: 'keep' };
  if (lost.length < owners.length)
    return { type: 'dropOwners', uids: lost.map(({ reference }) => reference.uid) };
  if (lost.some(({ state }) => state === 'waiting') && dependents.length > 0) {
    const isCircle = dependents.some(isDeletingDependents);
    return { type: 'delete', propagationPolicy: 'Foreground', ...(isCircle ? { unblock: true } : {}) };
  }
  if (hasFinalizer(object, ORPHAN)) return { type: 'delete', propagationPolicy: 'Orphan' };
  if (hasFinalizer(object, FOREGROUND)) return { type: 'delete', propagationPolicy: 'Foreground' };
  return { type: 'delete', propagationPolicy: 'Background' };
}

/** Dependents that keep their owner from going. Pure. */
export function blockingDependents<T extends KubeObject>(owner: KubeObject, dependents: readonly T[]): T[] {
  return dependents.filter(({ metadata }) =>
    metadata.ownerReferences?.some(
      ({ uid, blockOwnerDeletion }) => uid === owner.metadata.uid && blockOwnerDeletion === true,
    ),
  );
}

/** Owners that an object blocked before it changed, and does not block now. Pure. */
export function unblockedOwners(old: KubeObject, object: KubeObject): readonly OwnerReference[] {
  const { ownerReferences: before = [] } = old.metadata;
  const { ownerReferences: now = [] } = object.metadata;
  if (before.length === 0 || before === now) return [];
  return before.filter(
    ({ uid, blockOwnerDeletion }) =>
      blockOwnerDeletion === true &&
      !now.some((reference) => reference.uid === uid && reference.blockOwnerDeletion === true),
  );
}
