/** The routes of a resource as OpenAPI path items: enough for clients to learn kinds, verbs and query parameters. */
import { type DiscoveredResource, type DiscoveredSubresource, listKindOf } from '../discovery/resource.ts';
import { apiVersionOf } from '../resource.ts';
import { type OpenApiVersion, referenceTo, type SchemaObject } from './schema-object.ts';

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface PathOptions {
  readonly version: OpenApiVersion;
  /** Definition of a kind, where it has one in this document. */
  readonly definitionOf: (kind: Kind) => string | undefined;
}

const QUERY: Readonly<Record<string, readonly string[]>> = {
  get: [],
  list: [
    'allowWatchBookmarks:boolean',
    'continue',
    'fieldSelector',
    'labelSelector',
    'limit:integer',
    'resourceVersion',
    'resourceVersionMatch',
    'sendInitialEvents:boolean',
    'timeoutSeconds:integer',
    'watch:boolean',
  ],
  post: ['dryRun', 'fieldManager', 'fieldValidation'],
  put: ['dryRun', 'fieldManager', 'fieldValidation'],
  patch: ['dryRun', 'fieldManager', 'fieldValidation', 'force:boolean'],
  delete: ['dryRun', 'gracePeriodSeconds:integer', 'orphanDependents:boolean', 'propagationPolicy'],
  deletecollection: [
    'continue',
    'dryRun',
    'fieldSelector',
    'gracePeriodSeconds:integer',
    'labelSelector',
    'limit:integer',
    'orphanDependents:boolean',
    'propagationPolicy',
    'resourceVersion',
    'resourceVersionMatch',
    'timeoutSeconds:integer',
  ],
};
const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];
const BODY_TYPES = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

interface Action {
  readonly method: Method;
  /** As in `x-kubernetes-action`; also the key of its query parameters. */
  readonly name: string;
  readonly kind: Kind;
  readonly id: string;
  readonly isWrite: boolean;
  readonly resource: DiscoveredResource;
}

/** All path items of one resource, `[path, item]`. */
export function resourcePaths(resource: DiscoveredResource, options: PathOptions): [string, SchemaObject][] {
  const root = `${resource.group === '' ? '/api' : '/apis'}/${apiVersionOf(resource)}`;
  const base = resource.namespaced ? `${root}/namespaces/{namespace}` : root;
  const collection = `${base}/${resource.resource}`;
  const { verbs } = resource;
  const has = (verb: string): boolean => verbs.includes(verb);
  const scope = resource.namespaced ? ['namespace'] : [];
  const own = (method: Method, name: string, prefix: string): Action => ({
    method,
    name,
    kind: resource,
    id: `${prefix}${operationSuffix(resource)}`,
    isWrite: method !== 'get',
    resource,
  });
  const paths: [string, SchemaObject][] = [];
  const add = (path: string, parameters: readonly string[], actions: readonly Action[]): void => {
    if (actions.length > 0) paths.push([path, pathItem(parameters, actions, options)]);
  };
  if (resource.namespaced && has('list')) {
    add(`${root}/${resource.resource}`, [], [own('get', 'list', 'listAll')]);
  }
  add(collection, scope, [
    ...(has('list') ? [own('get', 'list', 'list')] : []),
    ...(has('create') ? [own('post', 'post', 'create')] : []),
    ...(has('deletecollection') ? [own('delete', 'deletecollection', 'deleteCollection')] : []),
  ]);
  add(
    `${collection}/{name}`,
    [...scope, 'name'],
    [
      ...(has('get') ? [own('get', 'get', 'read')] : []),
      ...(has('update') ? [own('put', 'put', 'replace')] : []),
      ...(has('patch') ? [own('patch', 'patch', 'patch')] : []),
      ...(has('delete') ? [own('delete', 'delete', 'delete')] : []),
    ],
  );
  for (const subresource of resource.subresources ?? []) {
    add(
      `${collection}/{name}/${subresource.name}`,
      [...scope, 'name'],
      subresourceActions(resource, subresource),
    );
  }
  return paths;
}

