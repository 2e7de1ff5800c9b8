import { readFileSync } from 'node:fs';
import type { TypeNode } from './type-node.ts';

interface Facts {
  definitions: Record<string, Definition>;
}
interface Definition {
  type?: string;
  fields?: Record<string, Field>;
  'map-type'?: 'atomic' | 'granular';
}
interface Field extends Record<string, unknown> {
  type: string;
}

let facts: Facts | undefined;

/** Types read straight from the interface facts, for tests of what works on `TypeNode`. */
export function factsType(definition: string): TypeNode {
  facts ??= JSON.parse(
    readFileSync(new URL('../../build/facts/kubernetes-facts.json', import.meta.url), 'utf8'),
  ) as Facts;
  return fromType(facts, `#${definition}`, {});
}

function fromType(all: Facts, type: string, attributes: Record<string, unknown>): TypeNode {
  const common = {
    listType: attributes['list-type'] as TypeNode['listType'],
    listMapKeys: attributes['list-map-keys'] as TypeNode['listMapKeys'],
    mapType: attributes['map-type'] as TypeNode['mapType'],
    mergeKey: attributes['patch-merge-key'] as TypeNode['mergeKey'],
    patchStrategy: (attributes['patch-strategy'] as string | undefined)?.split(','),
    default: attributes['default'],
    field: () => undefined,
  };
  if (type.startsWith('[]')) return { ...common, shape: 'list', element: fromType(all, type.slice(2), {}) };
  if (type.startsWith('map:')) {
    const element = fromType(all, type.slice(4), {});
    return { ...common, shape: 'map', element, field: () => element };
  }
  if (!type.startsWith('#')) return { ...common, shape: 'scalar' };
  const definition = all.definitions[type.slice(1)];
  if (definition?.fields === undefined) return { ...common, shape: 'scalar' };
  const fields = definition.fields;
  const known = new Map<string, TypeNode>();
  return {
    ...common,
    shape: 'object',
    mapType: common.mapType ?? definition['map-type'],
    field(name) {
      const field = fields[name];
      if (field === undefined) return undefined;
      let node = known.get(name);
      if (!node) {
        node = fromType(all, field.type, field);
        known.set(name, node);
      }
      return node;
    },
  };
}
