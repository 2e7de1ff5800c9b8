/** One flag of a command, which is also a key of the configuration file and an environment variable. */
export interface Flag {
  readonly type: 'string' | 'number' | 'boolean' | 'list';
  readonly describe: string;
  readonly default?: string | number | boolean | readonly string[];
  /** Shown in the help as the value's name. */
  readonly value?: string;
  readonly alias?: string;
  readonly env?: string;
  readonly group: string;
  readonly choices?: readonly string[];
}

export type Flags = Readonly<Record<string, Flag>>;
export type FlagValue = string | number | boolean | readonly string[] | undefined;
export type FlagValues = Readonly<Record<string, FlagValue>>;

/** `KEDGE_NODE_NAME` for `node-name`. */
export function envName(name: string): string {
  return `KEDGE_${name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Turns text (or a YAML value) into the flag's type. Returns an error text when it does not fit; lists take
 * repeated values and commas alike, as K3s' do.
 */
export function convert(flag: Flag, raw: unknown): { value: FlagValue } | { error: string } {
  switch (flag.type) {
    case 'boolean':
      if (typeof raw === 'boolean') return { value: raw };
      if (raw === 'true' || raw === '') return { value: true };
      if (raw === 'false') return { value: false };
      return { error: `must be true or false, not ${JSON.stringify(raw)}` };
    case 'number': {
      const number =
        typeof raw === 'number' ? raw : typeof raw === 'string' && raw !== '' ? Number(raw) : Number.NaN;
      return Number.isSafeInteger(number)
        ? { value: number }
        : { error: `must be a whole number, not ${JSON.stringify(raw)}` };
    }
    case 'list': {
      const parts = (Array.isArray(raw) ? raw : [raw]).map((part) => scalar(part));
      if (parts.some((part) => part === undefined))
        return { error: `must be a list of values, not ${JSON.stringify(raw)}` };
      return { value: parts.flatMap((part) => (part ?? '').split(',')).filter((part) => part !== '') };
    }
    default: {
      const text = scalar(raw);
      if (text === undefined) return { error: `must be a single value, not ${JSON.stringify(raw)}` };
      if (flag.choices && !flag.choices.includes(text)) {
        return { error: `must be one of ${flag.choices.join(', ')}, not ${JSON.stringify(text)}` };
      }
      return { value: text };
    }
  }
}

function scalar(raw: unknown): string | undefined {
  return typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean'
    ? String(raw)
    : undefined;
}
