import { usageFailure } from '../failure.ts';
import { nearest } from '../nearest.ts';

/** Flags of `kedge kubectl`: kubectl's names, with their one-letter forms. */
const FLAGS = {
  namespace: { short: 'n', takes: 'value' },
  'all-namespaces': { short: 'A', takes: 'none' },
  output: { short: 'o', takes: 'value' },
  selector: { short: 'l', takes: 'value' },
  'field-selector': { takes: 'value' },
  filename: { short: 'f', takes: 'values' },
  kubeconfig: { takes: 'value' },
  container: { short: 'c', takes: 'value' },
  follow: { takes: 'none' },
  previous: { short: 'p', takes: 'none' },
  timestamps: { takes: 'none' },
  tail: { takes: 'value' },
  since: { takes: 'value' },
  stdin: { short: 'i', takes: 'none' },
  tty: { short: 't', takes: 'none' },
  watch: { short: 'w', takes: 'none' },
  force: { takes: 'none' },
  'force-conflicts': { takes: 'none' },
  'server-side': { takes: 'none' },
  'field-manager': { takes: 'value' },
  'grace-period': { takes: 'value' },
  'ignore-not-found': { takes: 'none' },
  'show-labels': { takes: 'none' },
  'no-headers': { takes: 'none' },
  all: { takes: 'none' },
  wait: { takes: 'optional' },
  timeout: { takes: 'value' },
  replicas: { takes: 'value' },
  'dry-run': { takes: 'optional' },
  help: { short: 'h', takes: 'none' },
} as const satisfies Record<string, { short?: string; takes: 'none' | 'value' | 'values' | 'optional' }>;

export type FlagName = keyof typeof FLAGS;

export interface KubectlArgs {
  readonly positionals: readonly string[];
  /** What follows `--`, as for `exec`. */
  readonly rest: readonly string[];
  get(name: FlagName): string | undefined;
  all(name: FlagName): readonly string[];
  has(name: FlagName): boolean;
}

/** Splits kubectl's command line. `-f` means `--follow` for `logs` and `--filename` elsewhere, as in kubectl. */
export function parseKubectlArgs(argv: readonly string[]): KubectlArgs {
  const positionals: string[] = [];
  const values = new Map<FlagName, string[]>();
  const stop = argv.indexOf('--');
  const own = [...(stop < 0 ? argv : argv.slice(0, stop))];
  const rest = stop < 0 ? [] : argv.slice(stop + 1);
  const add = (name: FlagName, value: string): void => {
    values.set(name, [...(values.get(name) ?? []), value]);
  };
  while (own.length > 0) {
    const argument = own.shift() ?? '';
    if (!argument.startsWith('-') || argument === '-') {
      positionals.push(argument);
      continue;
    }
    for (const [name, inline] of namesIn(argument, positionals[0] === 'logs')) {
      const { takes } = FLAGS[name];
      if (takes === 'none') add(name, inline ?? 'true');
      else if (takes === 'optional') add(name, inline ?? 'true');
      else {
        const value = inline ?? own.shift();
        if (value === undefined) throw usageFailure(`flag needs an argument: --${name}`);
        add(name, value);
      }
    }
  }
  return {
    positionals,
    rest,
    get: (name) => values.get(name)?.at(-1),
    all: (name) => values.get(name) ?? [],
    has: (name) => values.has(name) && values.get(name)?.at(-1) !== 'false',
  };
}

/** The flags one argument names: `--output=json`, `-ojson`, `-it`. */
function namesIn(argument: string, isLogs: boolean): [FlagName, string | undefined][] {
  if (argument.startsWith('--')) {
    const [text = '', ...more] = argument.slice(2).split('=');
    if (!Object.hasOwn(FLAGS, text)) throw unknown(`--${text}`);
    return [[text as FlagName, more.length > 0 ? more.join('=') : undefined]];
  }
  const found: [FlagName, string | undefined][] = [];
  let letters = argument.slice(1);
  while (letters !== '') {
    const letter = letters[0] ?? '';
    letters = letters.slice(1);
    const name = isLogs && letter === 'f' ? 'follow' : byLetter(letter);
    if (name === undefined) throw unknown(`-${letter}`);
    if (FLAGS[name].takes === 'none') found.push([name, undefined]);
    else {
      found.push([name, letters === '' ? undefined : letters.replace(/^=/, '')]);
      letters = '';
    }
  }
  return found;
}

function byLetter(letter: string): FlagName | undefined {
  return (Object.keys(FLAGS) as FlagName[]).find(
    (name) => 'short' in FLAGS[name] && FLAGS[name].short === letter,
  );
}

function unknown(flag: string): Error {
  const near = nearest(flag.replace(/^-+/, ''), Object.keys(FLAGS));
  return usageFailure(
    `unknown flag ${flag}${near === undefined ? '' : `; did you mean --${near}?`} (see kedge kubectl --help)`,
  );
}
