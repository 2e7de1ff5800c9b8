import { readFileSync } from 'node:fs';
import { test } from 'vitest';
import { Cluster } from './cluster.ts';
import { SpecContext } from './spec-context.ts';
import { officialName, readSpecs } from './spec-list.ts';

export type SpecBody = (context: SpecContext) => Promise<void>;

export interface SpecOptions {
  /** More time than the usual one. */
  readonly timeoutMs?: number;
  /** Runs while no other spec of its file runs. */
  readonly alone?: boolean;
}

/** Takes the text of a spec after the area's; together they must be the name of a real spec. */
export type DefineSpec = (text: string, body: SpecBody, options?: SpecOptions) => void;

const KNOWN = new Set(readSpecs().map(officialName));
let collected: string[] | undefined;

/**
 * Names the specs of one area of a sig (the part of the official names that they share) and hands out the function
 * that defines one. A name that upstream does not have is an error at once.
 */
export function area(sig: string, prefix: string, define: (spec: DefineSpec) => void): void {
  const selected = selection();
  define((text, body, options = {}) => {
    const name = officialName({ sig, name: prefix === '' ? text : `${prefix} ${text}` });
    if (!KNOWN.has(name)) throw new Error(`no conformance spec is called ${name}`);
    if (collected) collected.push(name);
    else if (!selected || selected.has(name)) {
      const add = options.alone ? test.sequential : test;
      add(name, { timeout: options.timeoutMs ?? 60_000 }, async () => await runSpec(body));
    }
  });
}

async function runSpec(body: SpecBody): Promise<void> {
  const context = await SpecContext.open(Cluster.shared());
  try {
    await body(context);
  } finally {
    await context.close();
  }
}

/** The official names that a run was narrowed to; undefined: all. */
function selection(): ReadonlySet<string> | undefined {
  const file = process.env['KEDGE_CONFORMANCE_SELECTION'];
  return file === undefined ? undefined : new Set(JSON.parse(readFileSync(file, 'utf8')) as string[]);
}

/** Loads a file of specs without running any. Resolves with the official names that it defines. */
export async function collectSpecs(file: string): Promise<readonly string[]> {
  collected = [];
  try {
    await import(file);
    return collected;
  } finally {
    collected = undefined;
  }
}
