import type { TypeNode } from '../type-node.ts';

/** What a scalar holds on the wire. `json` is anything at all. */
export type ScalarKind =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  /** Base64 in JSON. */
  | 'bytes'
  | 'quantity'
  /** RFC 3339. */
  | 'time'
  | 'microTime'
  | 'intOrString'
  | 'json';

/**
 * One place in a type: what may stand there, how it merges, what it defaults to. Built-in kinds and the
 * structural schemas of custom resources both implement it; decoding, pruning, defaulting, validation, patches
 * and server-side apply work on nothing else. Immutable, and lazy where types recurse.
 */
export interface SchemaNode extends TypeNode {
  field(name: string): SchemaNode | undefined;
  readonly element?: SchemaNode | undefined;
  /** Set for `scalar` and `any` shapes. */
  readonly scalar?: ScalarKind | undefined;
  /** Fields of an `object`, in order of name. */
  readonly fieldNames: readonly string[];
  readonly required: readonly string[];
  readonly enum?: readonly string[] | undefined;
  /** The enum only lists well-known values; others are fine. */
  readonly isOpenEnum?: boolean | undefined;
  /** The default is published but equals absence, so that nothing is filled in. */
  readonly isDefaultImplied?: boolean | undefined;
  /** `false`, `0`, `""`, `[]` and `{}` mean the same as absence, so they are never stored. */
  readonly omitsZero?: boolean | undefined;
  /** Absent, it gets its zero value (`""`, `0`, `false`, `[]`, `{}`), as a field of a Go struct has one. */
  readonly isFilled?: boolean | undefined;
  /** Number of the field in protobuf; undefined where the field is inlined from another message or has none. */
  readonly protobufNumber?: number | undefined;
  /** The type as upstream's decoder names it in errors, such as `v1.PodSpec`, `[]string`, `int32`. */
  readonly typeName: string;
  /** Name of the definition the type comes from, as in OpenAPI; absent for lists, maps and plain scalars. */
  readonly definition?: string | undefined;
  /** Unknown fields are kept and are no mistake (`x-kubernetes-preserve-unknown-fields`). */
  readonly preservesUnknownFields?: boolean | undefined;
  /** Anything may stand here, but objects, also those in a list, have this type (`JSONSchemaPropsOrArray`). */
  readonly objects?: SchemaNode | undefined;
  /** JSON `null` is a value of its own here (`nullable`), not an absent field. */
  readonly isNullable?: boolean | undefined;
}
