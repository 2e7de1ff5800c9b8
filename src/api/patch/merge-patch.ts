import { copyJson, isObject, type JsonObject, own, setOwn } from '../json-value.ts';
import { badPatch } from './patch-error.ts';

/** Applies a JSON Merge Patch (RFC 7386) and returns the changed copy. Throws 400 when the patch is no object. */
export function applyMergePatch(document: JsonObject, patch: unknown): JsonObject {
  if (!isObject(patch)) throw badPatch('Invalid JSON Patch');
  return merge(document, patch);
}

function merge(target: unknown, patch: JsonObject): JsonObject {
  const result: JsonObject = {};
  const base = isObject(target) ? target : {};
  for (const key of Object.keys(base)) {
    if (!Object.hasOwn(patch, key)) setOwn(result, key, copyJson(base[key]));
    else if (patch[key] !== null) setOwn(result, key, merged(base[key], patch[key]));
  }
  for (const key of Object.keys(patch)) {
    if (patch[key] !== null && !Object.hasOwn(base, key))
      setOwn(result, key, merged(undefined, own(patch, key)));
  }
  return result;
}

function merged(target: unknown, patch: unknown): unknown {
  return isObject(patch) ? merge(target, patch) : copyJson(patch);
}
