/** Types of the built-in kinds, decoded from the generated lines when first met. */
import { DEFINITION_LINES, KIND_INDEX } from './definitions.gen.ts';
import type { ScalarKind, SchemaNode } from './node.ts';

interface Attributes {
  /** list-type, list-map-keys, map-type, patch-merge-key, patch-strategy */
  readonly lt?: 'atomic' | 'set' | 'map';
  readonly lk?: readonly string[];
  readonly mt?: 'atomic' | 'granular';
  readonly mk?: string;
  readonly ps?: readonly string[];
  /** enum values, and whether others are fine */
  readonly e?: readonly string[];
  readonly oe?: 1;
  /** default, and whether it is the same as absence */
  readonly d?: unknown;
  readonly dz?: 1;
  /** a zero value is the same as absence */
  readonly oz?: 1;
  /** absence is the same as a zero value */
  readonly fz?: 1;
}
type FieldRow = readonly [type: string, protobufNumber: number, attributes?: Attributes];
interface Line {
  /** name, type and format of a definition without fields, map-type, required, unions, fields */
  readonly n: string;
  readonly t?: string;
  readonly o?: string;
  readonly m?: 'atomic' | 'granular';
  readonly r?: readonly string[];
  readonly u?: unknown;
  readonly f?: Readonly<Record<string, FieldRow>>;
}

/** A named type of the Kubernetes API, such as `io.k8s.api.core.v1.PodSpec`. */
class Definition {
  readonly name: string;
  /** `v1.PodSpec` */
  readonly typeName: string;
  readonly required: readonly string[];
  readonly mapType: 'atomic' | 'granular' | undefined;
  /** As in OpenAPI: `string`, `object` or nothing for types without fields. */
  readonly type: string | undefined;
  readonly format: string | undefined;
  readonly unions: unknown;
  readonly fieldNames: readonly string[];
  readonly hasFields: boolean;
  readonly #rows: Readonly<Record<string, FieldRow>>;
  readonly #fields = new Map<string, SchemaNode>();

