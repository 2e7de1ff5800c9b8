/** What strict validation finds in the text of a body, in upstream's words and order. */
import { LIMITS } from '../../lib/limits.ts';
import { isObject } from '../json-value.ts';
import { memberOrder } from './careful-json.ts';

export const unknownField = (path: string): string => `unknown field ${JSON.stringify(path)}`;
export const duplicateField = (path: string): string => `duplicate field ${JSON.stringify(path)}`;

/**
 * Upstream's decoder of typed JSON tells mistakes in the order of the text and does not look for repetitions inside of
 * what it does not know.
 */
export function inTextOrder(
  text: string,
  duplicates: readonly string[],
  unknown: readonly string[],
): readonly string[] {
  const order = memberOrder(text);
  const isInside = (path: string): boolean =>
    unknown.some((outer) => path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`));
  return [
    ...duplicates.filter((path) => !isInside(path)).map((path) => ({ path, message: duplicateField(path) })),
    ...unknown.map((path) => ({ path, message: unknownField(path) })),
  ]
    .sort((one, other) => (order.get(one.path) ?? 0) - (order.get(other.path) ?? 0))
    .map(({ message }) => message);
}

const OPERATION_FIELDS = ['op', 'path', 'from', 'value'];

/** What the text of a patch repeats, and what the operations of a JSON patch hold that means nothing. */
export function patchErrors(
  bytes: Uint8Array,
  body: unknown,
  duplicates: readonly string[],
): readonly string[] {
  if (!Array.isArray(body)) return duplicates.map(duplicateField);
  const unknown = body.flatMap((operation: unknown, index) =>
    isObject(operation)
      ? Object.keys(operation)
          .filter((name) => !OPERATION_FIELDS.includes(name))
          .map((name) => `[${index}].${name}`)
      : [],
  );
  if (duplicates.length === 0 && unknown.length === 0) return [];
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const errors = inTextOrder(text, duplicates, unknown.slice(0, LIMITS.api.strictErrors));
  return errors.map((error) => `json patch ${error}`);
}

/** A mistake as warnings tell it: those of YAML one by one. */
export function warningsOf(error: string): readonly string[] {
  const lines = /^(?:error converting YAML to JSON: )?yaml: unmarshal errors:\n([\s\S]*)$/.exec(error)?.[1];
  return lines === undefined ? [error] : lines.split('\n').map((line) => line.trim());
}
