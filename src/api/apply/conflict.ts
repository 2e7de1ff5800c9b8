import { ApiError } from '../status.ts';
import { type FieldSet, forEachPath } from './field-set.ts';
import type { Manager } from './managed-fields.ts';
import { type PathElement, pathText } from './path-element.ts';

/** A field that an applier wants to set and somebody else owns with another value. */
export interface FieldConflict {
  readonly owner: Manager;
  readonly path: readonly PathElement[];
}

export function conflictsOf(owner: Manager, fields: FieldSet): FieldConflict[] {
  const found: FieldConflict[] = [];
  forEachPath(fields, (path) => found.push({ owner, path }));
  return found;
}

/** 409 with one cause per field, worded as upstream's. */
export function applyConflict(conflicts: readonly FieldConflict[]): ApiError {
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${ownerText(owner)}`,
    field: pathText(path),
  }));
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: message(conflicts),
    reason: 'Conflict',
    details: { causes },
    code: 409,
  });
}

function message(conflicts: readonly FieldConflict[]): string {
  const [only] = conflicts;
  if (only && conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${ownerText(only.owner)}: ${pathText(only.path)}`;
  const owners = Map.groupBy(conflicts, ({ owner }) => ownerText(owner));
  const lines = [...owners.keys()]
    .sort()
    .flatMap((owner) => [
      `conflicts with ${owner}:`,
      ...(owners.get(owner) ?? []).map(({ path }) => `- ${pathText(path)}`),
    ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

function ownerText(owner: Manager): string {
  const subresource =
    owner.subresource === '' ? '' : ` with subresource ${JSON.stringify(owner.subresource)}`;
  const version = owner.operation === 'Update' ? ` using ${owner.apiVersion}` : '';
  return `${JSON.stringify(owner.manager)}${subresource}${version}`;
}
