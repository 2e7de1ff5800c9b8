import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Spec } from './spec-list.ts';

const PAGE = join(import.meta.dirname, '../../../docs/compatibility.md');
const BEGIN = '<!-- conformance: written by npm run conformance -- --document -->';
const END = '<!-- conformance: end -->';

/** What a spec that no test covers yet would need. */
const NEEDS = {
  api: 'the API alone',
  pod: 'pods that run',
  net: 'the network of pods',
  webhook: 'webhooks',
  multi: 'several nodes',
} as const satisfies Record<Spec['needs'], string>;

/** The generated part of docs/compatibility.md. */
export function renderSection(specs: readonly Spec[]): string {
  const count = (result: Spec['result'], of = specs) => of.filter((spec) => spec.result === result).length;
  const lines = [
    `Of ${specs.length} conformance specs of Kubernetes 1.37, ${count('pass')} pass, ${count('fail')} fail and ` +
      `${count('-')} have no test here yet. \`npm run conformance\` runs them against the packaged executable; ` +
      'specs.tsv in [test/e2e/conformance](../test/e2e/conformance) lists each one.',
    '',
    '| sig | needs | pass | fail | no test yet |',
    '|---|---|---|---|---|',
    ...groups(specs).map(([title, of]) =>
      ['', title, count('pass', of), count('fail', of), count('-', of), ''].join(' | ').trim(),
    ),
    '',
    ...list('Failing', specs, 'fail'),
    ...list('Without a test', specs, '-'),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function groups(specs: readonly Spec[]): [title: string, specs: readonly Spec[]][] {
  const all = new Map<string, Spec[]>();
  for (const spec of specs) {
    const title = `${spec.sig} | ${NEEDS[spec.needs]}`;
    all.set(title, [...(all.get(title) ?? []), spec]);
  }
  return [...all].sort(([left], [right]) => (left < right ? -1 : 1));
}

/** Names of one result, an area's together, with the reason where one is known. */
function list(title: string, specs: readonly Spec[], result: Spec['result']): string[] {
  const chosen = specs.filter((spec) => spec.result === result);
  if (chosen.length === 0) return [];
  const line = (spec: Spec) => `- ${spec.name}${spec.why === '' ? '' : `: ${spec.why}`}`;
  return [
    `<details><summary>${title}: ${chosen.length}</summary>`,
    '',
    ...groups(chosen).flatMap(([group, of]) => [
      `${group.replace(' |', ', needs')}:`,
      '',
      ...of.map(line),
      '',
    ]),
    '</details>',
    '',
  ];
}

export function readSection(): string {
  return split()[1];
}

export function writeSection(specs: readonly Spec[]): void {
  const [before, , after] = split();
  writeFileSync(PAGE, `${before}${BEGIN}\n${renderSection(specs)}${END}${after}`);
}

function split(): [before: string, section: string, after: string] {
  const text = readFileSync(PAGE, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${PAGE}: no place for the conformance section`);
  return [text.slice(0, begin), text.slice(begin + BEGIN.length + 1, end), text.slice(end + END.length)];
}
