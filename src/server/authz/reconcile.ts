import { equalJson } from '../../api/json-value.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Subject } from '../../api/types.gen.ts';
import { AUTOUPDATE } from './default-objects.ts';
import { compactRules, uncoveredRules } from './rules.ts';

type RbacObject = Pick<ClusterRole, 'metadata' | 'rules' | 'aggregationRule'> &
  Partial<Pick<ClusterRoleBinding, 'roleRef' | 'subjects'>>;

export type Reconciliation<T> =
  | { readonly action: 'none' }
  | { readonly action: 'create' | 'update'; readonly object: T }
  /** The binding points at another role, which cannot be changed: delete it, then create this one. */
  | { readonly action: 'recreate'; readonly object: T };

/**
 * What to do so that a default role or binding holds at least what it should: missing rules, subjects, labels and
 * annotations are added, nothing is taken away. An object annotated `autoupdate: "false"` is left alone.
 */
export function reconcile<T extends RbacObject>(wanted: T, found: T | undefined): Reconciliation<T> {
  if (found === undefined) return { action: 'create', object: wanted };
  if (found.metadata.annotations?.[AUTOUPDATE] === 'false') return { action: 'none' };
  if (wanted.roleRef && found.roleRef && !isSameRole(wanted.roleRef, found.roleRef))
    return { action: 'recreate', object: wanted };
  const object: T = {
    ...found,
    metadata: {
      ...found.metadata,
      annotations: { ...wanted.metadata.annotations, ...found.metadata.annotations },
      labels: { ...wanted.metadata.labels, ...found.metadata.labels },
    },
  };
  if (wanted.aggregationRule) object.aggregationRule = withSelectors(wanted, found);
  else if (wanted.rules) object.rules = withRules(found.rules ?? [], wanted.rules);
  if (wanted.subjects) object.subjects = withSubjects(found.subjects ?? [], wanted.subjects);
  return equalJson(object, found) ? { action: 'none' } : { action: 'update', object };
}

const isSameRole = (left: { kind: string; name: string }, right: { kind: string; name: string }): boolean =>
  left.kind === right.kind && left.name === right.name;

function withRules(found: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const missing = wanted.filter((rule) => uncoveredRules(found, [rule]).length > 0);
  return missing.length === 0 ? [...found] : [...found, ...compactRules(missing)];
}

function withSubjects(found: readonly Subject[], wanted: readonly Subject[]): Subject[] {
  const isSame = (left: Subject, right: Subject): boolean =>
    left.kind === right.kind &&
    left.name === right.name &&
    (left.namespace ?? '') === (right.namespace ?? '');
  return [...found, ...wanted.filter((subject) => !found.some((one) => isSame(one, subject)))];
}

function withSelectors(wanted: RbacObject, found: RbacObject): NonNullable<ClusterRole['aggregationRule']> {
  const present = found.aggregationRule?.clusterRoleSelectors ?? [];
  const needed = wanted.aggregationRule?.clusterRoleSelectors ?? [];
  return {
    clusterRoleSelectors: [
      ...present,
      ...needed.filter((selector) => !present.some((one) => equalJson(one, selector))),
    ],
  };
}
