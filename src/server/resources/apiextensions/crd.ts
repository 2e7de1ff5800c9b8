import type { JsonSchema } from '../../../api/structural/json-schema.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionVersion,
} from '../../../api/types.gen.ts';

/** Keeps a definition from going before its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export type ConditionType =
  | 'Established'
  | 'NamesAccepted'
  | 'NonStructuralSchema'
  | 'Terminating'
  | 'KubernetesAPIApprovalPolicyConformant';

export function findCondition(
  { status }: CustomResourceDefinition,
  type: ConditionType,
): CustomResourceDefinitionCondition | undefined {
  return status?.conditions?.find((one) => one.type === type);
}

export function isConditionTrue(definition: CustomResourceDefinition, type: ConditionType): boolean {
  return findCondition(definition, type)?.status === 'True';
}

export interface NewCondition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** The conditions with this one among them; its time moves only with its status. `now` is RFC 3339. */
export function withCondition(
  conditions: readonly CustomResourceDefinitionCondition[],
  wanted: NewCondition,
  now: string,
): CustomResourceDefinitionCondition[] {
  const old = conditions.find(({ type }) => type === wanted.type);
  const isSame = old?.status === wanted.status && old.lastTransitionTime !== undefined;
  const condition = { ...old, ...wanted, lastTransitionTime: isSame ? old.lastTransitionTime : now };
  return old
    ? conditions.map((one) => (one === old ? condition : one))
    : [...conditions, condition as CustomResourceDefinitionCondition];
}

export function schemaOf({ schema }: CustomResourceDefinitionVersion): JsonSchema | undefined {
  return schema?.openAPIV3Schema as JsonSchema | undefined;
}

export function storageVersionOf({ spec }: CustomResourceDefinition): string {
  return spec.versions.find(({ storage }) => storage)?.name ?? '';
}
