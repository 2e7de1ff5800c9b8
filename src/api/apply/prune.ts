import type { JsonObject } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';
import { difference, EMPTY_SET, type FieldSet, hasChildren, intersection, union } from './field-set.ts';
import type { Manager } from './managed-fields.ts';
import { fieldsOf } from './object-fields.ts';
import { removeFields } from './remove-fields.ts';

export interface PruneOptions {
  readonly merged: JsonObject;
  /** What the manager applied the last time. */
  readonly last: FieldSet;
  /** Everybody's claims now, the applying manager's new one included. */
  readonly owners: readonly Manager[];
  readonly type: TypeNode | undefined;
}

/**
 * Removes the fields and items that the manager applied last time, applies no more, and nobody else claims.
 * What it never owned inside of something it removes comes back.
 */
export function pruneDropped({ merged, last, owners, type }: PruneOptions): JsonObject {
  const mergedFields = withNamedFields(fieldsOf(merged, type), type);
  const lastFields = withNamedFields(last, type);
  let claimed: FieldSet = EMPTY_SET;
  for (const owner of owners) claimed = union(claimed, owner.fields);

  const bare = removeFields(merged, lastFields, type);
  const kept = union(withNamedFields(fieldsOf(bare, type), type), withNamedFields(claimed, type));
  const owned = removeFields(merged, difference(mergedFields, kept), type);
  const ownedFields = withNamedFields(fieldsOf(owned, type), type);
  return removeFields(merged, intersection(difference(mergedFields, ownedFields), lastFields), type);
}

/** Makes declared fields that only have members below them members too, which sets usually leave out. */
function withNamedFields(set: FieldSet, type: TypeNode | undefined): FieldSet {
  if (!hasChildren(set)) return set;
  const result: { [element: string]: FieldSet } = {};
  for (const element in set) {
    const node = set[element] ?? EMPTY_SET;
    if (element === '.') {
      result['.'] = node;
      continue;
    }
    const isField = element.startsWith('f:');
    const inner = isField ? type?.field(element.slice(2)) : type?.element;
    const isDeclared = isField && type?.shape === 'object' && inner !== undefined;
    const grown = withNamedFields(node, inner);
    result[element] =
      isDeclared && hasChildren(grown) && !('.' in grown) ? { '.': EMPTY_SET, ...grown } : grown;
  }
  return result;
}
