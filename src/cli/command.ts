import type { Flags, FlagValues } from './flag.ts';

/** One command of `kedge`. Adding one is a file and a line in `commands.ts`. */
export interface Command {
  readonly name: string;
  readonly describe: string;
  /** Longer text above the flags in `--help`. */
  readonly about: string;
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly flags: Flags;
  /** Flags may come from `/etc/kedge/config.yaml` and `KEDGE_*` as well. */
  readonly configurable?: boolean;
  /** What it takes besides flags, as the help shows it, such as `[token]`; absent where it takes nothing. */
  readonly operands?: { readonly usage: string; readonly atLeast: number; readonly atMost: number };
  /** `kedge <name> <subcommand>`; their names here are the subcommand's alone. */
  readonly subcommands?: readonly Command[];
  /** Everything after the command's name goes to `runRaw` unparsed. */
  readonly run?: (values: FlagValues, operands: readonly string[]) => Promise<number>;
  readonly runRaw?: (argv: readonly string[]) => Promise<number>;
}
