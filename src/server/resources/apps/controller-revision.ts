import { IMMUTABLE, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { controllerRevisions } from '../../../api/resources.gen.ts';
import type { ControllerRevision } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';
import { nonNegative } from '../field-checks.ts';

/** `statefulset.apps/web`, or `<none>`. */
function controllerOf({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (owner === undefined) return '<none>';
  const [group = ''] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : [''];
  const kind = owner.kind.toLowerCase();
  return `${group === '' ? kind : `${kind}.${group}`}/${owner.name}`;
}

export const controllerRevision: ResourceDefinition<ControllerRevision> = {
  resource: controllerRevisions,
  singular: 'controllerrevision',
  columns: [
    nameColumn,
    textColumn('Controller', 'Owner of the revision.', controllerOf),
    integerColumn('Revision', 'Its number.', ({ revision }: ControllerRevision) => revision),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    validate: ({ revision, data }) => [
      ...nonNegative('revision', revision),
      ...(data === undefined ? [required('data', 'data is mandatory')] : []),
    ],
    validateUpdate: (object, old) =>
      equalJson(object.data, old.data) ? [] : [invalidValue('data', object.data, IMMUTABLE)],
  },
};
