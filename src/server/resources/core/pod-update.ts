import { forbiddenField, IMMUTABLE, invalidValue } from '../../../api/field-errors.ts';
import { copyJson, equalJson } from '../../../api/json-value.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Container, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../../../api/types.gen.ts';

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** What an update of a running pod may change: next to nothing (upstream's ValidatePodUpdate). */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  return validatePodSpecUpdate(pod.spec as PodSpec, old.spec as PodSpec);
}

function validatePodSpecUpdate(spec: PodSpec, old: PodSpec): FieldError[] {
  const counts = sameCounts(spec, old);
  if (counts.length > 0) return counts;
  const errors = [
    ...imagesPresent(spec),
    ...validateDeadline(spec.activeDeadlineSeconds, old.activeDeadlineSeconds),
    ...validateAddedTolerations(spec.tolerations, old.tolerations),
  ];
  const gated = (old.schedulingGates?.length ?? 0) > 0;
  errors.push(...validateGateRemoval(spec, old));
  const rest = carryAllowed(spec, old, gated, errors);
  if (errors.length > 0 || equalJson(rest, old)) return errors;
  const changed = changedFields(rest, old);
  return [
    forbiddenField(
      'spec',
      `pod updates may not change fields other than ${UPDATABLE}\n  changed: ${changed.join(', ')}`,
    ),
  ];
}

function sameCounts(spec: PodSpec, old: PodSpec): FieldError[] {
  return (['containers', 'initContainers'] as const)
    .filter((field) => (spec[field]?.length ?? 0) !== (old[field]?.length ?? 0))
    .map((field) => forbiddenField(`spec.${field}`, 'pod updates may not add or remove containers'));
}

function imagesPresent(spec: PodSpec): FieldError[] {
  return (spec.containers ?? []).flatMap(({ image }, at) =>
    image
      ? []
      : [
          {
            field: `spec.containers[${at}].image`,
            reason: 'FieldValueRequired' as const,
            message: 'Required value',
          },
        ],
  );
}

/** May be set, or shortened. */
function validateDeadline(seconds: number | undefined, old: number | undefined): FieldError[] {
  const field = 'spec.activeDeadlineSeconds';
  if (seconds === undefined) {
    return old === undefined
      ? []
      : [invalidValue(field, undefined, 'must not update from a positive integer to nil value')];
  }
  if (old !== undefined && seconds > old) {
    return [invalidValue(field, seconds, 'must be less than or equal to previous value')];
  }
  return [];
}

/** Tolerations may be added, and the seconds of one changed. */
function validateAddedTolerations(
  now: readonly Toleration[] = [],
  old: readonly Toleration[] = [],
): FieldError[] {
  const withoutSeconds = ({ tolerationSeconds: _, ...rest }: Toleration): object => rest;
  const kept = old.every((one) => now.some((other) => equalJson(withoutSeconds(one), withoutSeconds(other))));
  return kept
    ? []
    : [
        forbiddenField(
          'spec.tolerations',
          'existing toleration can not be modified except its tolerationSeconds',
        ),
      ];
}

function validateGateRemoval(spec: PodSpec, old: PodSpec): FieldError[] {
  const before = new Set((old.schedulingGates ?? []).map(({ name }) => name));
  const added = (spec.schedulingGates ?? []).filter(({ name }) => !before.has(name));
  return added.map(({ name }) =>
    forbiddenField(
      'spec.schedulingGates',
      `only deletion is allowed, but found new scheduling gate '${name}'`,
    ),
  );
}

/** The new spec with everything that may change put back, so that only forbidden changes remain. */
function carryAllowed(spec: PodSpec, old: PodSpec, gated: boolean, errors: FieldError[]): PodSpec {
  const rest = copyJson(spec);
  const restore = <K extends keyof PodSpec>(field: K): void => {
    if (old[field] === undefined) delete rest[field];
    else rest[field] = old[field];
  };
  rest.containers = withImagesOf(rest.containers, old.containers) ?? [];
  if (rest.initContainers) rest.initContainers = withImagesOf(rest.initContainers, old.initContainers) ?? [];
  restore('activeDeadlineSeconds');
  restore('tolerations');
  restore('schedulingGates');
  if ((old.terminationGracePeriodSeconds ?? 0) < 0 && rest.terminationGracePeriodSeconds === 1) {
    restore('terminationGracePeriodSeconds');
  }
  if (!gated) return rest;
  errors.push(...validateTighterPlacement(spec, old));
  restore('nodeSelector');
  const affinity = old.affinity?.nodeAffinity;
  if (old.affinity === undefined && rest.affinity !== undefined) {
    const { nodeAffinity: _, ...others } = rest.affinity;
    if (Object.keys(others).length === 0) delete rest.affinity;
    else rest.affinity = others;
  } else if (rest.affinity !== undefined) {
    const { nodeAffinity: _, ...others } = rest.affinity;
    rest.affinity = affinity === undefined ? others : { ...others, nodeAffinity: affinity };
  }
  return rest;
}

function withImagesOf(
  containers: Container[] | undefined,
  old: readonly Container[] | undefined,
): Container[] | undefined {
  return containers?.map((container, at) => {
    const image = old?.[at]?.image;
    return image === undefined ? container : { ...container, image };
  });
}

/** A pod held back by a gate may be told more narrowly where to run. */
function validateTighterPlacement(spec: PodSpec, old: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(old.nodeSelector ?? {})) {
    if (spec.nodeSelector?.[key] !== value) {
      errors.push(
        invalidValue(
          'spec.nodeSelector',
          spec.nodeSelector,
          'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
        ),
      );
      break;
    }
  }
  const needed = (one: PodSpec): readonly NodeSelectorTerm[] | undefined =>
    one.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const before = needed(old);
  if (before === undefined) return errors;
  const field = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  const after = needed(spec);
  if (after?.length !== before.length) {
    return [
      ...errors,
      invalidValue(field, after, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed'),
    ];
  }
  before.forEach((term, at) => {
    const now = after[at] as NodeSelectorTerm;
    const kept = (['matchExpressions', 'matchFields'] as const).every((list) =>
      (term[list] ?? []).every((one, index) => equalJson(one, now[list]?.[index])),
    );
    if (!kept) {
      errors.push(
        invalidValue(`${field}[${at}]`, now, 'only additions are allowed (no mutations or deletions)'),
      );
    }
  });
  return errors;
}

function changedFields(now: PodSpec, old: PodSpec): string[] {
  const names = new Set([...Object.keys(now), ...Object.keys(old)]) as Set<keyof PodSpec>;
  return [...names].filter((name) => !equalJson(now[name], old[name])).map((name) => `spec.${name}`);
}

/** The class of service is decided when the pod is created. */
export function validatePodStatusUpdate(pod: Pod, old: Pod): FieldError[] {
  const qos = pod.status?.qosClass;
  return old.status?.qosClass && qos !== old.status.qosClass
    ? [invalidValue('status.qosClass', qos, IMMUTABLE)]
    : [];
}
