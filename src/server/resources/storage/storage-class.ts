import { forbiddenField, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { labelKeyProblems } from '../../../api/names.ts';
import { storageClasses } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { StorageClass } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { problemsOf } from '../field-checks.ts';

/** The field's name now, and before the API was stable. */
const DEFAULT_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

export const isDefaultStorageClass = ({ metadata }: StorageClass): boolean =>
  DEFAULT_ANNOTATIONS.some((key) => metadata.annotations?.[key] === 'true');

const MAX_PARAMETERS = 512;

function validateClass({
  provisioner,
  parameters = {},
  reclaimPolicy,
  volumeBindingMode,
}: StorageClass): FieldError[] {
  const errors = provisioner
    ? problemsOf('provisioner', provisioner.toLowerCase(), labelKeyProblems)
    : [required('provisioner')];
  if (Object.keys(parameters).length > MAX_PARAMETERS) {
    errors.push({
      field: 'parameters',
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${MAX_PARAMETERS} bytes`,
    });
  }
  for (const key of Object.keys(parameters)) {
    if (key === '') errors.push(invalidValue('parameters', key, "field can't be empty"));
  }
  if (reclaimPolicy && !['Delete', 'Retain'].includes(reclaimPolicy)) {
    errors.push(notSupported('reclaimPolicy', reclaimPolicy, ['Delete', 'Retain']));
  }
  if (!volumeBindingMode) errors.push(required('volumeBindingMode'));
  return errors;
}

function validateClassUpdate(object: StorageClass, old: StorageClass): FieldError[] {
  const errors: FieldError[] = [];
  if (!equalJson(object.parameters ?? {}, old.parameters ?? {})) {
    errors.push(forbiddenField('parameters', 'updates to parameters are forbidden.'));
  }
  if (object.provisioner !== old.provisioner) {
    errors.push(forbiddenField('provisioner', 'updates to provisioner are forbidden.'));
  }
  if (object.reclaimPolicy !== old.reclaimPolicy) {
    errors.push(forbiddenField('reclaimPolicy', 'updates to reclaimPolicy are forbidden.'));
  }
  if (object.volumeBindingMode !== old.volumeBindingMode) {
    errors.push(invalidValue('volumeBindingMode', object.volumeBindingMode, 'field is immutable'));
  }
  return errors;
}

export const storageClass: ResourceDefinition<StorageClass> = {
  resource: storageClasses,
  singular: 'storageclass',
  shortNames: ['sc'],
  returnsDeleted: true,
  columns: [
    {
      ...nameColumn,
      cell: (object) =>
        `${object.metadata.name ?? ''}${isDefaultStorageClass(object as StorageClass) ? ' (default)' : ''}`,
    },
    textColumn('Provisioner', 'What makes the volumes.', ({ provisioner }: StorageClass) => provisioner),
    textColumn(
      'ReclaimPolicy',
      'What happens to released volumes.',
      ({ reclaimPolicy }: StorageClass) => reclaimPolicy ?? 'Delete',
    ),
    textColumn(
      'VolumeBindingMode',
      'When volumes are made.',
      ({ volumeBindingMode }: StorageClass) => volumeBindingMode ?? 'Immediate',
    ),
    {
      name: 'AllowVolumeExpansion',
      type: 'boolean',
      description: 'Whether claims may grow.',
      cell: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    },
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    default: (object) => {
      object.reclaimPolicy ??= 'Delete';
      object.volumeBindingMode ??= 'Immediate';
    },
    validate: validateClass,
    validateUpdate: validateClassUpdate,
  },
};
