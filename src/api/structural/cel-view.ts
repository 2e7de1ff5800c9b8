import type { CelSchema } from '../cel/schema-type.ts';
import type { StructuralSchema } from './structural.ts';

/** A schema as expressions see it; nothing inside is read before it is asked for. */
export function celView(schema: StructuralSchema): CelSchema {
  const { type, items, additional, listType, listMapKeys, checks } = schema;
  return {
    ...(type === undefined ? {} : { type }),
    ...(checks?.format === undefined ? {} : { format: checks.format }),
    nullable: schema.isNullable,
    get properties() {
      return viewsOf(schema);
    },
    get additionalProperties() {
      return typeof additional === 'object' ? celView(additional) : (additional ?? false);
    },
    get items() {
      return items && celView(items);
    },
    'x-kubernetes-int-or-string': schema.isIntOrString,
    'x-kubernetes-embedded-resource': schema.isEmbedded,
    ...(listType === undefined ? {} : { 'x-kubernetes-list-type': listType }),
    ...(listMapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': listMapKeys }),
  };
}

function viewsOf({ properties }: StructuralSchema): Record<string, CelSchema> {
  const views: Record<string, CelSchema> = Object.create(null);
  for (const [name, property] of properties)
    Object.defineProperty(views, name, { enumerable: true, get: () => celView(property) });
  return views;
}