const capitalized = (text: string): string => (text[0] ?? '').toUpperCase() + text.slice(1);

function operationSuffix({ group, version, kind, namespaced }: DiscoveredResource): string {
  const name = group === '' ? 'core' : (group.split('.')[0] ?? '');
  return `${capitalized(name)}${capitalized(version)}${namespaced ? 'Namespaced' : ''}${kind}`;
}

function subresourceActions(resource: DiscoveredResource, subresource: DiscoveredSubresource): Action[] {
  const kind = subresource.kind ?? resource;
  const methods: readonly [verb: string, method: Method, prefix: string][] = [
    ['get', 'get', 'read'],
    ['create', 'post', 'create'],
    ['update', 'put', 'replace'],
    ['patch', 'patch', 'patch'],
  ];
  return methods
    .filter(([verb]) => subresource.verbs.includes(verb))
    .map(([, method, prefix]) => ({
      method,
      name: method,
      kind,
      id: `${prefix}${operationSuffix(resource)}${capitalized(subresource.name)}`,
      isWrite: method !== 'get',
      resource,
    }));
}

function pathItem(
  parameters: readonly string[],
  actions: readonly Action[],
  options: PathOptions,
): SchemaObject {
  return {
    ...Object.fromEntries(actions.map((action) => [action.method, operation(action, options)])),
    ...(parameters.length === 0
      ? {}
      : { parameters: parameters.map((name) => parameter(name, 'path', options.version)) }),
  };
}

function parameter(spec: string, place: 'path' | 'query', version: OpenApiVersion): SchemaObject {
  const [name, type = 'string'] = spec.split(':');
  return {
    name,
    in: place,
    ...(place === 'path' ? { required: true } : {}),
    ...(version === 'v3' ? { schema: { type, uniqueItems: true } } : { type, uniqueItems: true }),
  };
}

function operation(action: Action, { version, definitionOf }: PathOptions): SchemaObject {
  const { group, version: apiVersion, kind } = action.kind;
  const isCustom = action.resource.custom !== undefined;
  const listKind = isCustom ? listKindOf(action.resource) : `${kind}List`;
  const answered = action.name === 'list' ? { ...action.kind, kind: listKind } : action.kind;
  const definition = definitionOf(answered);
  const answer = definition === undefined ? { type: 'string' } : referenceTo(definition, version);
  const query = (QUERY[action.name] ?? []).map((spec) => parameter(spec, 'query', version));
  const common = {
    operationId: action.id,
    'x-kubernetes-action': action.name,
    'x-kubernetes-group-version-kind': { group, version: apiVersion, kind },
  };
  const bodies = isCustom ? BODY_TYPES.filter((type) => !type.endsWith('protobuf')) : BODY_TYPES;
  const patches = isCustom ? PATCH_TYPES.filter((type) => !type.includes('strategic')) : PATCH_TYPES;
  const consumes = action.method === 'patch' ? patches : bodies;
  if (version === 'v2') {
    const body = { name: 'body', in: 'body', schema: answer };
    return {
      ...common,
      consumes: action.isWrite ? consumes : ['*/*'],
      produces: bodies,
      parameters: action.isWrite ? [body, ...query] : query,
      responses: { '200': { description: 'OK', schema: answer }, '401': { description: 'Unauthorized' } },
    };
  }
  const content = (types: readonly string[]): SchemaObject =>
    Object.fromEntries(types.map((type) => [type, { schema: answer }]));
  return {
    ...common,
    parameters: query,
    ...(action.isWrite ? { requestBody: { content: content(consumes) } } : {}),
    responses: {
      '200': { description: 'OK', content: content(bodies) },
      '401': { description: 'Unauthorized' },
    },
  };
}
