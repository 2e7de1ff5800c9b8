import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { errorText } from '../../lib/log.ts';
import { VERSION } from '../../lib/version.ts';
import { agentCommand } from '../agent/command.ts';
import { agentConfig } from '../agent/config.ts';
import type { Command } from '../command.ts';
import type { Flags, FlagValues } from '../flag.ts';
import { columnsOf } from '../kubectl/table.ts';
import { CNI_BIN_DIRS } from '../node/config.ts';
import { DEFAULT_CONFIG, parseFlags } from '../parse.ts';
import { serverCommand } from '../server/command.ts';
import { serverConfig } from '../server/config.ts';
import type { ConfigFacts } from './facts.ts';
import {
  gatherCgroups,
  gatherCniPlugins,
  gatherKernel,
  gatherMemory,
  gatherPrograms,
  gatherStorage,
  osName,
} from './gather.ts';
import { checkMachine, type Finding } from './plan.ts';

const FLAGS = {
  config: {
    type: 'string',
    alias: 'c',
    value: 'file',
    default: DEFAULT_CONFIG,
    group: 'General',
    describe: 'Configuration file to check',
  },
} as const satisfies Flags;

export const checkConfigCommand: Command = {
  name: 'check-config',
  describe: 'Check whether this machine has what Kedge needs',
  about:
    'Looks at the kernel, at the programs Kedge starts, at disk, memory and clock, and at the configuration file, and\n' +
    'says for each what is missing and how to get it. Changes nothing. Exits with 1 when something is missing without\n' +
    'which Kedge or its pods do not run; warnings name what else will not work.',
  examples: [['kedge check-config', 'before the first start, or when something does not work']],
  flags: FLAGS,
  async run(values) {
    const config = await checkedConfig(values);
    const findings = checkMachine({
      kernel: gatherKernel(),
      cgroups: gatherCgroups(),
      programs: await gatherPrograms(),
      cniPlugins: gatherCniPlugins(CNI_BIN_DIRS),
      cniFolders: CNI_BIN_DIRS,
      storage: gatherStorage(config.dataDir),
      memoryBytes: gatherMemory(),
      nowMs: Date.now(),
      config,
    });
    process.stdout.write(
      `kedge ${VERSION} on ${osName()}, kernel ${release()}, ${process.arch}\n\n${render(findings)}`,
    );
    return findings.some(({ status }) => status === 'missing') ? 1 : 0;
  },
};

/** The commands that read the file; what suits neither is told as the first of them would. */
const READERS = [
  { command: serverCommand, node: (values: FlagValues) => serverConfig(values).node },
  { command: agentCommand, node: (values: FlagValues) => agentConfig(values).node },
] as const;

/** Reads the file as the commands do that would use it. */
async function checkedConfig(values: FlagValues): Promise<ConfigFacts & { readonly dataDir: string }> {
  const path = String(values['config']);
  const exists = existsSync(path) || existsSync(`${path}.d`);
  const argv = exists ? ['--config', path] : [];
  let problem: string | undefined;
  for (const { command, node } of READERS) {
    try {
      const { dataDir, snapshotter } = node((await parseFlags(command, argv, process.env)) ?? {});
      return { path, exists, command: command.name, problem: undefined, dataDir, snapshotter };
    } catch (error) {
      problem ??= errorText(error);
    }
  }
  const usual = { command: serverCommand.name, dataDir: '/var/lib/kedge', snapshotter: 'overlayfs' };
  return { path, exists, problem, ...usual };
}

const MARKS = { ok: 'ok', unknown: 'unknown', warning: 'WARNING', missing: 'MISSING' } as const;

export function render(findings: readonly Finding[]): string {
  const lines = findings.map(({ group, name, status, detail }) => [group, name, MARKS[status], detail]);
  const count = (status: Finding['status']): number =>
    findings.filter((finding) => finding.status === status).length;
  const verdict = count('missing') > 0 ? 'fail' : 'pass';
  return `${columnsOf([['PART', 'CHECK', 'STATUS', 'DETAIL'], ...lines])}\nSTATUS: ${verdict} (${count('missing')} missing, ${count('warning')} warnings)\n`;
}
