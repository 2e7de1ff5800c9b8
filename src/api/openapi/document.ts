/**
 * OpenAPI documents, written piece by piece: a caller compresses and sends each piece before the next is made, so
 * that megabytes of JSON are never in memory at once.
 */
import { createHash } from 'node:crypto';
import type { DiscoveredResource } from '../discovery/resource.ts';
import { apiVersionOf } from '../resource.ts';
import { builtInKinds, kindSchema } from '../schema/built-in.ts';
import type { Descriptions } from './descriptions.ts';
import { type PathOptions, resourcePaths } from './paths.ts';
import {
  definitionObject,
  type OpenApiVersion,
  reachableDefinitions,
  type SchemaObject,
} from './schema-object.ts';

export interface DocumentOptions {
  /** For v3 the resources of one group and version, for v2 all of them. */
  readonly resources: readonly DiscoveredResource[];
  readonly descriptions: Descriptions;
  /** `v1.36.3+kedge.0.1.0` */
  readonly serverVersion: string;
  /** OpenAPI v3 schemas of custom resources, by `group/version/Kind`. */
  readonly customSchemas?: ReadonlyMap<string, SchemaObject> | undefined;
}

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const DELETE_OPTIONS = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';
const STATUS = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const LIST_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta';

const keyOf = ({ group, version, kind }: Kind): string => `${group}/${version}/${kind}`;

/** `com.example.v1.Widget`: as upstream names the schemas of custom resources. */
function customName({ group, version, kind }: Kind): string {
  return [...group.split('.').reverse(), version, kind].join('.');
}

/** What one document holds: `[path, item]` and `[name, schema]`, each made when asked for. */
export interface DocumentParts {
  paths(): Iterable<[string, SchemaObject]>;
  schemas(): Iterable<[string, SchemaObject]>;
}

export function documentParts(version: OpenApiVersion, options: DocumentOptions): DocumentParts {
  const { resources, descriptions, customSchemas = new Map<string, SchemaObject>() } = options;
  const customOf = (kind: Kind): string | undefined => {
    if (customSchemas.has(keyOf(kind))) return customName(kind);
    const item = { ...kind, kind: kind.kind.replace(/List$/, '') };
    return customSchemas.has(keyOf(item)) ? `${customName(item)}List` : undefined;
  };
  const pathOptions: PathOptions = {
    version,
    definitionOf: (kind) => kindSchema(kind)?.definition ?? customOf(kind),
  };
  return {
    *paths() {
      for (const resource of resources) yield* resourcePaths(resource, pathOptions);
    },
    *schemas() {
      const kinds = kindsByDefinition(resources);
      for (const name of reachableDefinitions(rootDefinitions(resources))) {
        yield [name, definitionObject(name, { version, descriptions, kinds: kinds.get(name) ?? [] })];
      }
      for (const resource of resources) {
        const schema = customSchemas.get(keyOf(resource));
        if (schema !== undefined) yield* customObjects(resource, schema, version);
      }
    },
  };
}

function rootDefinitions(resources: readonly DiscoveredResource[]): string[] {
  const kinds = resources.flatMap((resource): Kind[] => [
    resource,
    { ...resource, kind: `${resource.kind}List` },
    ...(resource.subresources ?? []).flatMap(({ kind }) => (kind === undefined ? [] : [kind])),
  ]);
  const built = kinds.flatMap((kind) => kindSchema(kind)?.definition ?? []);
  return [...built, DELETE_OPTIONS, STATUS, OBJECT_META, LIST_META];
}

function kindsByDefinition(resources: readonly DiscoveredResource[]): Map<string, Kind[]> {
  const kinds = new Map<string, Kind[]>();
  for (const [group, version, kind, definition] of builtInKinds()) {
    kinds.set(definition, [...(kinds.get(definition) ?? []), { group, version, kind }]);
  }
  // Options of DELETE belong to every group; naming those of this document is enough.
  const versions = new Map(
    resources.map(({ group, version }) => [`${group}/${version}`, { group, version }]),
  );
  versions.delete('/v1');
  const options = kinds.get(DELETE_OPTIONS) ?? [];
  kinds.set(DELETE_OPTIONS, [
    ...options,
    ...[...versions.values()].map((one) => ({ ...one, kind: 'DeleteOptions' })),
  ]);
  return kinds;
}

/** The schema of a custom resource and of its list. Version 2 gets the kind only: it cannot say what v3 schemas say. */
function customObjects(
  resource: DiscoveredResource,
  schema: SchemaObject,
  version: OpenApiVersion,
): [string, SchemaObject][] {
  const { group, version: apiVersion, kind } = resource;
  const name = customName(resource);
  const reference = (definition: string): SchemaObject => ({
    $ref: (version === 'v3' ? '#/components/schemas/' : '#/definitions/') + definition,
  });
  const named = (of: string): SchemaObject => ({
    'x-kubernetes-group-version-kind': [{ group, version: apiVersion, kind: of }],
  });
  const properties = {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    ...(version === 'v3' ? (schema['properties'] as SchemaObject | undefined) : {}),
    metadata: reference(OBJECT_META),
  };
  const item =
    version === 'v3'
      ? { ...schema, type: 'object', properties, ...named(kind) }
      : { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, ...named(kind) };
  const list = {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      items: { type: 'array', items: reference(name) },
      kind: { type: 'string' },
      metadata: reference(LIST_META),
    },
    ...named(`${kind}List`),
  };
  return [
    [name, item],
    [`${name}List`, list],
  ];
}

function* members(entries: Iterable<[string, SchemaObject]>): Iterable<string> {
  let separator = '';
  for (const [name, value] of entries) {
    yield `${separator}${JSON.stringify(name)}:${JSON.stringify(value)}`;
    separator = ',';
  }
}

/** `/openapi/v3/apis/<group>/<version>` as pieces of JSON. */
export function* openApiV3(options: DocumentOptions): Iterable<string> {
  const parts = documentParts('v3', options);
  const info = JSON.stringify({ title: 'Kubernetes', version: options.serverVersion });
  yield `{"openapi":"3.0.0","info":${info},"paths":{`;
  yield* members(parts.paths());
  yield '},"components":{"schemas":{';
  yield* members(parts.schemas());
  yield '}}}';
}

/** `/openapi/v2` as pieces of JSON. */
export function* openApiV2(options: DocumentOptions): Iterable<string> {
  const parts = documentParts('v2', options);
  const info = JSON.stringify({ title: 'Kubernetes', version: options.serverVersion });
  yield `{"swagger":"2.0","info":${info},"paths":{`;
  yield* members(parts.paths());
  yield '},"definitions":{';
  yield* members(parts.schemas());
  yield '}}';
}

/**
 * A name for the state of a document that changes when the document does, cheap enough to compute for the index:
 * clients put it into the URL and keep what they got for good.
 */
export function documentHash({
  resources,
  serverVersion,
  customSchemas,
}: Omit<DocumentOptions, 'descriptions'>): string {
  const hash = createHash('sha256').update(serverVersion).update(JSON.stringify(resources));
  for (const resource of resources) {
    const schema = customSchemas?.get(keyOf(resource));
    if (schema !== undefined) hash.update(JSON.stringify(schema));
  }
  return hash.digest('hex').toUpperCase();
}

/** `/openapi/v3`: where the document of each group and version is. */
export function openApiV3Index(
  documents: readonly { group: string; version: string; hash: string }[],
): object {
  const entries = documents.map(({ group, version, hash }) => {
    const path = `${group === '' ? 'api' : 'apis'}/${apiVersionOf({ group, version })}`;
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
  });
  return { paths: Object.fromEntries(entries) as unknown };
}
