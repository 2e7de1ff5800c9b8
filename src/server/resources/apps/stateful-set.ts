import { forbiddenField, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { statefulSets } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { StatefulSet, StatefulSetSpec } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, containerColumns, nameColumn, textColumn } from '../columns.ts';
import { defaultClaim } from '../core/persistent-volume-claim.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';
import {
  isZero,
  scaleSubresource,
  validateCount,
  validateIntOrPercent,
  validateRunningTemplate,
  validateSelector,
  workloadWarnings,
} from '../workload.ts';

const HISTORY = 10;

function defaultStatefulSet({ spec }: StatefulSet): void {
  if (spec === undefined) return;
  spec.replicas ??= 1;
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  spec.revisionHistoryLimit ??= HISTORY;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ||= 'v1';
    claim.kind ||= 'PersistentVolumeClaim';
    defaultClaim(claim);
    claim.status ??= { phase: 'Pending' };
  }
  defaultPodTemplate(spec.template);
}

function validateUpdateStrategy({ updateStrategy }: StatefulSetSpec): FieldError[] {
  const path = 'spec.updateStrategy';
  if (!updateStrategy?.type) return [required(path)];
  const rolling = updateStrategy.rollingUpdate;
  if (updateStrategy.type === 'OnDelete') {
    return rolling === undefined
      ? []
      : [invalidValue(`${path}.rollingUpdate`, rolling, "only allowed for updateStrategy 'RollingUpdate'")];
  }
  const errors = validateCount(`${path}.rollingUpdate.partition`, rolling?.partition);
  const unavailable = rolling?.maxUnavailable;
  errors.push(...validateIntOrPercent(`${path}.rollingUpdate.maxUnavailable`, unavailable, true));
  if (unavailable !== undefined && isZero(unavailable)) {
    errors.push(invalidValue(`${path}.rollingUpdate.maxUnavailable`, unavailable, 'cannot be 0'));
  }
  return errors;
}

function validateStatefulSet({ spec }: StatefulSet): FieldError[] {
  if (spec === undefined) return [];
  const errors = [
    ...validateUpdateStrategy(spec),
    ...validateCount('spec.replicas', spec.replicas),
    ...validateCount('spec.minReadySeconds', spec.minReadySeconds),
    ...validateCount('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...validateCount('spec.ordinals.start', spec.ordinals?.start),
    ...validateSelector(spec.selector, spec.template, 'statefulset'),
  ];
  // Pods mount the claims of the set by name, as if they were volumes of the template.
  const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => ({
    name: metadata.name ?? '',
    persistentVolumeClaim: { claimName: metadata.name ?? '' },
  }));
  const { template } = spec;
  const own = (template?.spec?.volumes ?? []).filter(
    ({ name }) => !claims.some((claim) => claim.name === name),
  );
  const withClaims = template?.spec && {
    ...template,
    spec: { ...template.spec, volumes: [...own, ...claims] },
  };
  return [...errors, ...validateRunningTemplate(withClaims ?? template)];
}

const MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const satisfies readonly (keyof StatefulSetSpec)[];

function validateStatefulSetUpdate({ spec }: StatefulSet, old: StatefulSet): FieldError[] {
  const fixed = (one: StatefulSetSpec | undefined): object =>
    Object.fromEntries(
      Object.entries(one ?? {}).filter(([field]) => !(MUTABLE as readonly string[]).includes(field)),
    );
  if (equalJson(fixed(spec), fixed(old.spec))) return [];
  const names = MUTABLE.map((field) => `'${field}'`);
  const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return [forbiddenField('spec', `updates to statefulset spec for fields other than ${list} are forbidden`)];
}

const COUNTS = [
  'replicas',
  'readyReplicas',
  'availableReplicas',
  'currentReplicas',
  'updatedReplicas',
] as const;

function validateStatus({ status }: StatefulSet): FieldError[] {
  const errors = COUNTS.flatMap((field) => validateCount(`status.${field}`, status?.[field]));
  const { replicas = 0 } = status ?? {};
  for (const field of COUNTS.slice(1)) {
    const value = status?.[field] ?? 0;
    if (value > replicas) {
      errors.push(invalidValue(`status.${field}`, value, 'cannot be greater than status.replicas'));
    }
  }
  return errors;
}

export const statefulSet: ResourceDefinition<StatefulSet> = {
  resource: statefulSets,
  singular: 'statefulset',
  shortNames: ['sts'],
  categories: ['all'],
  columns: [
    nameColumn,
    textColumn(
      'Ready',
      'Pods that are ready, of those wanted.',
      ({ spec, status }: StatefulSet) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    ),
    ageColumn,
    ...containerColumns(({ spec }: StatefulSet) => spec?.template?.spec?.containers),
  ],
  strategy: {
    default: defaultStatefulSet,
    prepareCreate: (object) => {
      object.status = { replicas: 0, availableReplicas: 0 };
    },
    validate: validateStatefulSet,
    validateUpdate: validateStatefulSetUpdate,
    warnings: workloadWarnings,
  },
  subresources: [{ name: 'status', validateUpdate: validateStatus }, scaleSubresource()],
};
