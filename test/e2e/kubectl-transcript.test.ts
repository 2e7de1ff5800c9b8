import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board } from './board.ts';
import { KUBECTL } from './clients.ts';

/**
 * What every kubectl from 1.30 on prints for the everyday verbs, held against `test/golden/kubectl-transcript.txt`: lines
 * that begin with `$ ` are commands, the others what they print. `[1.34+]` and `[-1.33]` begin lines that only these versions
 * print.
 * KEDGE_UPDATE_GOLDEN=1 writes the file from what the newest prints; look at the difference before you keep it.
 */
const GOLDEN = join(import.meta.dirname, '../golden/kubectl-transcript.txt');
const VERSIONS = Object.keys(KUBECTL).sort() as (keyof typeof KUBECTL)[];
const NEWEST = VERSIONS.at(-1);

const MANIFEST = `
apiVersion: v1
kind: ConfigMap
metadata: { name: applied }
data: { a: "1" }
`;

interface Step {
  readonly command: string;
  readonly output: readonly string[];
}

function readSteps(): readonly Step[] {
  return readFileSync(GOLDEN, 'utf8')
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = '', ...output] = text.trimEnd().split('\n');
      return { command, output };
    });
}

/** What differs from one run to the next has no place in a transcript; columns are as wide as what is in them. */
function normalize(text: string, namespace: string): string[] {
  return text
    .replaceAll(namespace, '<ns>')
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z\b/g, '<time>')
    .replaceAll(
      /\b(web|once)-[0-9a-f]{6,10}(-[a-z0-9]{5})?\b/g,
      (_all, name, pod) => `${name}-<hash>${pod ? '-<id>' : ''}`,
    )
    .replaceAll(/\b(web|once)-[a-z0-9]{5}\b/g, '$1-<id>')
    .replaceAll(/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<id>')
    .replaceAll(/pod-template-hash=[0-9a-f]+/g, 'pod-template-hash=<hash>')
    .replaceAll(/\b10\.43\.\d+\.\d+\b/g, '<ip>')
    .replaceAll(/(?<=\s)(\d+[smh])+(?=\s|$)/gm, '<age>')
    .split('\n')
    .map((line) => line.replaceAll(/(?<=\S) {2,}/g, '  ').trimEnd())
    .filter((line) => line !== '');
}

/** The lines that this version prints. */
function expected({ output }: Step, version: string): string[] {
  return output.flatMap((line) => {
    const [, from, until, text] = /^\[(\d\.\d+)?(?:\+|-(\d\.\d+))\] (.*)$/.exec(line) ?? [];
    if (text === undefined) return [line];
    return version >= (from ?? '') && version <= (until ?? '9') ? [text] : [];
  });
}

describe('the transcript of kubectl', () => {
  let board: Board;
  beforeAll(async () => {
    board = Board.create({ agent: false });
    await board.start();
  });
  afterAll(async () => await board.remove());

  const play = async (
    version: keyof typeof KUBECTL,
    namespace: string,
    { command }: Step,
  ): Promise<string[]> => {
    const script = `${KUBECTL[version]()} -n ${namespace} ${command.replaceAll('default:', `${namespace}:`)}`;
    const { stdout, stderr } = await board.run(['sh', '-c', `${script} 2>&1`], { input: MANIFEST });
    return normalize(stdout + stderr, namespace);
  };

  // Beside each other: each has a namespace of its own, and waits for its own answers most of the time.
  it.concurrent.each(VERSIONS)('%s prints what upstream prints', { timeout: 300_000 }, async (version) => {
    const namespace = `ns-${version.replace('.', '')}`;
    await board.ok(['create', 'namespace', namespace]);
    const steps = readSteps();
    const played: Step[] = [];
    for (const step of steps)
      played.push({ command: step.command, output: await play(version, namespace, step) });
    if (process.env['KEDGE_UPDATE_GOLDEN'] && version === NEWEST)
      writeFileSync(
        GOLDEN,
        played
          .map(({ command, output }) => ['$ '.concat(command), ...output].join('\n'))
          .join('\n')
          .concat('\n'),
      );
    expect(played).toEqual(steps.map((step) => ({ command: step.command, output: expected(step, version) })));
  });
});
