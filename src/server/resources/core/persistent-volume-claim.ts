import { forbiddenField, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { validateLabelSelector } from '../../../api/labels.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import { compareQuantities, parseQuantity } from '../../../api/quantity.ts';
import { persistentVolumeClaims } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn, wide } from '../columns.ts';
import { problemsOf } from '../field-checks.ts';
import { accessModesText } from './access-modes.ts';

/** Before there was a field for the class. */
export const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

export function defaultClaim({ spec }: Pick<PersistentVolumeClaim, 'spec'>): void {
  if (spec === undefined) return;
  spec.volumeMode ||= 'Filesystem';
  // `dataSource` and `dataSourceRef` say the same thing where both can.
  const { dataSource, dataSourceRef } = spec;
  if (dataSource && !dataSourceRef) spec.dataSourceRef = { ...dataSource };
  else if (dataSourceRef && !dataSource && !dataSourceRef.namespace && isLocalSource(dataSourceRef)) {
    spec.dataSource = { ...dataSourceRef };
  }
}

const isLocalSource = ({ apiGroup = '', kind }: { apiGroup?: string; kind: string }): boolean =>
  (apiGroup === '' && kind === 'PersistentVolumeClaim') ||
  (apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot');

function validateSize(spec: PersistentVolumeClaimSpec): FieldError[] {
  const size = spec.resources?.requests?.storage;
  if (size === undefined) return [required('spec.resources[storage]')];
  return parseQuantity(size).nano > 0n
    ? []
    : [invalidValue('spec.resources[storage]', size, 'must be greater than zero')];
}

function validateModes(modes: readonly string[] | undefined): FieldError[] {
  if (!modes?.length) return [required('spec.accessModes', 'at least 1 access mode is required')];
  return modes.includes('ReadWriteOncePod') && modes.length > 1
    ? [forbiddenField('spec.accessModes', 'may not use ReadWriteOncePod with other access modes')]
    : [];
}

function validateClaim({ spec }: PersistentVolumeClaim): FieldError[] {
  if (spec === undefined) return [required('spec.accessModes', 'at least 1 access mode is required')];
  const { storageClassName, selector } = spec;
  return [
    ...validateModes(spec.accessModes),
    ...validateLabelSelector(selector, 'spec.selector'),
    ...validateSize(spec),
    ...(storageClassName
      ? problemsOf('spec.storageClassName', storageClassName, dns1123SubdomainProblems)
      : []),
  ];
}

/** A claim is settled once made: it may be bound, grow, and change its attributes class. */
function validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const spec = claim.spec as PersistentVolumeClaimSpec;
  const before = old.spec as PersistentVolumeClaimSpec;
  const [size, oldSize] = [spec.resources?.requests?.storage, before.resources?.requests?.storage];
  const errors: FieldError[] = [];
  const rest: PersistentVolumeClaimSpec = { ...spec };
  if (!before.volumeName) {
    if (before.volumeName === undefined) delete rest.volumeName;
    else rest.volumeName = before.volumeName;
  }
  // A claim made before there was a default class may still take one.
  if (before.storageClassName === undefined && before.volumeName === undefined) delete rest.storageClassName;
  if (old.status?.phase === 'Bound' && before.resources) rest.resources = before.resources;
  rest.volumeAttributesClassName = before.volumeAttributesClassName as string;
  if (rest.volumeAttributesClassName === undefined) delete rest.volumeAttributesClassName;
  if (!equalJson(rest, before)) {
    const why =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    errors.push(forbiddenField('spec', why));
  }
  if (size !== undefined && oldSize !== undefined && compareQuantities(size, oldSize) < 0) {
    const granted = old.status?.capacity?.storage;
    if (granted === undefined || compareQuantities(size, granted) <= 0) {
      const why = 'field can not be less than status.capacity';
      errors.push(forbiddenField('spec.resources.requests.storage', why));
    }
  }
  return errors;
}

function statusText({ metadata, status }: PersistentVolumeClaim): string {
  return metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '');
}

export const persistentVolumeClaim: ResourceDefinition<PersistentVolumeClaim> = {
  resource: persistentVolumeClaims,
  singular: 'persistentvolumeclaim',
  shortNames: ['pvc'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Status', 'Whether it has a volume.', statusText),
    textColumn(
      'Volume',
      'Volume that it is bound to.',
      ({ spec }: PersistentVolumeClaim) => spec?.volumeName,
    ),
    textColumn('Capacity', 'Size of the volume.', ({ spec, status }: PersistentVolumeClaim) =>
      spec?.volumeName ? (status?.capacity?.storage ?? '0') : '',
    ),
    textColumn('Access Modes', 'How it may be mounted.', ({ spec, status }: PersistentVolumeClaim) =>
      spec?.volumeName ? accessModesText(status?.accessModes) : '',
    ),
    textColumn(
      'StorageClass',
      'StorageClass of the claim.',
      ({ metadata, spec }: PersistentVolumeClaim) =>
        metadata.annotations?.[CLASS_ANNOTATION] ?? spec?.storageClassName,
    ),
    textColumn(
      'VolumeAttributesClass',
      "Class of the volume's attributes.",
      ({ spec }: PersistentVolumeClaim) => spec?.volumeAttributesClassName ?? '<unset>',
    ),
    ageColumn,
    wide(
      textColumn(
        'VolumeMode',
        'File system or raw device.',
        ({ spec }: PersistentVolumeClaim) => spec?.volumeMode ?? '<unset>',
      ),
    ),
  ],
  strategy: {
    hasGeneration: false,
    default: defaultClaim,
    prepareCreate: (object) => {
      object.status = { phase: 'Pending' };
    },
    validate: validateClaim,
    validateUpdate: validateClaimUpdate,
  },
  subresources: [{ name: 'status' }],
};
