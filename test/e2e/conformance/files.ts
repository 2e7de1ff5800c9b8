import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { collectSpecs } from './area.ts';

export interface Covered {
  /** The official name. */
  readonly name: string;
  readonly file: string;
  readonly kind: Kind;
}

/** What a spec runs on: a server without a node, a board that runs containers, or two boards that it has to itself. */
export type Kind = 'api' | 'board' | 'boards';

function kindOf(file: string): Kind {
  if (file.endsWith('.boards.test.ts')) return 'boards';
  return file.endsWith('.board.test.ts') ? 'board' : 'api';
}

/** Every spec for which there is a test. */
export async function coveredSpecs(): Promise<readonly Covered[]> {
  const covered: Covered[] = [];
  for (const file of specFiles())
    for (const name of await collectSpecs(file)) covered.push({ name, file, kind: kindOf(file) });
  return covered;
}

function specFiles(): readonly string[] {
  return readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(import.meta.dirname, name));
}
