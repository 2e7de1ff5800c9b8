import { invalidValue, required } from '../../../api/field-errors.ts';
import { selectorFromLabels, validateLabels } from '../../../api/labels.ts';
import { replicationControllers } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { ReplicationController } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { validateReplicaStatus } from '../apps/replica-set.ts';
import {
  ageColumn,
  containerColumns,
  formatLabels,
  integerColumn,
  nameColumn,
  textColumn,
  wide,
} from '../columns.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';
import { validateCount, validateRunningTemplate } from '../workload.ts';

function defaultReplicationController(object: ReplicationController): void {
  const { spec, metadata } = object;
  if (spec === undefined) return;
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  }
  defaultPodTemplate(spec.template);
}

function validateReplicationController({ spec }: ReplicationController): FieldError[] {
  if (spec === undefined) return [];
  const errors = [
    ...validateCount('spec.replicas', spec.replicas),
    ...validateCount('spec.minReadySeconds', spec.minReadySeconds),
    ...validateLabels(spec.selector, 'spec.selector'),
  ];
  if (Object.keys(spec.selector ?? {}).length === 0) errors.push(required('spec.selector'));
  if (spec.template === undefined) return [...errors, required('spec.template')];
  const labels = spec.template.metadata?.labels ?? {};
  if (!selectorFromLabels(spec.selector).matches(labels)) {
    errors.push(
      invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    );
  }
  return [...errors, ...validateRunningTemplate(spec.template)];
}

export const replicationController: ResourceDefinition<ReplicationController> = {
  resource: replicationControllers,
  singular: 'replicationcontroller',
  shortNames: ['rc'],
  categories: ['all'],
  columns: [
    nameColumn,
    integerColumn('Desired', 'Pods wanted.', ({ spec }: ReplicationController) => spec?.replicas),
    integerColumn('Current', 'Pods there are.', ({ status }: ReplicationController) => status?.replicas),
    integerColumn(
      'Ready',
      'Pods that are ready.',
      ({ status }: ReplicationController) => status?.readyReplicas,
    ),
    ageColumn,
    ...containerColumns(({ spec }: ReplicationController) => spec?.template?.spec?.containers),
    wide(
      textColumn('Selector', 'Labels of its pods.', ({ spec }: ReplicationController) =>
        formatLabels(spec?.selector),
      ),
    ),
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
  strategy: {
    dependents: 'orphan',
    default: defaultReplicationController,
    prepareCreate: (object) => {
      object.status = { replicas: 0 };
    },
    validate: validateReplicationController,
  },
  subresources: [
    { name: 'status', validateUpdate: validateReplicaStatus },
    {
      name: 'scale',
      get: ({ spec, status }) => ({
        spec: spec?.replicas ?? 0,
        status: status?.replicas ?? 0,
        selector: selectorFromLabels(spec?.selector).toString(),
      }),
      set: (object, replicas) => {
        object.spec = { ...object.spec, replicas };
      },
    },
  ],
};
