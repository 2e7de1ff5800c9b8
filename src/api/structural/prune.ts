import { LIMITS } from '../../lib/limits.ts';
import { isObject, type JsonObject } from '../json-value.ts';
import type { StructuralSchema } from './structural.ts';

const META_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * Drops every field that the schema does not know, in place, and `null` where the schema neither allows it nor has a
 * default to put there. Type and metadata of whole resources stay. Returns the paths of what is gone, sorted, at most
 * {@link LIMITS.api.strictErrors} of them.
 */
export function prune(value: unknown, schema: StructuralSchema | undefined): string[] {
  const pruner = new Pruner();
  pruner.value(value, schema, '');
  return [...pruner.unknown].sort();
}

class Pruner {
  readonly unknown = new Set<string>();

  value(value: unknown, schema: StructuralSchema | undefined, path: string, keeps = false): void {
    const keepsAll = keeps || schema?.preservesUnknownFields === true;
    if (Array.isArray(value)) this.#items(value, { schema, path, keepsAll });
    else if (isObject(value)) this.#fields(value, { schema, path, keepsAll });
  }

  #items(items: readonly unknown[], { schema, path, keepsAll }: Place): void {
    // Where unknown fields are kept, so is what stands in lists that nothing is said about.
    if (keepsAll && schema?.items === undefined) return;
    items.forEach((item, index) => {
      if (typeof item === 'object' && item !== null)
        this.value(item, schema?.items, `${path}[${index}]`, keepsAll);
    });
  }

  #fields(object: JsonObject, { schema, path, keepsAll }: Place): void {
    for (const name of Object.keys(object)) {
      if (schema?.isEmbedded && META_FIELDS.has(name)) continue;
      const child = path === '' ? name : `${path}.${name}`;
      const inner = schema?.property(name);
      // `additionalProperties: true` allows any name, not what is inside.
      if (inner === undefined && schema?.additional === undefined) {
        if (keepsAll) continue;
        if (this.unknown.size < LIMITS.api.strictErrors) this.unknown.add(child);
        delete object[name];
        continue;
      }
      const value = object[name];
      if (value === null && inner && !inner.isNullable && inner.default === undefined) delete object[name];
      else if (typeof value === 'object' && value !== null) this.value(value, inner, child);
    }
  }
}

interface Place {
  readonly schema: StructuralSchema | undefined;
  readonly path: string;
  /** Unknown fields stay. */
  readonly keepsAll: boolean;
}
