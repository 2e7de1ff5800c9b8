import { isObject, type JsonObject, own, setOwn } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';
import { compareObjects } from './compare.ts';
import { difference, type FieldSet } from './field-set.ts';
import { fieldsOf } from './object-fields.ts';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
/** Total size of annotations; above it the annotation is dropped instead (TotalAnnotationSizeLimitB). */
const ANNOTATIONS_MAX_BYTES = 256 * 1024;

/**
 * Fields that `kubectl apply` wrote earlier and that still have its values: kubectl may take them over from the
 * manager of its client-side apply without a conflict. `undefined`: no (usable) annotation.
 */
export function lastAppliedFields(
  live: JsonObject,
  apiVersion: string,
  type: TypeNode | undefined,
): FieldSet | undefined {
  const text = annotationsOf(live)?.[ANNOTATION];
  if (typeof text !== 'string' || text === '') return undefined;
  let last: unknown;
  try {
    last = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(last) || last['apiVersion'] !== apiVersion) return undefined;
  const { added, modified, removed } = compareObjects(last, live, type);
  return difference(difference(difference(fieldsOf(last, type), modified), added), removed);
}

/** Where `object` carries the annotation, a copy with it set to what is applied now, so that old kubectls go on working. */
export function withLastApplied(object: JsonObject, applied: JsonObject): JsonObject {
  const annotations = annotationsOf(object);
  if (!annotations || typeof annotations[ANNOTATION] !== 'string' || annotations[ANNOTATION] === '')
    return object;
  const next: JsonObject = { ...annotations, [ANNOTATION]: encode(applied) };
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(next))
    sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(String(value));
  if (sizeBytes > ANNOTATIONS_MAX_BYTES) delete next[ANNOTATION];
  return { ...object, metadata: { ...(object['metadata'] as JsonObject), annotations: next } };
}

function annotationsOf(object: JsonObject): JsonObject | undefined {
  const metadata = own(object, 'metadata');
  const annotations = isObject(metadata) ? own(metadata, 'annotations') : undefined;
  return isObject(annotations) ? annotations : undefined;
}

/** JSON as Go writes it: sorted keys, `<>&` escaped, a newline at the end. */
function encode(applied: JsonObject): string {
  const metadata = applied['metadata'];
  const annotations = annotationsOf(applied);
  let object = applied;
  if (isObject(metadata) && annotations && ANNOTATION in annotations) {
    const { [ANNOTATION]: _, ...rest } = annotations;
    object = { ...applied, metadata: { ...metadata, annotations: rest } };
  }
  const escapes: Record<string, string> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' };
  return `${JSON.stringify(sortKeys(object)).replace(/[<>&]/g, (letter) => escapes[letter] ?? letter)}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isObject(value)) return value;
  const sorted: JsonObject = {};
  for (const key of Object.keys(value).sort()) setOwn(sorted, key, sortKeys(value[key]));
  return sorted;
}
