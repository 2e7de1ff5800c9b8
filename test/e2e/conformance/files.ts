import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { collectSpecs } from './area.ts';

export interface Covered {
  /** The official name. */
  readonly name: string;
  readonly file: string;
  /** Needs a node that runs containers. */
  readonly board: boolean;
}

/** Every spec for which there is a test. */
export async function coveredSpecs(): Promise<readonly Covered[]> {
  const covered: Covered[] = [];
  for (const file of specFiles())
    for (const name of await collectSpecs(file))
      covered.push({ name, file, board: file.endsWith('.board.test.ts') });
  return covered;
}

function specFiles(): readonly string[] {
  return readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(import.meta.dirname, name));
}
