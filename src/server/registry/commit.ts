import type { KubeObject } from '../../api/resource.ts';
import { apiError } from '../../api/status.ts';
import type { CommitResult } from '../../datastore/port.ts';
import { LIMITS } from '../../lib/limits.ts';
import { encodeForStorage as encode, isAsStored } from '../watchcache/stored-object.ts';
import type { ServedResource } from './served-resource.ts';
import { storageKey } from './storage-key.ts';

/**
 * The bytes to store, see `encode`. With `forgets`, an object that is too large only with its managed fields goes on
 * without them: what users wrote comes first. Throws 413 when it is too large.
 */
export function encodeForStorage(object: KubeObject, { forgets = false } = {}): Buffer {
  const bytes = encode(object);
  if (bytes.length <= LIMITS.object.encodedBytes) return bytes;
  if (forgets && object.metadata.managedFields !== undefined) {
    delete object.metadata.managedFields;
    return encodeForStorage(object);
  }
  throw apiError('RequestEntityTooLarge', `Request entity too large: limit is ${LIMITS.object.encodedBytes}`);
}

/**
 * Writes one object if it is still at `expectedRevision` (0: does not exist). Sets its `resourceVersion` on success;
 * the object may be what the cache shows from then on, and must not be changed any more.
 * With `old`, what it replaces, an update that may be forgotten does not wait for the disk; `forgets` as above.
 */
export async function commitObject(
  served: ServedResource,
  object: KubeObject,
  expectedRevision: number,
  { old, forgets = false }: { old?: KubeObject; forgets?: boolean } = {},
): Promise<CommitResult> {
  const { namespace = '', name = '' } = object.metadata;
  const { durability = 'durable', isForgettable } = served.definition;
  const stored = served.storage ? await served.storage.write(object) : object;
  const value = encodeForStorage(stored, { forgets });
  if (stored.metadata.managedFields === undefined) delete object.metadata.managedFields;
  const decoded = !served.storage && isAsStored(object) ? object : undefined;
  const result = await served.engine.datastore.commit(
    [{ key: storageKey(served, namespace, name), value, expectedRevision, decoded }],
    old && isForgettable?.(object, old) ? 'volatile' : durability,
  );
  if (result.ok) object.metadata.resourceVersion = String(result.revisions[0] ?? result.revision);
  return result;
}

/** Removes one object if it is still at `expectedRevision`. */
export function commitDelete(
  served: ServedResource,
  object: KubeObject,
  expectedRevision: number,
): Promise<CommitResult> {
  const { namespace = '', name = '' } = object.metadata;
  return served.engine.datastore.commit(
    [{ key: storageKey(served, namespace, name), value: undefined, expectedRevision }],
    served.definition.durability ?? 'durable',
  );
}
