import type { KubeObject } from '../../api/resource.ts';
import { RuleSet } from '../../api/structural/rule-programs.ts';
import { compileRoot, type StructuralSchema } from '../../api/structural/structural.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import { schemaOf } from '../resources/apiextensions/crd.ts';

/** One version's schema as it is used. */
export interface CompiledSchema {
  readonly schema: StructuralSchema;
  readonly rules: RuleSet;
  readonly sizeNodes: number;
}

/**
 * Schemas of custom resources, compiled when somebody writes or checks an object and let go of when others were needed
 * since: the definitions themselves lie as bytes in the watch cache.
 */
export class CompiledSchemas {
  readonly #definitionNamed: (name: string) => KubeObject | undefined;
  /** In the order of their last use. */
  readonly #compiled = new Map<string, CompiledSchema>();
  #nodes = 0;

  constructor(definitionNamed: (name: string) => KubeObject | undefined) {
    this.#definitionNamed = definitionNamed;
  }

  /** `undefined` where the definition has no such version or the version no schema. */
  find(name: string, version: string): CompiledSchema | undefined {
    const key = `${name}/${version}`;
    const known = this.#compiled.get(key);
    if (known) {
      this.#compiled.delete(key);
      this.#compiled.set(key, known);
      return known;
    }
    const found = compileVersion(
      this.#definitionNamed(name) as CustomResourceDefinition | undefined,
      version,
    );
    if (!found) return undefined;
    this.#compiled.set(key, found);
    this.#nodes += found.sizeNodes;
    for (const [oldest, one] of this.#compiled) {
      if (this.#nodes <= LIMITS.customResources.compiledNodes || oldest === key) break;
      this.#drop(oldest, one);
    }
    return found;
  }

  /** To be called when a definition changes or goes. */
  forget(name: string): void {
    for (const [key, one] of [...this.#compiled]) if (key.startsWith(`${name}/`)) this.#drop(key, one);
  }

  #drop(key: string, { sizeNodes }: CompiledSchema): void {
    this.#compiled.delete(key);
    this.#nodes -= sizeNodes;
  }
}

function compileVersion(
  definition: CustomResourceDefinition | undefined,
  name: string,
): CompiledSchema | undefined {
  const version = definition?.spec.versions.find((one) => one.name === name);
  const source = version && schemaOf(version);
  if (!source) return undefined;
  const schema = compileRoot(source);
  return { schema, rules: new RuleSet(), sizeNodes: countNodes(schema) };
}

/** A compiled rule takes about as much memory as so many schemas of fields. */
const NODES_OF_RULE = 20;

function countNodes(schema: StructuralSchema): number {
  let count = 1 + schema.rules.length * NODES_OF_RULE;
  for (const property of schema.properties.values()) count += countNodes(property);
  if (schema.items) count += countNodes(schema.items);
  if (typeof schema.additional === 'object') count += countNodes(schema.additional);
  return count;
}
