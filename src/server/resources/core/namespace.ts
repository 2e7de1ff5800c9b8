import { invalidValue } from '../../../api/field-errors.ts';
import { dns1123LabelProblems, labelKeyProblems } from '../../../api/names.ts';
import { namespaces } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Namespace } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';

const NAME_LABEL = 'kubernetes.io/metadata.name';

function labelWithName(namespace: Namespace): void {
  const { name } = namespace.metadata;
  if (name) namespace.metadata.labels = { ...namespace.metadata.labels, [NAME_LABEL]: name };
}

function prepareCreate(namespace: Namespace): void {
  namespace.status = { phase: 'Active' };
  const finalizers = namespace.spec?.finalizers ?? [];
  namespace.spec = {
    ...namespace.spec,
    finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'],
  };
  labelWithName(namespace);
}

/** Finalizers of the spec are qualified names; `kubernetes` is the only one without a domain. */
function validateFinalizers(namespace: Namespace): FieldError[] {
  const field = 'spec.finalizers';
  return (namespace.spec?.finalizers ?? []).flatMap((name) => {
    const problems = labelKeyProblems(name).map((problem) => invalidValue(field, name, problem));
    if (problems.length > 0 || name.includes('/') || name === 'kubernetes') return problems;
    return [invalidValue(field, name, 'name is neither a standard finalizer name nor is it fully qualified')];
  });
}

function validateStatusUpdate(namespace: Namespace): FieldError[] {
  const phase = namespace.status?.phase;
  if (namespace.metadata.deletionTimestamp === undefined) {
    return phase === 'Active' || phase === undefined
      ? []
      : [invalidValue('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  return phase === 'Terminating'
    ? []
    : [invalidValue('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}

export const namespace: ResourceDefinition<Namespace> = {
  resource: namespaces,
  singular: 'namespace',
  shortNames: ['ns'],
  // Upstream deletes namespaces one by one only: each takes everything inside along.
  verbs: ['create', 'get', 'list', 'watch', 'update', 'patch', 'delete'],
  validateName: dns1123LabelProblems,
  columns: [
    nameColumn,
    textColumn('Status', 'The status of the namespace.', (object: Namespace) => object.status?.phase),
    ageColumn,
  ],
  selectableFields: { 'status.phase': (object) => object.status?.phase ?? '' },
  strategy: {
    hasGeneration: false,
    default: labelWithName,
    prepareCreate,
    prepareUpdate: (object, old) => {
      object.spec = { ...object.spec, finalizers: old.spec?.finalizers ?? [] };
    },
    validate: validateFinalizers,
    prepareDelete: (object) => {
      object.status = { ...object.status, phase: 'Terminating' };
    },
    finalizers: (object) => object.spec?.finalizers ?? [],
  },
  subresources: [
    { name: 'status', validateUpdate: validateStatusUpdate },
    {
      name: 'finalize',
      verbs: ['update'],
      update: (submitted, old) => ({
        ...old,
        metadata: {
          ...old.metadata,
          ...(submitted.metadata.finalizers && { finalizers: submitted.metadata.finalizers }),
        },
        spec: { ...old.spec, finalizers: submitted.spec?.finalizers ?? [] },
      }),
      validateUpdate: validateFinalizers,
    },
  ],
};
