import yargs from 'yargs';
import type { Command } from './command.ts';
import { readConfigFiles } from './config-file.ts';
import { usageFailure } from './failure.ts';
import { convert, envName, type Flag, type FlagValue, type FlagValues } from './flag.ts';
import { nearest } from './nearest.ts';

export const DEFAULT_CONFIG = '/etc/kedge/config.yaml';

/** Values of a command's flags; `undefined` when help was asked for and printed. Order: flags, environment, files, defaults. */
export async function parseFlags(
  command: Command,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<FlagValues | undefined> {
  return (await parseCommand(command, argv, env))?.values;
}

/** The same, with what was given besides flags. */
export async function parseCommand(
  command: Command,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly values: FlagValues; readonly operands: readonly string[] } | undefined> {
  const parsed = await parseArgv(command, argv);
  if (parsed === undefined) return undefined;
  const { given, operands } = parsed;
  const values: Record<string, FlagValue> = {};
  for (const [name, flag] of Object.entries(command.flags)) values[name] = flag.default;
  if (command.configurable) {
    const named = given['config'] ?? env[envName('config')];
    Object.assign(
      values,
      readConfigFiles(String(named ?? DEFAULT_CONFIG), named !== undefined, command.flags),
    );
  }
  for (const [name, flag] of Object.entries(command.flags)) {
    const variable = flag.env ?? envName(name);
    const text = env[variable];
    if (text !== undefined && text !== '') values[name] = converted(flag, text, variable);
  }
  for (const [name, flag] of Object.entries(command.flags)) {
    if (given[name] !== undefined) values[name] = converted(flag, given[name], `--${name}`);
  }
  return { values, operands };
}

function converted(flag: Flag, raw: unknown, where: string): FlagValue {
  const result = convert(flag, raw);
  if ('error' in result) throw usageFailure(`${where} ${result.error}`);
  return result.value;
}

async function parseArgv(
  command: Command,
  argv: readonly string[],
): Promise<{ given: Record<string, unknown>; operands: readonly string[] } | undefined> {
  checkNames(command, argv);
  let parser = yargs()
    .scriptName('kedge')
    .usage(
      `$0 ${command.name}${command.operands ? ` ${command.operands.usage}` : ''} [flags]\n\n${command.about}`,
    )
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'boolean-negation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'duplicate-arguments-array': true,
    })
    .version(false)
    .alias('h', 'help')
    .exitProcess(false)
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .fail((message, error) => {
      throw error ?? usageFailure(message);
    });
  for (const [name, flag] of Object.entries(command.flags)) {
    parser = parser.option(name, {
      describe: flag.describe,
      group: `${flag.group}:`,
      ...(flag.alias === undefined ? {} : { alias: flag.alias }),
      // Defaults are applied later, below environment and files; here they are only shown.
      ...(flag.default === undefined ? {} : { defaultDescription: String(flag.default) }),
      ...(flag.type === 'boolean'
        ? { type: 'boolean' as const }
        : { type: 'string' as const, requiresArg: true }),
      ...(flag.type === 'list' ? { array: false } : {}),
    });
  }
  for (const [example, what] of command.examples) parser = parser.example(example, what);
  let help = '';
  const parsed = await parser.parse([...argv], {}, (_error, _argv, output) => {
    help = output;
  });
  if (parsed['help'] === true) {
    process.stdout.write(`${help}\n`);
    return undefined;
  }
  const operands = parsed._.map(String);
  checkOperands(command, operands);
  return { given: single(command, parsed), operands };
}

function checkOperands({ name, operands: wanted }: Command, given: readonly string[]): void {
  const extra = given[wanted?.atMost ?? 0];
  if (extra !== undefined)
    throw usageFailure(`kedge ${name} takes no argument ${JSON.stringify(extra)}; see kedge ${name} --help`);
  if (wanted !== undefined && given.length < wanted.atLeast)
    throw usageFailure(`kedge ${name} needs ${wanted.usage}; see kedge ${name} --help`);
}

/** The last of a repeated single-valued flag counts, as with other Kubernetes programs. */
function single(command: Command, parsed: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(command.flags)) {
    const value = parsed[name];
    out[name] = Array.isArray(value) && flag.type !== 'list' ? value.at(-1) : value;
  }
  return out;
}

function checkNames(command: Command, argv: readonly string[]): void {
  const known = Object.entries(command.flags).flatMap(([name, flag]) =>
    flag.alias === undefined ? [name] : [name, flag.alias],
  );
  for (const argument of argv) {
    if (argument === '--') return;
    const name = /^--?([^=]+)/.exec(argument)?.[1];
    if (!argument.startsWith('-') || name === undefined || /^\d/.test(name)) continue;
    if (name === 'help' || name === 'h' || known.includes(name)) continue;
    const near = nearest(name, known);
    throw usageFailure(
      `unknown flag ${argument.split('=')[0]}${near === undefined ? '' : `; did you mean --${near}?`} (see kedge ${command.name} --help)`,
    );
  }
}
