import { duplicate, IMMUTABLE, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { labelKeyProblems } from '../../../api/names.ts';
import { apiVersionOf } from '../../../api/resource.ts';
import { storageVersionMigrations, storageVersionMigrationsV1beta1 } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Condition, StorageVersionMigration } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { problemsOf } from '../field-checks.ts';

const isTrue = ({ status }: StorageVersionMigration, wanted: string): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === wanted && is === 'True') ?? false;

const STATES = ['False', 'True', 'Unknown'];

function validateConditions(conditions: readonly Condition[], path: string): FieldError[] {
  const seen = new Set<string>();
  return conditions.flatMap(({ type = '', status = '', reason = '', lastTransitionTime }, index) => {
    const at = `${path}[${index}]`;
    const repeated = seen.has(type) ? [duplicate(`${at}.type`, type)] : [];
    seen.add(type);
    return [
      ...repeated,
      ...problemsOf(`${at}.type`, type, labelKeyProblems),
      ...(STATES.includes(status) ? [] : [notSupported(`${at}.status`, status, STATES)]),
      ...(lastTransitionTime ? [] : [required(`${at}.lastTransitionTime`)]),
      ...(reason === '' ? [required(`${at}.reason`)] : []),
    ];
  });
}

/** Upstream's ValidateStorageVersionMigrationStatusUpdate. */
function validateStatus(object: StorageVersionMigration, old: StorageVersionMigration): FieldError[] {
  const { resourceVersion = '', conditions = [] } = object.status ?? {};
  const at = 'status.conditions';
  const errors = validateConditions(conditions, at);
  const before = old.status?.resourceVersion ?? '';
  if (!/^\d*$/.test(resourceVersion))
    errors.push(invalidValue('status.resourceVersion', resourceVersion, 'must be a number'));
  if (before !== '' && before !== resourceVersion)
    errors.push(invalidValue('status.resourceVersion', resourceVersion, 'cannot be updated'));
  const refuse = (why: string): void => void errors.push(invalidValue(at, conditions, why));
  const [succeeded, failed, running] = ['Succeeded', 'Failed', 'Running'].map((type) => isTrue(object, type));
  if (succeeded && failed) refuse('Both success and failed conditions cannot be true at the same time');
  if (succeeded && running) refuse('Running condition cannot be true when success condition is true');
  if (failed && running) refuse('Running condition cannot be true when failed condition is true');
  if (isTrue(old, 'Succeeded') && !succeeded)
    refuse('Success condition cannot be set to false once it is true');
  if (isTrue(old, 'Failed') && !failed) refuse('Failed condition cannot be set to false once it is true');
  return errors;
}

/** Asks for all objects of a resource to be stored in its storage version (KEP-4192). */
export const storageVersionMigration: ResourceDefinition<StorageVersionMigration> = {
  resource: storageVersionMigrations,
  singular: 'storageversionmigration',
  otherVersions: [
    {
      resource: storageVersionMigrationsV1beta1,
      toStorage: (object) => object as StorageVersionMigration,
      fromStorage: (object) => ({ ...object, apiVersion: apiVersionOf(storageVersionMigrationsV1beta1) }),
    },
  ],
  columns: [
    nameColumn,
    textColumn('Resource', 'What is migrated.', ({ spec }: StorageVersionMigration) =>
      [spec?.resource?.resource, spec?.resource?.group].filter(Boolean).join('.'),
    ),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    allowUnconditionalUpdate: false,
    validate: ({ spec }) =>
      spec?.resource?.resource ? [] : [required('spec.resource.resource', 'resource is required')],
    validateUpdate: ({ spec }, old) =>
      equalJson(spec?.resource, old.spec?.resource)
        ? []
        : [invalidValue('spec.resource', spec?.resource, IMMUTABLE)],
  },
  subresources: [{ name: 'status', keeps: 'metadata', validateUpdate: validateStatus }],
};
