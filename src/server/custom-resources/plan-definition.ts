import { equalJson } from '../../api/json-value.ts';
import { validateStructural } from '../../api/structural/validate-structural.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '../../api/types.gen.ts';
import { type ApprovalState, approvalOf, isProtectedGroup } from '../resources/apiextensions/api-approval.ts';
import {
  findCondition,
  isConditionTrue,
  type NewCondition,
  schemaOf,
  withCondition,
} from '../resources/apiextensions/crd.ts';
import { isCaBundle } from '../resources/apiextensions/validate-conversion.ts';

export interface PlanOptions {
  /** Accepted names of the other definitions of the group. */
  readonly others: readonly CustomResourceDefinitionNames[];
  /** RFC 3339. */
  readonly now: string;
  /** Whether schemas may have changed since they were looked at. */
  readonly checkSchemas: boolean;
}

/**
 * The status a definition should have: which names are its own and whether it is served (upstream's naming, establishing,
 * non-structural-schema and API-approval controllers in one). The definition's own status where nothing changes.
 */
export function planDefinitionStatus(
  definition: CustomResourceDefinition,
  { others, now, checkSchemas }: PlanOptions,
): CustomResourceDefinitionStatus {
  const status = definition.status ?? {};
  const { accepted, names } = planNames(definition, others);
  let conditions = status.conditions ?? [];
  const set = (condition: NewCondition | undefined): void => {
    if (!condition) return;
    const old = conditions.find(({ type }) => type === condition.type);
    if (old && equalJson({ ...old, ...condition }, old)) return;
    conditions = withCondition(conditions, condition, now);
  };
  set(approval(definition));
  set(accepted);
  set(established(definition, accepted));
  if (checkSchemas) {
    const structure = nonStructural(definition);
    if (structure) set(structure);
    else conditions = conditions.filter(({ type }) => type !== 'NonStructuralSchema');
  }
  const isSame = equalJson(conditions, status.conditions ?? []) && equalJson(names, status.acceptedNames);
  return isSame ? status : { ...status, conditions, acceptedNames: names };
}

function planNames(
  { spec, status }: CustomResourceDefinition,
  others: readonly CustomResourceDefinitionNames[],
): { readonly names: CustomResourceDefinitionNames; readonly accepted: NewCondition } {
  const resources = new Set(
    others.flatMap((one) => [one.plural, one.singular ?? '', ...(one.shortNames ?? [])]),
  );
  const kinds = new Set(others.flatMap((one) => [one.kind, one.listKind ?? '']));
  const wanted = spec.names;
  const mine = status?.acceptedNames ?? { plural: '', kind: '' };
  const names = { ...mine };
  let conflict: { readonly reason: string; readonly message: string } | undefined;
  const inUse = (name: string): string => `${JSON.stringify(name)} is already in use`;
  const claim = (field: 'plural' | 'singular' | 'kind' | 'listKind', used: ReadonlySet<string>): void => {
    const name = wanted[field] ?? '';
    const isFree = name === (mine[field] ?? '') || !used.has(name);
    if (isFree) names[field] = name;
    else
      conflict = {
        reason: `${field.charAt(0).toUpperCase()}${field.slice(1)}Conflict`,
        message: inUse(name),
      };
  };
  claim('plural', resources);
  claim('singular', resources);
  const { shortNames = [] } = wanted;
  const taken = shortNames.filter((one) => !mine.shortNames?.includes(one) && resources.has(one));
  if (taken.length > 0) {
    const texts = taken.map(inUse);
    const message = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
    conflict = { reason: 'ShortNamesConflict', message };
  } else if (wanted.shortNames) names.shortNames = shortNames;
  else delete names.shortNames;
  claim('kind', kinds);
  claim('listKind', kinds);
  if (wanted.categories) names.categories = wanted.categories;
  else delete names.categories;
  return {
    names,
    accepted: {
      type: 'NamesAccepted',
      status: conflict ? 'False' : 'True',
      reason: conflict?.reason ?? 'NoConflicts',
      message: conflict?.message ?? 'no conflicts found',
    },
  };
}

/** Once established, a definition stays so, whatever becomes of its names. */
function established(definition: CustomResourceDefinition, accepted: NewCondition): NewCondition | undefined {
  if (isConditionTrue(definition, 'Established')) return undefined;
  const type = 'Established';
  if (accepted.status !== 'True') {
    const message = 'not all names are accepted';
    return findCondition(definition, type)
      ? undefined
      : { type, status: 'False', reason: 'NotAccepted', message };
  }
  const caBundle = definition.spec.conversion?.webhook?.clientConfig?.caBundle ?? '';
  if (caBundle !== '' && !isCaBundle(caBundle)) {
    const message = 'The conversion webhook CABundle is invalid';
    return { type, status: 'False', reason: 'InvalidCABundle', message };
  }
  const message = 'the initial names have been accepted';
  return { type, status: 'True', reason: 'InitialNamesAccepted', message };
}

const APPROVALS: Readonly<Record<ApprovalState, readonly [status: 'True' | 'False', reason: string]>> = {
  Missing: ['False', 'MissingAnnotation'],
  Invalid: ['False', 'InvalidAnnotation'],
  Approved: ['True', 'ApprovedAnnotation'],
  Bypassed: ['False', 'UnapprovedAnnotation'],
};

function approval(definition: CustomResourceDefinition): NewCondition | undefined {
  if (!isProtectedGroup(definition.spec.group)) return undefined;
  const { state, reason: message } = approvalOf(definition);
  const [status, reason] = APPROVALS[state];
  return { type: 'KubernetesAPIApprovalPolicyConformant', status, reason, message };
}

function nonStructural({ spec }: CustomResourceDefinition): NewCondition | undefined {
  const errors = spec.versions.flatMap((version, index) => {
    const schema = schemaOf(version);
    return schema ? validateStructural(schema, `spec.versions[${index}].schema.openAPIV3Schema`) : [];
  });
  const texts = errors.map(({ field, message }) => `${field}: ${message}`);
  if (spec.preserveUnknownFields === true)
    texts.unshift('spec.preserveUnknownFields: Invalid value: true: must be false');
  if (texts.length === 0) return undefined;
  const message = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
  return { type: 'NonStructuralSchema', status: 'True', reason: 'Violations', message };
}