  constructor(line: Line) {
    this.name = line.n;
    this.typeName = line.n.split('.').slice(-2).join('.');
    this.required = line.r ?? [];
    this.mapType = line.m;
    this.type = line.t;
    this.format = line.o;
    this.unions = line.u;
    this.hasFields = line.f !== undefined;
    this.#rows = line.f ?? {};
    this.fieldNames = Object.keys(this.#rows);
  }

  field(name: string): SchemaNode | undefined {
    const known = this.#fields.get(name);
    if (known !== undefined || !Object.hasOwn(this.#rows, name)) return known;
    const row = this.#rows[name];
    if (row === undefined) return undefined;
    const node = nodeOf(row[0], row[1], row[2] ?? NO_ATTRIBUTES);
    this.#fields.set(name, node);
    return node;
  }
}

const NO_ATTRIBUTES: Attributes = {};
const NO_NAMES: readonly string[] = [];
const decoded = new Map<number, Definition>();

function definitionAt(index: number): Definition {
  let definition = decoded.get(index);
  if (definition === undefined) {
    definition = new Definition(JSON.parse(DEFINITION_LINES[index] ?? '{}') as Line);
    decoded.set(index, definition);
  }
  return definition;
}

const SCALAR_DEFINITIONS: Readonly<Record<string, ScalarKind>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'json',
};
const SCALAR_TYPES: Readonly<Record<string, ScalarKind>> = {
  string: 'string',
  boolean: 'boolean',
  'integer:int32': 'int32',
  'integer:int64': 'int64',
  'number:double': 'double',
  'string:byte': 'bytes',
};
const GO_NAMES: Readonly<Record<string, string>> = {
  boolean: 'bool',
  double: 'float64',
  bytes: '[]uint8',
  quantity: 'resource.Quantity',
  time: 'v1.Time',
  microTime: 'v1.MicroTime',
  intOrString: 'intstr.IntOrString',
  json: 'runtime.RawExtension',
};

function nodeOf(type: string, protobufNumber: number, attributes: Attributes): SchemaNode {
  const common: Common = {
    listType: attributes.lt,
    listMapKeys: attributes.lk,
    mergeKey: attributes.mk,
    patchStrategy: attributes.ps,
    mapType: attributes.mt,
    enum: attributes.e,
    isOpenEnum: attributes.oe === 1,
    default: attributes.d,
    isDefaultImplied: attributes.dz === 1,
    omitsZero: attributes.oz === 1,
    isFilled: attributes.fz === 1,
    protobufNumber: protobufNumber === 0 ? undefined : protobufNumber,
  };
  // The values of an enum and the like belong to the innermost type, the merge rules to the list.
  const inner: Attributes =
    attributes.e === undefined ? NO_ATTRIBUTES : { e: attributes.e, ...(attributes.oe && { oe: 1 }) };
  if (type.startsWith('[]')) return collection('list', nodeOf(type.slice(2), 0, inner), common);
  if (type.startsWith('map:')) return collection('map', nodeOf(type.slice(4), 0, inner), common);
  if (type.startsWith('#')) return definitionNode(definitionAt(Number(type.slice(1))), common);
  return scalarNode(SCALAR_TYPES[type] ?? 'json', common);
}

type Common = Pick<
  SchemaNode,
  | 'listType'
  | 'listMapKeys'
  | 'mergeKey'
  | 'patchStrategy'
  | 'mapType'
  | 'enum'
  | 'isOpenEnum'
  | 'default'
  | 'isDefaultImplied'
  | 'omitsZero'
  | 'isFilled'
  | 'protobufNumber'
>;
const noField = (): undefined => undefined;

function collection(shape: 'list' | 'map', element: SchemaNode, common: Common): SchemaNode {
  const typeName = `${shape === 'list' ? '[]' : 'map[string]'}${element.typeName}`;
  const field = shape === 'map' ? (): SchemaNode => element : noField;
  return {
    ...common,
    enum: undefined,
    shape,
    element,
    typeName,
    field,
    fieldNames: NO_NAMES,
    required: NO_NAMES,
  };
}

function scalarNode(scalar: ScalarKind, common: Common): SchemaNode {
  return {
    ...common,
    shape: 'scalar',
    scalar,
    typeName: GO_NAMES[scalar] ?? scalar,
    field: noField,
    fieldNames: NO_NAMES,
    required: NO_NAMES,
  };
}

function definitionNode(definition: Definition, common: Common): SchemaNode {
  const scalar = SCALAR_DEFINITIONS[definition.name];
  if (scalar !== undefined) return { ...scalarNode(scalar, common), definition: definition.name };
  const union = UNIONS[definition.name];
  if (union !== undefined) return unionNode(definition, union, common);
  const isFree = !definition.hasFields && !definition.name.endsWith('.CustomResourceSubresourceStatus');
  return {
    ...common,
    shape: isFree ? 'any' : 'object',
    scalar: isFree ? 'json' : undefined,
    mapType: common.mapType ?? definition.mapType,
    field: (name) => definition.field(name),
    fieldNames: definition.fieldNames,
    required: definition.required,
    typeName: definition.typeName,
    definition: definition.name,
    preservesUnknownFields: isFree,
  };
}

const JSON_SCHEMA = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
/** Types that hold a schema or something else. */
const UNIONS: Readonly<Record<string, string>> = {
  [`${JSON_SCHEMA}OrArray`]: JSON_SCHEMA,
  [`${JSON_SCHEMA}OrBool`]: JSON_SCHEMA,
  [`${JSON_SCHEMA}OrStringArray`]: JSON_SCHEMA,
};

function unionNode(definition: Definition, objects: string, common: Common): SchemaNode {
  return {
    ...scalarNode('json', common),
    shape: 'any',
    definition: definition.name,
    preservesUnknownFields: true,
    // Asked for late: the type holds itself.
    get objects() {
      return definitionSchema(objects);
    },
  };
}

const NO_COMMON: Common = { isOpenEnum: false, isDefaultImplied: false };
const roots = new Map<number, SchemaNode>();

function rootAt(index: number): SchemaNode {
  let node = roots.get(index);
  if (node === undefined) {
    node = definitionNode(definitionAt(index), NO_COMMON);
    roots.set(index, node);
  }
  return node;
}

/** The type of a built-in kind, lists and DeleteOptions included; undefined for a kind that is not built in. */
export function kindSchema(kind: {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}): SchemaNode | undefined {
  const key = `${kind.group}/${kind.version}/${kind.kind}`;
  const index = Object.hasOwn(KIND_INDEX, key) ? KIND_INDEX[key] : undefined;
  if (index !== undefined) return rootAt(index);
  // Options of verbs belong to every group.
  return kind.group !== '' && (kind.kind === 'DeleteOptions' || kind.kind === 'WatchEvent')
    ? kindSchema({ group: '', version: 'v1', kind: kind.kind })
    : undefined;
}

/** The type of a named definition, such as `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`. */
export function definitionSchema(name: string): SchemaNode | undefined {
  const index = indexOfDefinition(name);
  return index === undefined ? undefined : rootAt(index);
}

/** A definition with what OpenAPI documents need beyond {@link SchemaNode}. */
export function definitionByName(name: string): Definition | undefined {
  const index = indexOfDefinition(name);
  return index === undefined ? undefined : definitionAt(index);
}

/** Names of all built-in kinds as `[group, version, kind, definition name]`. */
export function builtInKinds(): readonly (readonly [string, string, string, string])[] {
  return Object.entries(KIND_INDEX).map(([key, index]) => {
    const [group = '', version = '', kind = ''] = key.split('/');
    return [group, version, kind, nameAt(index)] as const;
  });
}

/** Reads the name without decoding the line. */
function nameAt(index: number): string {
  const line = DEFINITION_LINES[index] ?? '';
  return line.slice('{"n":"'.length, line.indexOf('"', '{"n":"'.length));
}

/** Lines are sorted by name, so that no index needs to be kept. */
function indexOfDefinition(name: string): number | undefined {
  let low = 0;
  let high = DEFINITION_LINES.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = nameAt(middle);
    if (found === name) return middle;
    if (found < name) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
