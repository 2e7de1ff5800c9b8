import { forbiddenField, invalidValue } from '../../../api/field-errors.ts';
import { copyJson } from '../../../api/json-value.ts';
import { deployments } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Deployment, DeploymentStatus } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import {
  ageColumn,
  containerColumns,
  integerColumn,
  nameColumn,
  selectorColumn,
  textColumn,
} from '../columns.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';
import {
  isZero,
  scaleSubresource,
  validateCount,
  validateIntOrPercent,
  validateRunningTemplate,
  validateSelector,
  validateSelectorUpdate,
  workloadWarnings,
} from '../workload.ts';

const PROGRESS_SECONDS = 600;
const HISTORY = 10;

function defaultDeployment({ spec }: Deployment): void {
  if (spec === undefined) return;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= HISTORY;
  spec.progressDeadlineSeconds ??= PROGRESS_SECONDS;
  defaultPodTemplate(spec.template);
}

function validateStrategy({ strategy }: NonNullable<Deployment['spec']>): FieldError[] {
  const rolling = strategy?.rollingUpdate;
  const path = 'spec.strategy.rollingUpdate';
  if (strategy?.type === 'Recreate' && rolling !== undefined) {
    return [forbiddenField(path, "may not be specified when strategy `type` is 'Recreate'")];
  }
  if (strategy?.type !== 'RollingUpdate') return [];
  const errors = [
    ...validateIntOrPercent(`${path}.maxUnavailable`, rolling?.maxUnavailable, true),
    ...validateIntOrPercent(`${path}.maxSurge`, rolling?.maxSurge, false),
  ];
  if (isZero(rolling?.maxUnavailable) && isZero(rolling?.maxSurge)) {
    errors.push(
      invalidValue(
        `${path}.maxUnavailable`,
        rolling?.maxUnavailable ?? 0,
        'may not be 0 when `maxSurge` is 0',
      ),
    );
  }
  return errors;
}

function validateDeployment({ spec }: Deployment): FieldError[] {
  if (spec === undefined) return [];
  const errors = [
    ...validateCount('spec.replicas', spec.replicas),
    ...validateSelector(spec.selector, spec.template, 'deployment'),
    ...validateRunningTemplate(spec.template),
    ...validateStrategy(spec),
    ...validateCount('spec.minReadySeconds', spec.minReadySeconds),
    ...validateCount('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...validateCount('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds),
  ];
  const { progressDeadlineSeconds, minReadySeconds = 0 } = spec;
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds) {
    errors.push(
      invalidValue(
        'spec.progressDeadlineSeconds',
        progressDeadlineSeconds,
        'must be greater than minReadySeconds',
      ),
    );
  }
  return errors;
}

const STATUS_COUNTS = [
  'observedGeneration',
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
] as const satisfies readonly (keyof DeploymentStatus)[];

function validateDeploymentStatus({ status = {} }: Deployment, old: Deployment): FieldError[] {
  const errors = STATUS_COUNTS.flatMap((field) => validateCount(`status.${field}`, status[field]));
  const {
    replicas = 0,
    readyReplicas = 0,
    availableReplicas = 0,
    updatedReplicas = 0,
    collisionCount = 0,
  } = status;
  const tooMany = (field: string, value: number, than: string, limit: number): void => {
    if (value > limit) errors.push(invalidValue(`status.${field}`, value, `cannot be greater than ${than}`));
  };
  tooMany('updatedReplicas', updatedReplicas, 'status.replicas', replicas);
  tooMany('readyReplicas', readyReplicas, 'status.replicas', replicas);
  tooMany('availableReplicas', availableReplicas, 'status.replicas', replicas);
  tooMany('availableReplicas', availableReplicas, 'readyReplicas', readyReplicas);
  if (collisionCount < (old.status?.collisionCount ?? 0)) {
    errors.push(invalidValue('status.collisionCount', collisionCount, 'cannot be decremented'));
  }
  return errors;
}

export const deployment: ResourceDefinition<Deployment> = {
  resource: deployments,
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  columns: [
    nameColumn,
    textColumn(
      'Ready',
      'Pods that are ready, of those wanted.',
      ({ spec, status }: Deployment) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    ),
    integerColumn(
      'Up-to-date',
      'Pods of the newest template.',
      ({ status }: Deployment) => status?.updatedReplicas,
    ),
    integerColumn(
      'Available',
      'Pods ready for long enough.',
      ({ status }: Deployment) => status?.availableReplicas,
    ),
    ageColumn,
    ...containerColumns(({ spec }: Deployment) => spec?.template?.spec?.containers),
    selectorColumn(({ spec }: Deployment) => spec?.selector),
  ],
  strategy: {
    default: defaultDeployment,
    validate: validateDeployment,
    validateUpdate: validateSelectorUpdate,
    warnings: workloadWarnings,
    // Annotations of a Deployment reach its ReplicaSets, so that changing them counts as a change.
    generationIncludes: (object) => copyJson(object.metadata.annotations ?? {}),
  },
  subresources: [
    { name: 'status', keeps: 'labels', validateUpdate: validateDeploymentStatus },
    scaleSubresource(),
  ],
};
