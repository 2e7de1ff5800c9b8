import type { KubeObject, Resource } from '../../api/resource.ts';
import { customResourceDefinitions } from '../../api/resources.gen.ts';
import type { JsonSchema } from '../../api/structural/json-schema.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { isConditionTrue } from '../resources/apiextensions/crd.ts';

/** An object of a kind that only exists at run time. */
export interface CustomObject extends KubeObject {
  // biome-ignore lint/suspicious/noExplicitAny: its schema is made up by each test
  [field: string]: any;
}

export const version = (
  name: string,
  schema: JsonSchema,
  more: Partial<CustomResourceDefinitionVersion> = {},
): CustomResourceDefinitionVersion => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema as never },
  ...more,
});

/** `widgets.example.com` unless said otherwise. */
export function definition(
  versions: CustomResourceDefinitionVersion[],
  more: Partial<CustomResourceDefinitionSpec> = {},
): CustomResourceDefinition {
  const spec: CustomResourceDefinitionSpec = {
    group: 'example.com',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wd'], categories: ['all'] },
    scope: 'Namespaced',
    versions,
    ...more,
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${spec.names.plural}.${spec.group}` },
    spec,
  };
}

export const resourceOf = ({ spec }: CustomResourceDefinition, name?: string): Resource<CustomObject> => ({
  group: spec.group,
  version: name ?? spec.versions.find(({ storage }) => storage)?.name ?? '',
  resource: spec.names.plural,
  kind: spec.names.kind,
  namespaced: spec.scope === 'Namespaced',
});

/** Creates a definition and waits until what it describes is served. */
export async function establish(
  client: Client,
  wanted: CustomResourceDefinition,
): Promise<CustomResourceDefinition> {
  const created = await client.create(customResourceDefinitions, wanted);
  return await untilDefinition(client, created, (one) => isConditionTrue(one, 'Established'));
}

/** The first state of a definition from now on that `is`; follows it by a watch. */
export async function untilDefinition(
  client: Client,
  from: CustomResourceDefinition,
  is: (definition: CustomResourceDefinition) => boolean,
): Promise<CustomResourceDefinition> {
  const name = from.metadata.name ?? '';
  const end = new AbortController();
  const now = await client.get(customResourceDefinitions, { name });
  if (is(now)) return now;
  const { resourceVersion = '' } = now.metadata;
  const events = client.watch(customResourceDefinitions, {
    resourceVersion,
    fieldSelector: `metadata.name=${name}`,
    signal: end.signal,
  });
  for await (const event of events) {
    if (event.type === 'BOOKMARK' || !is(event.object)) continue;
    end.abort();
    return event.object;
  }
  throw new Error(`the watch of ${name} ended`);
}

/** Resolves when the definition is gone. */
export async function untilGone(client: Client, name: string): Promise<void> {
  const fieldSelector = `metadata.name=${name}`;
  const { items, metadata } = await client.list(customResourceDefinitions, { fieldSelector });
  if (items.length === 0) return;
  const end = new AbortController();
  const { resourceVersion = '' } = metadata;
  const options = { resourceVersion, fieldSelector, signal: end.signal };
  for await (const event of client.watch(customResourceDefinitions, options)) {
    if (event.type !== 'DELETED') continue;
    end.abort();
    return;
  }
}

export const widget = (name: string, more: Record<string, unknown> = {}): CustomObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'default' },
  ...more,
});

export const object = (properties: Record<string, JsonSchema>, more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...more,
});
