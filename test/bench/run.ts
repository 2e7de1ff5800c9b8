/**
 * Measures the packaged executable against the budgets and prints one table:
 * `npm run bench -- [--only=api,memory,agent,join,scheduler,size] [--idle-minutes=10] [--binary=dist/kedge-linux-x64]`.
 * Needs root. Machines are noisy: read the ratios of one run, not single numbers of two.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { KEDGE } from '../e2e/board.ts';
import { agentRows } from './agent-rows.ts';
import { apiRows } from './api-rows.ts';
import { joinRows } from './join-rows.ts';
import type { Bench } from './measure.ts';
import { memoryRows } from './memory-rows.ts';
import { type Row, renderTable } from './table.ts';

const option = (name: string): string | undefined =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);

const SECTIONS: Readonly<Record<string, (bench: Bench) => Promise<Row[]>>> = {
  size: async ({ binary }) => sizeRows(binary),
  api: apiRows,
  memory: memoryRows,
  agent: agentRows,
  join: joinRows,
  scheduler: async () => schedulerRows(),
};

/** A download is compressed: what `xz` makes of the file. */
function sizeRows(binary: string): Row[] {
  const rows: Row[] = [
    { what: `executable on disk (${process.arch})`, unit: 'MB', measured: statSync(binary).size / 1e6 },
  ];
  const arm64 = resolve(KEDGE, '../kedge-linux-arm64');
  const what = 'release download, arm64 (xz)';
  if (!existsSync(arm64)) return [...rows, { what, budget: 45, unit: 'MB', measured: 'not built here' }];
  const packed = execFileSync('xz', ['-6', '-T2', '-c', arm64], { maxBuffer: 256 * 1024 * 1024 });
  return [...rows, { what, budget: 45, unit: 'MB', measured: packed.length / 1e6 }];
}

/** The slowest of the kinds of pods that `scheduler.ts` places. */
function schedulerRows(): Row[] {
  const script = resolve(import.meta.dirname, 'scheduler.ts');
  const text = execFileSync(process.execPath, [script, '100', '5000'], { encoding: 'utf8' });
  return [...text.matchAll(/^(.+): (\d+) pods\/s/gm)].map(([, kind, rate]) => ({
    what: `scheduler, 100 nodes, 5,000 pods, ${kind}`,
    budget: 2000,
    unit: 'pods/s',
    measured: Number(rate),
    atLeast: true,
  }));
}

const only = option('only')?.split(',') ?? Object.keys(SECTIONS);
const unknown = only.find((name) => SECTIONS[name] === undefined);
if (unknown !== undefined)
  throw new Error(`--only takes ${Object.keys(SECTIONS).join(', ')}; not ${unknown}`);
const folder = mkdtempSync(join(tmpdir(), 'kedge-bench-'));
try {
  // A copy, as an installer makes one: how the build wrote its file decides how much of it the kernel maps at once.
  const binary = join(folder, 'kedge');
  copyFileSync(option('binary') ?? KEDGE, binary);
  const bench: Bench = {
    binary,
    idleMinutes: Number(option('idle-minutes') ?? 10),
    progress: (text) => process.stderr.write(`${text}\n`),
  };
  const rows: Row[] = [];
  for (const name of only) rows.push(...((await SECTIONS[name]?.(bench)) ?? []));
  console.log(renderTable(rows));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
