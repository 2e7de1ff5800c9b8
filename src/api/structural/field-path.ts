import { additionalSchema, type JsonSchema } from './json-schema.ts';
import { StructuralSchema } from './structural.ts';

/** Where a path such as `.spec.foo['a.b']` leads in a schema, or why it leads nowhere (upstream's ValidFieldPath). */
export type ResolvedPath<S> =
  | {
      /** As error messages name it: `spec.foo[a.b]`. */
      readonly path: string;
      readonly names: readonly string[];
      readonly schema: S;
    }
  | { readonly problem: string };

export function resolveFieldPath<S extends JsonSchema | StructuralSchema>(
  text: string,
  root: S,
  { arrays }: { readonly arrays: boolean },
): ResolvedPath<S> {
  const names: string[] = [];
  let path = '';
  let schema = root;
  const tokens = tokensOf(text);
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    const problem = (why: string): ResolvedPath<S> => ({ problem: why });
    if (token !== '.' && token !== '[') return problem(`expected [ or . but got: ${token}`);
    if (token === '[' && !arrays) return problem('array notation is not allowed');
    let name = tokens[++at];
    if (name === undefined) return problem('unexpected end of JSON path');
    if (token === '[') {
      if (!/^'.*'$/s.test(name) || name.length < 2)
        return problem(`expected single quoted string but got ${name}`);
      name = name.slice(1, -1).replace(/\\(['\\])/g, '$1');
    }
    const next = step(schema, name);
    if (!next) return problem('does not refer to a valid field');
    path += next.isNamed ? `${path === '' ? '' : '.'}${name}` : `[${name}]`;
    names.push(name);
    schema = next.schema as S;
    if (token !== '[') continue;
    const end = tokens[++at];
    if (end === undefined) return problem('unexpected end of JSON path');
    if (end !== ']') return problem(`expected ] but got ${end}`);
  }
  return { path, names, schema };
}

function step(
  schema: JsonSchema | StructuralSchema,
  name: string,
): { readonly schema: JsonSchema | StructuralSchema; readonly isNamed: boolean } | undefined {
  if (schema instanceof StructuralSchema) {
    const found = schema.property(name);
    return found && { schema: found, isNamed: schema.properties.has(name) };
  }
  const { properties } = schema;
  if (properties !== undefined && Object.keys(properties).length > 0) {
    const found = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return found && { schema: found, isNamed: true };
  }
  const additional = additionalSchema(schema);
  return additional && { schema: additional, isNamed: false };
}

/** Dots, brackets, and what stands between them; quoted text is one token. */
function tokensOf(text: string): string[] {
  return text.match(/'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]']+|'/gs) ?? [];
}
