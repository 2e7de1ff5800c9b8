import { customResourceDefinitions } from '../../../api/resources.gen.ts';
import { knownFormat } from '../../../api/structural/formats.ts';
import { type JsonSchema, someSchema } from '../../../api/structural/json-schema.ts';
import type { CustomResourceDefinition } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { nameColumn, textColumn } from '../columns.ts';
import { CLEANUP_FINALIZER, isConditionTrue, schemaOf, storageVersionOf, withCondition } from './crd.ts';
import { validateDefinitionUpdate, validateNewDefinition, validateStatus } from './validate-crd.ts';

function applyDefaults({ spec }: CustomResourceDefinition): void {
  const { names } = spec;
  names.singular ||= names.kind.toLowerCase();
  if (!names.listKind && names.kind) names.listKind = `${names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
}

/** Objects of the version that is stored now may be there from now on. */
function rememberStorageVersion(definition: CustomResourceDefinition, stored: readonly string[]): void {
  const name = storageVersionOf(definition);
  if (name === '' || stored.includes(name)) return;
  definition.status = { ...definition.status, storedVersions: [...stored, name] };
}

/** Formats that nobody checks, and sets that apply and rules cannot handle. */
function suspicions({ spec }: CustomResourceDefinition): string[] {
  const formats: string[] = [];
  const sets = new Set<string>();
  const look = (schema: JsonSchema): boolean => {
    const plain = { format: schema.format, type: schema.type } as JsonSchema;
    if (schema.format && knownFormat(plain) === undefined)
      formats.push(`unrecognized format ${JSON.stringify(schema.format)}`);
    const { items } = schema;
    const type = Array.isArray(items) ? undefined : items?.type;
    if (schema['x-kubernetes-list-type'] === 'set' && (type === 'object' || type === 'array')) {
      const why = 'is not supported by server-side apply or CEL validation rules';
      sets.add(`x-kubernetes-list-type: set for items of type ${JSON.stringify(type)} ${why}`);
    }
    return false;
  };
  for (const version of spec.versions) someSchema(schemaOf(version), look);
  return [...formats, ...[...sets].sort()];
}

function servedVersions({ spec }: CustomResourceDefinition): string {
  return spec.versions
    .filter(({ served }) => served)
    .map(({ name, storage }) => (storage ? `${name}(storage)` : name))
    .sort()
    .join(',');
}

export const customResourceDefinition: ResourceDefinition<CustomResourceDefinition> = {
  resource: customResourceDefinitions,
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  columns: [
    nameColumn,
    textColumn('Scope', 'Cluster/Namespaced', ({ spec }: CustomResourceDefinition) => spec.scope),
    textColumn('Versions', 'Served versions', servedVersions),
    {
      name: 'Created At',
      type: 'date',
      description: 'When the definition was created.',
      cell: ({ metadata }) => metadata.creationTimestamp ?? '',
    },
    { ...textColumn('Group', 'API group', ({ spec }: CustomResourceDefinition) => spec.group), priority: 1 },
    {
      ...textColumn('Kind', 'CustomResource kind', ({ spec }: CustomResourceDefinition) => spec.names.kind),
      priority: 1,
    },
    {
      name: 'ShortNames',
      type: 'string',
      description: 'Short names',
      priority: 1,
      cell: ({ spec }) => (spec.names.shortNames ?? []).join(','),
    },
    {
      name: 'Established',
      type: 'boolean',
      description: 'Established status',
      priority: 1,
      cell: (definition) => isConditionTrue(definition, 'Established'),
    },
  ],
  returnsDeleted: true,
  anyFinalizer: true,
  strategy: {
    default: applyDefaults,
    allowUnconditionalUpdate: false,
    prepareCreate(definition) {
      definition.status = {
        conditions: [],
        acceptedNames: { plural: '', kind: '' },
        storedVersions: [],
      };
      rememberStorageVersion(definition, []);
    },
    prepareUpdate(definition) {
      rememberStorageVersion(definition, definition.status?.storedVersions ?? []);
    },
    validateNew: validateNewDefinition,
    validateUpdate: validateDefinitionUpdate,
    warnings(definition, old) {
      const known = old ? suspicions(old) : [];
      return suspicions(definition).filter((one) => !known.includes(one));
    },
    prepareDelete(definition, { now }) {
      if (definition.metadata.deletionTimestamp) return;
      const finalizers = definition.metadata.finalizers ?? [];
      if (!finalizers.includes(CLEANUP_FINALIZER))
        definition.metadata.finalizers = [...finalizers, CLEANUP_FINALIZER];
      const conditions = withCondition(
        definition.status?.conditions ?? [],
        {
          type: 'Terminating',
          status: 'True',
          reason: 'InstanceDeletionPending',
          message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
        },
        now(),
      );
      definition.status = { ...definition.status, conditions };
    },
  },
  subresources: [{ name: 'status', validateUpdate: validateStatus }],
};
