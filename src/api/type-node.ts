/**
 * What patches and server-side apply need to know of a type: how values nest and how they merge. Lookups are
 * lazy, since types are recursive (JSONSchemaProps). The schema of built-in kinds and of custom resources both
 * implement it.
 */
export interface TypeNode {
  /**
   * - `object`: known fields; `map`: any key, values of `element`; `list`: items of `element`;
   * - `scalar`: compared whole, whatever it holds;
   * - `any`: nothing is known: maps merge by key, lists are replaced (upstream's `__untyped_deduced_`).
   */
  readonly shape: 'object' | 'map' | 'list' | 'scalar' | 'any';
  /** Type of a field of an `object`, or of a value of a `map`. `undefined`: no such field. */
  field(name: string): TypeNode | undefined;
  /** Type of the items of a `list`. */
  readonly element?: TypeNode | undefined;
  /** `atomic` when absent (x-kubernetes-list-type). */
  readonly listType?: 'atomic' | 'set' | 'map' | undefined;
  readonly listMapKeys?: readonly string[] | undefined;
  /** `granular` when absent (x-kubernetes-map-type). */
  readonly mapType?: 'atomic' | 'granular' | undefined;
  /** Strategic merge patch: key that identifies items of a list with strategy `merge`. */
  readonly mergeKey?: string | undefined;
  /** Strategic merge patch: `merge`, `replace`, `retainKeys`. */
  readonly patchStrategy?: readonly string[] | undefined;
  /** Unknown fields are kept and are no mistake (x-kubernetes-preserve-unknown-fields). */
  readonly preservesUnknownFields?: boolean | undefined;
  /** Default of the field this type stands for, where the schema has one. */
  readonly default?: unknown;
}
