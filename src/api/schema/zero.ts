import { isObject } from '../json-value.ts';
import type { ScalarKind, SchemaNode } from './node.ts';

/** Whether a value is what Go leaves out of JSON under `omitempty`. */
export function isZero(value: unknown): boolean {
  if (value === false || value === 0 || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

const ZEROS: Readonly<Partial<Record<ScalarKind, unknown>>> = {
  string: '',
  boolean: false,
  int32: 0,
  int64: 0,
  double: 0,
  bytes: '',
  quantity: '0',
  intOrString: 0,
};

/** The value a type has in Go before anybody sets it; `null` for those that have no form in JSON then. */
export function zeroOf(node: SchemaNode): unknown {
  if (node.isNullable === true) return null;
  if (node.shape === 'object' || node.shape === 'map') return {};
  if (node.shape === 'list') return [];
  return ZEROS[node.scalar ?? 'json'] ?? null;
}
