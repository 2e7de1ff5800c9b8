import { basename } from 'node:path';
import { errorText } from '../lib/log.ts';
import { VERSION } from '../lib/version.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { Failure, usageFailure } from './failure.ts';
import { nearest } from './nearest.ts';
import { parseCommand } from './parse.ts';

/**
 * Runs the command named by the arguments and returns the exit code: 0 done, 1 failed, 2 wrong usage. Called
 * under the name `kubectl` (a link to the file), it is `kedge kubectl`.
 */
export async function main(argv: readonly string[], argv0: string): Promise<number> {
  try {
    const args = basename(argv0) === 'kubectl' ? ['kubectl', ...argv] : argv;
    return await dispatch(args);
  } catch (error) {
    process.stderr.write(`kedge: ${error instanceof Failure ? error.message : errorText(error)}\n`);
    if (process.env['KEDGE_TRACE'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return error instanceof Failure ? error.exitCode : 1;
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(overview());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v' || name === 'version') {
    process.stdout.write(`kedge version ${VERSION}\n`);
    return 0;
  }
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) throw usageFailure(unknownCommand(name));
  return await run(command, rest);
}

async function run(command: Command, argv: readonly string[]): Promise<number> {
  if (command.runRaw) return await command.runRaw(argv);
  if (command.subcommands) return await runSubcommand(command, command.subcommands, argv);
  const parsed = await parseCommand(command, argv, process.env);
  if (parsed === undefined) return 0;
  return (await command.run?.(parsed.values, parsed.operands)) ?? 0;
}

async function runSubcommand(
  { name, about }: Command,
  subcommands: readonly Command[],
  [wanted, ...rest]: readonly string[],
): Promise<number> {
  if (wanted === undefined || wanted === '--help' || wanted === '-h') {
    const width = Math.max(...subcommands.map((one) => one.name.length));
    const rows = subcommands.map((one) => `  kedge ${name} ${one.name.padEnd(width)}  ${one.describe}`);
    process.stdout.write([about, '', ...rows, ''].join('\n'));
    return wanted === undefined ? 2 : 0;
  }
  const command = subcommands.find((one) => one.name === wanted);
  if (command !== undefined) return await run({ ...command, name: `${name} ${wanted}` }, rest);
  const near = nearest(
    wanted,
    subcommands.map((one) => one.name),
  );
  throw usageFailure(
    `unknown command ${JSON.stringify(wanted)} for kedge ${name}${near === undefined ? '' : `; did you mean ${near}?`}`,
  );
}

function unknownCommand(name: string): string {
  const near = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  return `unknown command ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean kedge ${near}?`} (see kedge --help)`;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const rows = COMMANDS.map(({ name, describe }) => `  kedge ${name.padEnd(width)}  ${describe}`);
  return [
    'Kedge: a whole Kubernetes for a board you can hold in one hand.',
    '',
    'Commands:',
    ...rows,
    `  kedge ${'version'.padEnd(width)}  Print the version`,
    '',
    'kedge <command> --help explains a command and its flags. A first evening:',
    '',
    '  sudo kedge server                      # in one terminal',
    '  sudo kedge kubectl get nodes           # in another',
    '  sudo kedge kubectl apply -f hello.yaml',
    '',
  ].join('\n');
}
