import { type TypedKind, typeWarnings } from '../../api/cel/admission/type-warnings.ts';
import type { CelType } from '../../api/cel/types.ts';
import type { ValidatingAdmissionPolicy } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';

export interface NamedResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** Whether a policy changed since it was last checked. */
export function needsCheck({ metadata, status }: ValidatingAdmissionPolicy): boolean {
  return (metadata.generation ?? 0) > (status?.observedGeneration ?? 0);
}

/** The resources that a policy names without wildcards, in upstream's order. Subresources are skipped. */
export function namedResources({ spec }: ValidatingAdmissionPolicy): NamedResource[] {
  const named: NamedResource[] = [];
  for (const rule of spec?.matchConstraints?.resourceRules ?? []) {
    const { apiGroups = [], apiVersions = [], resources = [] } = rule;
    if ([...apiGroups, ...apiVersions].some((one) => one.includes('*'))) continue;
    const plain = resources.filter((one) => !/[*/]/.test(one)).sort();
    for (const group of [...apiGroups].sort())
      for (const version of [...apiVersions].sort())
        for (const resource of plain) named.push({ group, version, resource });
  }
  return named.slice(0, LIMITS.controllers.policyKinds);
}

/** The status of a policy whose expressions were checked against the types of what it is for. Pure. */
export function planStatus(
  policy: ValidatingAdmissionPolicy,
  kinds: readonly TypedKind[],
  params: CelType | undefined,
): NonNullable<ValidatingAdmissionPolicy['status']> {
  const name = ({ group, version, kind }: TypedKind): string => `${group}\0${version}\0${kind}`;
  const unique = [...new Map(kinds.map((one) => [name(one), one])).entries()].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const warnings = typeWarnings(
    policy.spec ?? {},
    unique.map(([, kind]) => kind),
    params,
  );
  return {
    ...policy.status,
    observedGeneration: policy.metadata.generation ?? 0,
    typeChecking: warnings.length > 0 ? { expressionWarnings: warnings } : {},
  };
}
