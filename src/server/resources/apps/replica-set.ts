import { invalidValue } from '../../../api/field-errors.ts';
import { replicaSets } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { ReplicaSet } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, containerColumns, integerColumn, nameColumn, selectorColumn } from '../columns.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';
import {
  scaleSubresource,
  validateCount,
  validateRunningTemplate,
  validateSelector,
  validateSelectorUpdate,
  workloadWarnings,
} from '../workload.ts';

function validateReplicaSet({ spec }: ReplicaSet): FieldError[] {
  return spec === undefined
    ? []
    : [
        ...validateCount('spec.replicas', spec.replicas),
        ...validateCount('spec.minReadySeconds', spec.minReadySeconds),
        ...validateSelector(spec.selector, spec.template, 'replicaset'),
        ...validateRunningTemplate(spec.template),
      ];
}

const COUNTS = [
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
] as const;

/** Also for ReplicationControllers, whose status is the same. */
export function validateReplicaStatus({ status }: Pick<ReplicaSet, 'status'>): FieldError[] {
  if (status === undefined) return [];
  const errors = COUNTS.flatMap((field) => validateCount(`status.${field}`, status[field]));
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0, fullyLabeledReplicas = 0 } = status;
  const tooMany = (field: string, value: number, than: string, limit: number): void => {
    if (value > limit) errors.push(invalidValue(`status.${field}`, value, `cannot be greater than ${than}`));
  };
  tooMany('fullyLabeledReplicas', fullyLabeledReplicas, 'status.replicas', replicas);
  tooMany('readyReplicas', readyReplicas, 'status.replicas', replicas);
  tooMany('availableReplicas', availableReplicas, 'status.replicas', replicas);
  tooMany('availableReplicas', availableReplicas, 'readyReplicas', readyReplicas);
  return errors;
}

export const replicaSet: ResourceDefinition<ReplicaSet> = {
  resource: replicaSets,
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  columns: [
    nameColumn,
    integerColumn('Desired', 'Pods wanted.', ({ spec }: ReplicaSet) => spec?.replicas),
    integerColumn('Current', 'Pods there are.', ({ status }: ReplicaSet) => status?.replicas),
    integerColumn('Ready', 'Pods that are ready.', ({ status }: ReplicaSet) => status?.readyReplicas),
    ageColumn,
    ...containerColumns(({ spec }: ReplicaSet) => spec?.template?.spec?.containers),
    selectorColumn(({ spec }: ReplicaSet) => spec?.selector),
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
  strategy: {
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.replicas ??= 1;
      defaultPodTemplate(spec.template);
    },
    prepareCreate: (object) => {
      object.status = { replicas: 0 };
    },
    validate: validateReplicaSet,
    validateUpdate: validateSelectorUpdate,
    warnings: workloadWarnings,
  },
  subresources: [{ name: 'status', validateUpdate: validateReplicaStatus }, scaleSubresource()],
};
