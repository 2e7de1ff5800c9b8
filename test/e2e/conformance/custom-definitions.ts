import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../../../src/api/types.gen.ts';
import type { KubeObject, ResourceClient } from './resource-client.ts';
import type { SpecContext } from './spec-context.ts';

// biome-ignore lint/suspicious/noExplicitAny: the schema is made up by each spec
export type CustomObject = KubeObject & Record<string, any>;
// biome-ignore lint/suspicious/noExplicitAny: as above
export type Schema = Record<string, any>;

/** Everything is allowed. */
export const ANYTHING: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

export const version = (
  name: string,
  schema: Schema = ANYTHING,
  more: Partial<CustomResourceDefinitionVersion> = {},
): CustomResourceDefinitionVersion => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema as never },
  ...more,
});

export interface DefinitionOptions {
  readonly group?: string;
  readonly scope?: 'Cluster' | 'Namespaced';
  readonly labels?: Record<string, string>;
}

export const definitionsOf = ({ cluster }: SpecContext): ResourceClient<CustomResourceDefinition> =>
  cluster.resource('apiextensions.k8s.io/v1', 'customresourcedefinitions');

/** A definition of a kind that no other spec has. */
export function makeDefinition(
  context: SpecContext,
  versions: CustomResourceDefinitionVersion[],
  { group = 'mygroup.example.com', scope = 'Cluster', labels = {} }: DefinitionOptions = {},
): CustomResourceDefinition {
  const singular = context.unique('foo').replaceAll('-', '');
  return {
    metadata: { name: `${singular}s.${group}`, labels },
    spec: {
      group,
      versions,
      scope,
      names: { plural: `${singular}s`, singular, kind: singular, listKind: `${singular}List` },
    },
  } as CustomResourceDefinition;
}

/** Creates one, which goes with the spec, and waits until it is served. */
export async function establish(
  context: SpecContext,
  definition: CustomResourceDefinition,
): Promise<CustomResourceDefinition> {
  const definitions = definitionsOf(context);
  const created = await definitions.create(definition);
  const name = created.metadata.name ?? '';
  context.defer(async () => await definitions.delete(name));
  return await context.until(`${name} to be established`, async () => {
    const found = await definitions.get(name);
    const isReady = found.status?.conditions?.some(
      ({ type, status }) => type === 'Established' && status === 'True',
    );
    return isReady === true && found;
  });
}

/** Deletes it and waits until it is gone. */
export async function remove(context: SpecContext, { metadata }: CustomResourceDefinition): Promise<void> {
  const definitions = definitionsOf(context);
  const name = metadata.name ?? '';
  await definitions.delete(name);
  await context.until(`${name} to be gone`, async () => (await definitions.find(name)) === undefined);
}

/** The objects of a definition, in the spec's namespace where there is one. */
export function objectsOf(
  context: SpecContext,
  { spec }: CustomResourceDefinition,
  versionName = spec.versions[0]?.name ?? '',
): ResourceClient<CustomObject> {
  const groupVersion = `${spec.group}/${versionName}`;
  const { plural } = spec.names;
  return spec.scope === 'Cluster'
    ? context.cluster.resource<CustomObject>(groupVersion, plural)
    : context.resource<CustomObject>(groupVersion, plural);
}

export const named = ({ spec }: CustomResourceDefinition, name: string): CustomObject => ({
  apiVersion: `${spec.group}/${spec.versions[0]?.name}`,
  kind: spec.names.kind,
  metadata: { name },
});
