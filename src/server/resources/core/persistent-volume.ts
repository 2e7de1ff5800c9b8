import { forbiddenField, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import { parseQuantity } from '../../../api/quantity.ts';
import { persistentVolumes } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { PersistentVolume, PersistentVolumeSpec } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn, wide } from '../columns.ts';
import { problemsOf } from '../field-checks.ts';
import { noParentSteps } from '../pod-template/validate-mounts.ts';
import { validateNodeSelector } from '../pod-template/validate-scheduling.ts';
import { accessModesText } from './access-modes.ts';
import { CLASS_ANNOTATION } from './persistent-volume-claim.ts';

/** Everything in the spec that is not a source of storage. */
const PLAIN_FIELDS: ReadonlySet<string> = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);

const sourcesOf = (spec: PersistentVolumeSpec): string[] =>
  Object.entries(spec)
    .filter(([field, value]) => !PLAIN_FIELDS.has(field) && value !== undefined)
    .map(([field]) => field);

function validateVolume({ spec }: PersistentVolume): FieldError[] {
  if (spec === undefined) return [required('spec.accessModes')];
  const errors: FieldError[] = [];
  if (!spec.accessModes?.length) errors.push(required('spec.accessModes'));
  else if (spec.accessModes.includes('ReadWriteOncePod') && spec.accessModes.length > 1) {
    errors.push(forbiddenField('spec.accessModes', 'may not use ReadWriteOncePod with other access modes'));
  }
  const size = spec.capacity?.storage;
  if (Object.keys(spec.capacity ?? {}).length === 0) errors.push(required('spec.capacity'));
  else if (size === undefined || Object.keys(spec.capacity ?? {}).length > 1) {
    errors.push({
      field: 'spec.capacity',
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${JSON.stringify(spec.capacity)}: supported values: "storage"`,
    });
  } else if (parseQuantity(size).nano <= 0n) {
    errors.push(invalidValue('spec.capacity[storage]', size, 'must be greater than zero'));
  }
  return [...errors, ...validateSource(spec), ...validatePlacement(spec)];
}

function validateSource(spec: PersistentVolumeSpec): FieldError[] {
  const [first, ...others] = sourcesOf(spec);
  if (first === undefined) return [required('spec', 'must specify a volume type')];
  const errors = others.map((name) =>
    forbiddenField(`spec.${name}`, 'may not specify more than 1 volume type'),
  );
  const { hostPath, local, nfs } = spec;
  if (hostPath) {
    errors.push(
      ...(hostPath.path
        ? noParentSteps(hostPath.path, 'spec.hostPath.path')
        : [required('spec.hostPath.path')]),
    );
    if (hostPath.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle') {
      errors.push(
        forbiddenField(
          'spec.persistentVolumeReclaimPolicy',
          "may not be 'recycle' for a hostPath mount of '/'",
        ),
      );
    }
  }
  if (local) {
    errors.push(
      ...(local.path ? noParentSteps(local.path, 'spec.local.path') : [required('spec.local.path')]),
    );
  }
  if (nfs) {
    if (!nfs.server) errors.push(required('spec.nfs.server'));
    if (!nfs.path?.startsWith('/'))
      errors.push(invalidValue('spec.nfs.path', nfs.path, 'must be an absolute path'));
  }
  return errors;
}

function validatePlacement(spec: PersistentVolumeSpec): FieldError[] {
  const errors: FieldError[] = [];
  const needed = spec.nodeAffinity?.required;
  if (spec.nodeAffinity && !needed)
    errors.push(required('spec.nodeAffinity.required', 'must specify required node constraints'));
  if (needed) errors.push(...validateNodeSelector(needed, 'spec.nodeAffinity.required'));
  if (spec.local && !needed)
    errors.push(required('spec.nodeAffinity', 'Local volume requires node affinity'));
  if (spec.storageClassName) {
    errors.push(...problemsOf('spec.storageClassName', spec.storageClassName, dns1123SubdomainProblems));
  }
  return errors;
}

function validateVolumeUpdate({ spec }: PersistentVolume, old: PersistentVolume): FieldError[] {
  const source = (one: PersistentVolumeSpec | undefined): object =>
    Object.fromEntries(Object.entries(one ?? {}).filter(([field]) => !PLAIN_FIELDS.has(field)));
  const errors: FieldError[] = [];
  if (!equalJson(source(spec), source(old.spec))) {
    errors.push(
      forbiddenField(
        'spec.persistentvolumesource',
        'spec.persistentvolumesource is immutable after creation',
      ),
    );
  }
  if (spec?.volumeMode !== old.spec?.volumeMode) {
    errors.push(invalidValue('spec.volumeMode', spec?.volumeMode, 'field is immutable'));
  }
  return errors;
}

export const persistentVolume: ResourceDefinition<PersistentVolume> = {
  resource: persistentVolumes,
  singular: 'persistentvolume',
  shortNames: ['pv'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Capacity', 'Size.', ({ spec }: PersistentVolume) => spec?.capacity?.storage ?? '0'),
    textColumn('Access Modes', 'How it may be mounted.', ({ spec }: PersistentVolume) =>
      accessModesText(spec?.accessModes),
    ),
    textColumn(
      'Reclaim Policy',
      'What happens when it is released.',
      ({ spec }: PersistentVolume) => spec?.persistentVolumeReclaimPolicy,
    ),
    textColumn('Status', 'Whether it is bound.', ({ metadata, status }: PersistentVolume) =>
      metadata.deletionTimestamp ? 'Terminating' : status?.phase,
    ),
    textColumn('Claim', 'Claim that it is bound to.', ({ spec }: PersistentVolume) =>
      spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '',
    ),
    textColumn(
      'StorageClass',
      'StorageClass of the volume.',
      ({ metadata, spec }: PersistentVolume) =>
        metadata.annotations?.[CLASS_ANNOTATION] ?? spec?.storageClassName,
    ),
    textColumn(
      'VolumeAttributesClass',
      "Class of the volume's attributes.",
      ({ spec }: PersistentVolume) => spec?.volumeAttributesClassName ?? '<unset>',
    ),
    textColumn('Reason', 'Why it is in this state.', ({ status }: PersistentVolume) => status?.reason),
    ageColumn,
    wide(
      textColumn(
        'VolumeMode',
        'File system or raw device.',
        ({ spec }: PersistentVolume) => spec?.volumeMode ?? '<unset>',
      ),
    ),
  ],
  strategy: {
    hasGeneration: false,
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.persistentVolumeReclaimPolicy ||= 'Retain';
      spec.volumeMode ||= 'Filesystem';
      if (spec.hostPath) spec.hostPath.type ??= '';
    },
    prepareCreate: (object, { now }) => {
      object.status = { phase: 'Pending', lastPhaseTransitionTime: now() };
    },
    validate: validateVolume,
    validateUpdate: validateVolumeUpdate,
  },
  subresources: [
    {
      name: 'status',
      validateUpdate: (object) => (object.metadata.resourceVersion ? [] : [required('resourceVersion')]),
    },
  ],
};
