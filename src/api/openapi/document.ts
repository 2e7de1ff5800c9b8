/**
 * OpenAPI documents, written piece by piece: a caller compresses and sends each piece before the next is made, so
 * that megabytes of JSON are never in memory at once.
 */
import { createHash } from 'node:crypto';
import { type DiscoveredResource, listKindOf } from '../discovery/resource.ts';
import { apiVersionOf } from '../resource.ts';
import { builtInKinds, kindSchema } from '../schema/built-in.ts';
import type { JsonSchema } from '../structural/json-schema.ts';
import { openApiV2Schema, openApiV3Schema, type ResourceMembers } from '../structural/open-api.ts';
import type { Descriptions } from './descriptions.ts';
import { type PathOptions, resourcePaths } from './paths.ts';
import {
  definitionObject,
  type OpenApiVersion,
  reachableDefinitions,
  referenceTo,
  type SchemaObject,
} from './schema-object.ts';

export interface DocumentOptions {
  /** For v3 the resources of one group and version, for v2 all of them. */
  readonly resources: readonly DiscoveredResource[];
  readonly descriptions: Descriptions;
  /** `v1.36.3+kedge.0.1.0` */
  readonly serverVersion: string;
  /** Schemas of custom resources; read one at a time, since each may be large. */
  readonly customSchema?: ((resource: DiscoveredResource) => JsonSchema | undefined) | undefined;
  /** Of other servers; a schema that is here already stays ours. */
  readonly more?: {
    readonly paths: readonly [string, SchemaObject][];
    readonly schemas: readonly [string, SchemaObject][];
  };
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
  const { resources, descriptions, customSchema } = options;
  const customs = resources.filter(({ custom }) => custom !== undefined);
  const customOf = (kind: Kind): string | undefined =>
    customs.some(
      (one) =>
        one.group === kind.group &&
        one.version === kind.version &&
        (one.kind === kind.kind || listKindOf(one) === kind.kind),
    )
      ? customName(kind)
      : undefined;
  const pathOptions: PathOptions = {
    version,
    definitionOf: (kind) => kindSchema(kind)?.definition ?? customOf(kind),
  };
  return {
    *paths() {
      for (const resource of resources) yield* resourcePaths(resource, pathOptions);
      yield* options.more?.paths ?? [];
    },
    *schemas() {
      const kinds = kindsByDefinition(resources);
      const names = new Set(reachableDefinitions(rootDefinitions(resources)));
      for (const name of names) {
        yield [name, definitionObject(name, { version, descriptions, kinds: kinds.get(name) ?? [] })];
      }
      const members = customMembers(version, descriptions);
      for (const resource of customs)
        yield* customObjects(resource, customSchema?.(resource), version, members);
      for (const [name, schema] of options.more?.schemas ?? []) {
        if (names.has(name)) continue;
        names.add(name);
        yield [name, schema];
      }
    },
  };
}

function rootDefinitions(resources: readonly DiscoveredResource[]): string[] {
  const kinds = resources.flatMap((resource): Kind[] => [
    resource,
    { ...resource, kind: listKindOf(resource) },
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

const CONVENTIONS = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';

/** Members that every object of a custom resource has, described as those of any built-in kind. */
function customMembers(version: OpenApiVersion, descriptions: Descriptions): ResourceMembers {
  const { fields } = descriptions.of('io.k8s.api.core.v1.ConfigMap');
  const described = (schema: SchemaObject, field: string): SchemaObject =>
    fields[field] === undefined ? schema : { description: fields[field], ...schema };
  const metadata = referenceTo(OBJECT_META, version);
  return {
    apiVersion: described({ type: 'string' }, 'apiVersion'),
    kind: described({ type: 'string' }, 'kind'),
    // A reference of version 3 has nothing beside it.
    metadata: {
      description: `Standard object's metadata. More info: ${CONVENTIONS}#metadata`,
      ...(version === 'v3' ? { allOf: [metadata] } : metadata),
    },
  };
}

/** The schema of a custom resource and of its list. */
function customObjects(
  resource: DiscoveredResource,
  schema: JsonSchema | undefined,
  version: OpenApiVersion,
  members: ResourceMembers,
): [string, SchemaObject][] {
  const { group, version: apiVersion, kind, custom } = resource;
  const listKind = listKindOf(resource);
  const named = (of: string): SchemaObject => ({
    'x-kubernetes-group-version-kind': [{ group, version: apiVersion, kind: of }],
    ...(of === kind && custom?.selectableFields?.length
      ? { 'x-kubernetes-selectable-fields': custom.selectableFields.map((fieldPath) => ({ fieldPath })) }
      : {}),
  });
  const shown =
    schema && (version === 'v3' ? openApiV3Schema(schema, members) : openApiV2Schema(schema, members));
  // Without properties everything is allowed; with these alone old clients would think that nothing else is.
  const item = shown
    ? { ...shown, properties: { ...(shown['properties'] as SchemaObject | undefined), ...members } }
    : { type: 'object' };
  const about = `List of ${resource.resource}. More info: ${CONVENTIONS}`;
  const list = {
    description: `${listKind} is a list of ${kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: members.apiVersion,
      items: {
        description: about,
        type: 'array',
        items: referenceTo(customName(resource), version),
      },
      kind: members.kind,
      metadata: referenceTo(LIST_META, version),
    },
    ...named(listKind),
  };
  return [
    [customName(resource), { ...item, ...named(kind) }],
    [customName({ ...resource, kind: listKind }), list],
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
}: Pick<DocumentOptions, 'resources' | 'serverVersion'>): string {
  const hash = createHash('sha256').update(serverVersion).update(JSON.stringify(resources));
  return hash.digest('hex').toUpperCase();
}

/** `/openapi/v3`: where the document of each group and version is. */
export function openApiV3Index(documents: readonly { group: string; version: string; hash: string }[]): {
  readonly paths: Record<string, object>;
} {
  const entries = documents.map(({ group, version, hash }) => {
    const path = `${group === '' ? 'api' : 'apis'}/${apiVersionOf({ group, version })}`;
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
  });
  return { paths: Object.fromEntries(entries) as Record<string, object> };
}
