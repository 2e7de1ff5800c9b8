import { isObject } from '../../json-value.ts';
import { definitionSchema, kindSchema } from '../../schema/built-in.ts';
import type { ScalarKind, SchemaNode } from '../../schema/node.ts';
import type { JSONSchemaProps } from '../../types.gen.ts';
import { type CelSchema, schemaType } from '../schema-type.ts';
import type { CelType } from '../types.ts';

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The type of the objects of a built-in kind, whose fields are called what they are called in the objects. */
export function builtInType(kind: Kind): CelType | undefined {
  const node = kindSchema(kind);
  return node && schemaType(nodeSchema(node, kind.kind), kind.kind)?.type;
}

/** The type of the objects of a custom kind. */
export function customType(schema: JSONSchemaProps, kind: string): CelType | undefined {
  const metadata = definitionSchema('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  const { properties } = plainSchema(schema as OpenSchema, kind);
  const whole: CelSchema = {
    type: 'object',
    typeName: kind,
    properties: {
      ...properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      ...(metadata ? { metadata: nodeSchema(metadata, `${kind}.metadata`) } : {}),
    },
  };
  return schemaType(whole, kind)?.type;
}

const SCALARS: Readonly<Record<ScalarKind, CelSchema>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer' },
  int64: { type: 'integer' },
  double: { type: 'number' },
  bytes: { type: 'string', format: 'byte' },
  time: { type: 'string', format: 'date-time' },
  microTime: { type: 'string', format: 'date-time' },
  // Text or a number, as the client sent it.
  quantity: { type: 'any' },
  intOrString: { type: 'any' },
  json: { type: 'any' },
};

/** Types hold themselves, so nothing inside is looked at before it is asked for. */
function nodeSchema(node: SchemaNode, typeName: string): CelSchema {
  const { element } = node;
  if (node.shape === 'list' && element)
    return { type: 'array', items: nodeSchema(element, `${typeName}.@items`) };
  if (node.shape === 'map' && element)
    return { type: 'object', additionalProperties: nodeSchema(element, `${typeName}.@values`) };
  if (node.shape !== 'object') return SCALARS[node.scalar ?? 'json'];
  return {
    type: 'object',
    typeName,
    get properties() {
      const all = node.fieldNames.map((name) => [name, node.field(name)] as const);
      return Object.fromEntries(
        all.flatMap(([name, field]) => (field ? [[name, nodeSchema(field, `${typeName}.${name}`)]] : [])),
      );
    },
  };
}

interface OpenSchema extends CelSchema {
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}

/** The same schema with fields under their plain names; what may hold anything is `any`. */
function plainSchema(schema: OpenSchema, typeName: string): CelSchema {
  const inside = (inner: unknown, name: string): CelSchema =>
    plainSchema(inner as OpenSchema, `${typeName}.${name}`);
  const { items, additionalProperties, properties = {} } = schema;
  if (schema.type === 'array' && isObject(items)) return { type: 'array', items: inside(items, '@items') };
  if (schema['x-kubernetes-embedded-resource'] || schema['x-kubernetes-preserve-unknown-fields'])
    return { type: 'any' };
  if (schema.type !== 'object') return schema;
  if (isObject(additionalProperties))
    return { type: 'object', additionalProperties: inside(additionalProperties, '@values') };
  const own = Object.entries(properties).map(([name, property]) => [name, inside(property, name)]);
  return { type: 'object', typeName, properties: Object.fromEntries(own) };
}
