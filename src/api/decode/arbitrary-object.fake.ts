import fc from 'fast-check';
import { setOwn } from '../json-value.ts';
import type { ScalarKind, SchemaNode } from '../schema/node.ts';

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const SCALARS: Readonly<Record<ScalarKind, fc.Arbitrary<unknown>>> = {
  string: fc.oneof(word, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 })),
  boolean: fc.boolean(),
  int32: fc.integer(),
  int64: fc.maxSafeInteger(),
  double: fc.constant(1.5),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  quantity: fc.constantFrom('100m', '1', '64Mi', '1500m', '2G', '3e3'),
  time: seconds().map((timeMs) => `${new Date(timeMs).toISOString().slice(0, 19)}Z`),
  microTime: seconds().map((timeMs) => `${new Date(timeMs).toISOString().slice(0, 19)}.123456Z`),
  intOrString: fc.oneof(fc.integer(), word),
  json: fc.record({ a: fc.integer(), b: word }),
};

function seconds(): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max: 4_000_000_000 }).map((value) => value * 1000);
}

/** Objects of a type with some of their fields set, shallow enough to stay small; for property tests. */
export function arbitraryOf(node: SchemaNode, depth = 4): fc.Arbitrary<unknown> {
  if (node.shape === 'list' && node.element !== undefined) {
    return fc.array(arbitraryOf(node.element, depth - 1), { minLength: 1, maxLength: 2 });
  }
  if (node.shape === 'map' && node.element !== undefined) {
    return fc.dictionary(word, arbitraryOf(node.element, depth - 1), { minKeys: 1, maxKeys: 2 });
  }
  if (node.shape !== 'object') return SCALARS[node.scalar ?? 'json'];
  const names = node.fieldNames.filter(
    (name) => name !== 'kind' && name !== 'apiVersion' && isReachable(node, name, depth),
  );
  if (names.length === 0) return fc.constant({});
  return fc.uniqueArray(fc.constantFrom(...names), { maxLength: 4 }).chain((chosen) =>
    fc.tuple(...chosen.map((name) => arbitraryOf(node.field(name)!, depth - 1))).map((values) => {
      const object = {};
      chosen.forEach((name, index) => void setOwn(object, name, values[index]));
      return object;
    }),
  );
}

function isReachable(node: SchemaNode, name: string, depth: number): boolean {
  const field = node.field(name);
  return field !== undefined && (field.shape === 'scalar' || field.shape === 'any' || depth > 0);
}
