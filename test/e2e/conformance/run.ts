import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Board, Lan } from '../board.ts';
import { writeSection } from './document.ts';
import { type Covered, coveredSpecs, type Kind } from './files.ts';
import { officialName, readSpecs, type Spec, writeSpecs } from './spec-list.ts';

const root = resolve(import.meta.dirname, '../../..');
const REPORTS = join(root, 'dist/conformance');
const REPORT = join(REPORTS, 'report.json');

const USAGE = `usage: npm run conformance -- [--api|--board] [--quick|--open] [--record] [--document] [words…]

Runs the conformance specs that are covered, or those whose official name or file holds all the words.
  --api       only those that need no containers
  --board     only those that run containers
  --quick     only those that passed when last recorded, without [Slow] ones
  --open      only those that had not passed when last recorded
  --record    keep the results in specs.tsv and in docs/compatibility.md
  --document  run nothing: write the section of docs/compatibility.md from specs.tsv, with --record after keeping what
              the last run found
Reports: dist/conformance/report.json, junit-*.xml`;

interface Result {
  readonly name: string;
  readonly file: string;
  readonly status: 'pass' | 'fail';
  readonly durationMs: number;
  readonly message?: string;
}

interface Report {
  readonly results: readonly Result[];
}

/** What vitest's JSON reporter writes, as far as it is read here. */
interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly duration?: number | null;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

async function main(argv: readonly string[]): Promise<number> {
  const flags = new Set(argv.filter((word) => word.startsWith('--')));
  const words = argv.filter((word) => !word.startsWith('--')).map((word) => word.toLowerCase());
  if (flags.has('--help')) {
    console.log(USAGE);
    return 0;
  }
  if (flags.has('--document')) {
    if (flags.has('--record')) record((JSON.parse(readFileSync(REPORT, 'utf8')) as Report).results);
    else writeSection(readSpecs());
    return 0;
  }
  const passing = new Set(
    readSpecs().flatMap((spec) => (spec.result === 'pass' ? [officialName(spec)] : [])),
  );
  const isWanted = (name: string): boolean =>
    !(flags.has('--quick') && (!passing.has(name) || name.includes('[Slow]'))) &&
    !(flags.has('--open') && passing.has(name));
  const chosen = (await coveredSpecs()).filter(({ name, file }) => {
    const text = `${name} ${relative(root, file)}`.toLowerCase();
    return words.every((word) => text.includes(word)) && isWanted(name);
  });
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
  const results: Result[] = [];
  for (const kind of ['api', 'board', 'boards'] as const) {
    if (flags.has(kind === 'api' ? '--board' : '--api')) continue;
    const specs = chosen.filter((spec) => spec.kind === kind);
    if (specs.length > 0) results.push(...(await runSpecs(kind, specs)));
  }
  if (results.length === 0) {
    console.error(`no covered spec matches ${JSON.stringify(words)}`);
    return 2;
  }
  report(results);
  if (flags.has('--record')) record(results);
  return results.some(({ status }) => status === 'fail') ? 1 : 0;
}

/** Starts one cluster, runs the specs against it from inside its network, and removes it. */
async function runSpecs(kind: Kind, specs: readonly Covered[]): Promise<Result[]> {
  const lan = kind === 'boards' ? Lan.create() : undefined;
  const board = Board.create({ agent: kind !== 'api', ...(lan ? { lan } : {}) });
  const second = lan ? Board.create({ lan, server: board, host: 3 }) : undefined;
  const output = join(REPORTS, `vitest-${kind}.json`);
  const selection = join(board.folder, 'selection.json');
  try {
    await board.start();
    await second?.start();
    writeFileSync(selection, JSON.stringify(specs.map(({ name }) => name)));
    const files = [...new Set(specs.map(({ file }) => relative(root, file)))];
    const isExclusive = kind === 'boards';
    const args = [
      ...['run', '--config', join(import.meta.dirname, 'vitest.config.ts'), '--root', root],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${output}`],
      ...['--reporter=junit', `--outputFile.junit=${join(REPORTS, `junit-${kind}.xml`)}`],
      // These change nodes or fill them.
      ...(isExclusive ? ['--no-file-parallelism', '--sequence.concurrent=false'] : []),
      ...files,
    ];
    await vitest(board, selection, args, isExclusive);
    if (process.env['KEDGE_E2E_KEEP']) {
      for (const one of [board, second]) if (one) console.log(one.log.split('\n').slice(-50).join('\n'));
    }
    return read(output, specs);
  } finally {
    await second?.remove();
    await board.remove();
    lan?.remove();
  }
}

/** Resolves when vitest has ended. */
async function vitest(
  board: Board,
  selection: string,
  args: readonly string[],
  isExclusive: boolean,
): Promise<void> {
  const program = join(root, 'node_modules/vitest/vitest.mjs');
  const inside = [`--net=/run/netns/${board.name}`, process.execPath, program, ...args];
  const env = {
    ...process.env,
    KEDGE_CONFORMANCE_KUBECONFIG: board.kubeconfig,
    KEDGE_CONFORMANCE_FOLDER: board.folder,
    KEDGE_CONFORMANCE_SELECTION: selection,
    KEDGE_CONFORMANCE_EXCLUSIVE: isExclusive ? '1' : '0',
  };
  const child = spawn('nsenter', inside, { stdio: 'inherit', env, cwd: root });
  await new Promise((done) => child.once('exit', done));
}

/** A spec that left no result, because its file did not load or the run broke off, has failed. */
function read(file: string, specs: readonly Covered[]): Result[] {
  const report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
  const seen = new Map(
    report.testResults.flatMap(({ assertionResults }) =>
      assertionResults.map((result) => [result.title, result] as const),
    ),
  );
  return specs.map((spec): Result => {
    const result = seen.get(spec.name);
    const message = result ? result.failureMessages?.join('\n') : 'left no result';
    return {
      name: spec.name,
      file: relative(root, spec.file),
      status: result?.status === 'passed' ? 'pass' : 'fail',
      durationMs: Math.round(result?.duration ?? 0),
      ...(message ? { message } : {}),
    };
  });
}

function report(results: readonly Result[]): void {
  const failed = results.filter(({ status }) => status === 'fail');
  const summary = {
    specs: readSpecs().length,
    run: results.length,
    passed: results.length - failed.length,
    failed: failed.length,
  };
  writeFileSync(REPORT, `${JSON.stringify({ ...summary, results }, undefined, 1)}\n`);
  for (const { name, message } of failed) console.log(`FAIL ${name}\n     ${message?.split('\n')[0] ?? ''}`);
  console.log(
    `conformance: ${summary.passed} passed, ${summary.failed} failed, ${summary.specs} specs in all`,
  );
}

function record(results: readonly Result[]): void {
  const byName = new Map(results.map((result) => [result.name, result]));
  const specs = readSpecs();
  for (const spec of specs) {
    const result = byName.get(officialName(spec));
    if (result) update(spec, result);
  }
  writeSpecs(specs);
  writeSection(specs);
}

function update(spec: Spec, { status }: Result): void {
  if (status === 'pass') spec.why = '';
  spec.result = status;
}

process.exitCode = await main(process.argv.slice(2));
