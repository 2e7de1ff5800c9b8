import { managedFieldsError } from '../../api/apply/managed-fields.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { ManagedFieldsEntry, ObjectMeta } from '../../api/types.gen.ts';
import type { WriteRequest } from './served-resource.ts';

/** Owners that are listed twice, every field alike, are listed once; their uids. */
function dedupeOwners(metadata: ObjectMeta): readonly string[] {
  const owners = metadata.ownerReferences;
  if (!owners || owners.length < 2) return [];
  const known = new Set<string>();
  const repeated = new Set<string>();
  metadata.ownerReferences = owners.filter((owner) => {
    const text = JSON.stringify(Object.entries(owner).sort());
    if (known.has(text)) repeated.add(owner.uid);
    else return known.add(text);
    return false;
  });
  return [...repeated].sort();
}

/** Lists every owner once. Of what was wrong before admission changed anything, the client hears another word. */
export function warnOfRepeatedOwners(
  { metadata }: KubeObject,
  request: WriteRequest,
  { afterAdmission = false } = {},
): void {
  const repeated = dedupeOwners(metadata);
  if (repeated.length === 0) return;
  const when = afterAdmission ? ' after mutating admission happens' : '';
  request.warn(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${repeated.join(', ')}`,
  );
}

/** Puts right what mutating admission made of metadata, and warns: owners listed twice, managed fields that are none. */
export function tidyAfterAdmission(
  object: KubeObject,
  request: WriteRequest,
  managedFields: ManagedFieldsEntry[] | undefined,
): void {
  const { metadata } = object;
  warnOfRepeatedOwners(object, request, { afterAdmission: true });
  if (metadata.managedFields === managedFields) return;
  const problem = managedFieldsError(metadata.managedFields ?? []);
  if (problem === undefined) return;
  if (managedFields === undefined) delete metadata.managedFields;
  else metadata.managedFields = managedFields;
  request.warn(
    `.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${problem}`,
  );
}
