import { forbiddenField, IMMUTABLE, invalidValue, required, tooLong } from '../../api/field-errors.ts';
import { validateLabels } from '../../api/labels.ts';
import { dns1123LabelProblems, labelKeyProblems, maskTrailingDash } from '../../api/names.ts';
import type { FieldError } from '../../api/status.ts';
import type { ObjectMeta, OwnerReference } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';

type NameRule = (name: string) => readonly string[];

/** Everything upstream checks of the metadata of a new object (apimachinery/pkg/api/validation/objectmeta.go). */
export function validateMetadata(metadata: ObjectMeta, namespaced: boolean, rule: NameRule): FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.generateName) {
    for (const text of rule(maskTrailingDash(metadata.generateName)))
      errors.push(invalidValue('metadata.generateName', metadata.generateName, text));
  }
  if (!metadata.name) errors.push(required('metadata.name', 'name or generateName is required'));
  else
    for (const text of rule(metadata.name)) errors.push(invalidValue('metadata.name', metadata.name, text));
  if (namespaced) {
    if (!metadata.namespace) errors.push(required('metadata.namespace'));
    else
      for (const text of dns1123LabelProblems(metadata.namespace))
        errors.push(invalidValue('metadata.namespace', metadata.namespace, text));
  } else if (metadata.namespace) {
    errors.push(forbiddenField('metadata.namespace', 'not allowed on this type'));
  }
  for (const error of validateCommon(metadata)) errors.push(error);
  return errors;
}

/** What an update may not do to metadata. System fields were carried over before. */
export function validateMetadataUpdate(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  if (old.deletionTimestamp) {
    const added = (metadata.finalizers ?? []).filter((one) => !old.finalizers?.includes(one)).sort();
    if (added.length > 0) {
      const shown = `[]string{${[...new Set(added)].map((one) => JSON.stringify(one)).join(', ')}}`;
      const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`;
      errors.push(forbiddenField('metadata.finalizers', why));
    }
  }
  for (const field of [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const) {
    if (metadata[field] !== old[field] && (metadata[field] || old[field]))
      errors.push(invalidValue(`metadata.${field}`, metadata[field], IMMUTABLE));
  }
  for (const error of validateCommon(metadata)) errors.push(error);
  return errors;
}

const NONE: readonly FieldError[] = [];

function validateCommon({
  labels,
  annotations,
  ownerReferences,
  finalizers,
}: ObjectMeta): readonly FieldError[] {
  if (!labels && !annotations && !ownerReferences && !finalizers) return NONE;
  return [
    ...validateLabels(labels, 'metadata.labels'),
    ...validateAnnotations(annotations ?? {}),
    ...validateOwners(ownerReferences ?? []),
    ...validateFinalizers(finalizers ?? []),
  ];
}

export function validateAnnotations(annotations: Readonly<Record<string, string>>): FieldError[] {
  const errors: FieldError[] = [];
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    for (const text of labelKeyProblems(key.toLowerCase()))
      errors.push(invalidValue('metadata.annotations', key, text));
  }
  if (sizeBytes > LIMITS.object.annotationsBytes)
    errors.push(tooLong('metadata.annotations', LIMITS.object.annotationsBytes));
  return errors;
}

function validateOwners(owners: readonly OwnerReference[]): FieldError[] {
  const path = 'metadata.ownerReferences';
  const errors: FieldError[] = [];
  let controller: OwnerReference | undefined;
  owners.forEach((owner, index) => {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!owner[field]) errors.push(required(`${path}[${index}].${field}`, 'must not be empty'));
    if (owner.apiVersion && owner.apiVersion.split('/').length > 2)
      errors.push(
        invalidValue(
          `${path}[${index}].apiVersion`,
          owner.apiVersion,
          'must be <group>/<version> or <version>',
        ),
      );
    if (owner.apiVersion === 'v1' && owner.kind === 'Event')
      errors.push(
        invalidValue(`${path}[${index}]`, owner, '/v1, Kind=Event is disallowed from being an owner'),
      );
    if (owner.controller !== true) return;
    if (controller === undefined) controller = owner;
    else {
      const why = `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${owner.kind}/${owner.name}`;
      errors.push(invalidValue(path, owners, why));
    }
  });
  return errors;
}

function validateFinalizers(finalizers: readonly string[]): FieldError[] {
  const path = 'metadata.finalizers';
  const errors = finalizers.flatMap((one) =>
    labelKeyProblems(one).map((text) => invalidValue(path, one, text)),
  );
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    errors.push(invalidValue(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  return errors;
}

const STANDARD_FINALIZERS: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/**
 * Finalizers without a domain, which built-in kinds do not take. Those in `old` may stay: an older server let them in.
 */
export function validateFinalizerNames({ finalizers }: ObjectMeta, old?: ObjectMeta): readonly FieldError[] {
  if (finalizers === undefined) return NONE;
  return finalizers.flatMap((name, index) =>
    name.includes('/') || STANDARD_FINALIZERS.has(name) || old?.finalizers?.includes(name)
      ? []
      : [
          invalidValue(
            `metadata.finalizers[${index}]`,
            name,
            'name is neither a standard finalizer name nor is it fully qualified',
          ),
        ],
  );
}
