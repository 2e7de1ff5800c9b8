/** OpenAPI schema objects of the built-in types. */
import { definitionByName } from '../schema/built-in.ts';
import type { SchemaNode } from '../schema/node.ts';
import type { Descriptions } from './descriptions.ts';

/** Versions 2 and 3 of OpenAPI differ in where definitions live and in what may stand beside a `$ref`. */
export type OpenApiVersion = 'v2' | 'v3';

export type SchemaObject = Record<string, unknown>;

const REFERENCE_PREFIX = { v2: '#/definitions/', v3: '#/components/schemas/' } as const;

/** Types whose values have several forms in JSON: v3 lists them, v2 has one. */
const SEVERAL_TYPES: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': ['string', 'number'],
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': ['integer', 'string'],
};

const SCALARS: Readonly<Record<string, SchemaObject>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
};

export const referenceTo = (definition: string, version: OpenApiVersion): SchemaObject => ({
  $ref: REFERENCE_PREFIX[version] + definition,
});

function typeObject(node: SchemaNode, version: OpenApiVersion): SchemaObject {
  if (node.definition !== undefined) return referenceTo(node.definition, version);
  if (node.shape === 'list' && node.element !== undefined) {
    return { type: 'array', items: typeObject(node.element, version) };
  }
  if (node.shape === 'map' && node.element !== undefined) {
    return { type: 'object', additionalProperties: typeObject(node.element, version) };
  }
  return { ...SCALARS[node.scalar ?? 'string'] };
}

function extensions(node: SchemaNode): SchemaObject {
  return {
    ...(node.listMapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': node.listMapKeys }),
    ...(node.listType === undefined ? {} : { 'x-kubernetes-list-type': node.listType }),
    // The type's own map type stands at the definition.
    ...(node.mapType === undefined || node.definition !== undefined
      ? {}
      : { 'x-kubernetes-map-type': node.mapType }),
    ...(node.mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': node.mergeKey }),
    ...(node.patchStrategy === undefined
      ? {}
      : { 'x-kubernetes-patch-strategy': node.patchStrategy.join(',') }),
  };
}

function property(node: SchemaNode, description: string, version: OpenApiVersion): SchemaObject {
  const type = typeObject(node, version);
  const closedEnum = node.enum !== undefined && node.isOpenEnum !== true ? { enum: node.enum } : {};
  const beside = {
    ...(description === '' ? {} : { description }),
    ...(node.default === undefined ? {} : { default: node.default }),
    ...closedEnum,
    ...extensions(node),
  };
  // OpenAPI 3.0 ignores everything beside a $ref.
  const isWrapped = version === 'v3' && '$ref' in type && Object.keys(beside).length > 0;
  return isWrapped ? { allOf: [type], ...beside } : { ...type, ...beside };
}

export interface DefinitionOptions {
  readonly version: OpenApiVersion;
  readonly descriptions: Descriptions;
  /** Kinds this definition is, for `x-kubernetes-group-version-kind`. */
  readonly kinds: readonly { readonly group: string; readonly version: string; readonly kind: string }[];
}

/** The schema object of a named definition. Throws for a name nobody knows. */
export function definitionObject(
  name: string,
  { version, descriptions, kinds }: DefinitionOptions,
): SchemaObject {
  const definition = definitionByName(name);
  if (definition === undefined) throw new Error(`no definition ${name}`);
  const { about, fields } = descriptions.of(name);
  const several = Object.hasOwn(SEVERAL_TYPES, name) ? SEVERAL_TYPES[name] : undefined;
  const object: SchemaObject = about === '' ? {} : { description: about };
  if (several !== undefined && version === 'v3') object['oneOf'] = several.map((type) => ({ type }));
  else if (definition.hasFields || definition.type !== undefined)
    object['type'] = definition.type ?? 'object';
  if (definition.format !== undefined) object['format'] = definition.format;
  if (definition.hasFields) {
    const properties: SchemaObject = {};
    for (const field of definition.fieldNames) {
      const node = definition.field(field);
      if (node === undefined) continue;
      const target = node.definition ?? node.element?.definition;
      const described = fields[field] ?? (target === undefined ? '' : descriptions.of(target).about);
      properties[field] = property(node, described, version);
    }
    object['properties'] = properties;
  }
  if (definition.required.length > 0) object['required'] = definition.required;
  if (kinds.length > 0) object['x-kubernetes-group-version-kind'] = kinds;
  if (definition.mapType !== undefined) object['x-kubernetes-map-type'] = definition.mapType;
  if (definition.unions !== undefined) object['x-kubernetes-unions'] = definition.unions;
  return object;
}

/** Every definition that these name, directly or not, sorted; types are recursive. */
export function reachableDefinitions(roots: readonly string[]): string[] {
  const found = new Set<string>();
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    const definition = definitionByName(name);
    for (const field of definition?.fieldNames ?? []) {
      let node: SchemaNode | undefined = definition?.field(field);
      while (node !== undefined && node.definition === undefined) node = node.element;
      if (node?.definition !== undefined) pending.push(node.definition);
    }
  }
  return [...found].sort();
}
