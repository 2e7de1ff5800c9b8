/**
 * What the schema of all built-in kinds costs a server: `node test/bench/schema.ts` prints one JSON object. The code and
 * tables are bundled as the build does, loaded into a bare process, and every kind is used once; counted is what heap,
 * external memory and buffers have grown by after garbage collection. The text of the bundle is in it, descriptions are
 * not: they are read when OpenAPI is asked for, and dropped.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Used } from './schema-use.ts';

export interface SchemaCost extends Used {
  /** After loading, when nothing was used yet. */
  readonly loadedMB: number;
  readonly usedMB: number;
}

/** Text and code of a module are held by what holds the module: nothing of it may be collected before it is counted. */
const CHILD = `
const held = () => {
  for (let round = 0; round < 4; round++) gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  // Buffers are part of what is external.
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
held();
const before = held();
const bundle = require(process.argv[2]);
const loaded = held();
const used = bundle.use();
const after = held();
globalThis.kept = bundle;
console.log(JSON.stringify({ ...used, loadedMB: (loaded - before) / 1e6, usedMB: (after - before) / 1e6 }));
`;

export async function measureSchema(): Promise<SchemaCost> {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-schema-'));
  try {
    const [bundle, child] = [join(folder, 'schema.cjs'), join(folder, 'child.cjs')];
    await build({
      entryPoints: [join(import.meta.dirname, 'schema-use.ts')],
      outfile: bundle,
      ...{ bundle: true, platform: 'node', target: 'node26', format: 'cjs', logLevel: 'warning' },
      ...{ minifySyntax: true, minifyWhitespace: true },
    });
    writeFileSync(child, CHILD);
    const output = execFileSync(process.execPath, ['--expose-gc', child, bundle], { encoding: 'utf8' });
    return JSON.parse(output) as SchemaCost;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) console.log(JSON.stringify(await measureSchema()));
