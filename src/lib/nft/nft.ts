import { type Exec, ExecError } from '../exec.ts';
import { changeScript, type NftTable, removeScript, replaceScript } from './table.ts';

/** Applies tables through `nft`, each change as one transaction: packets see all of it or nothing. */
export interface Nft {
  /** Applies what differs from the last call for this table; the first call replaces it. No process when nothing does. */
  apply(table: NftTable): Promise<boolean>;
  /** Deletes the table, whether it is there or not; without nft it is not. */
  remove(table: Pick<NftTable, 'family' | 'name'>): Promise<void>;
  /** The ruleset as the kernel lists it back, without counters. */
  list(table: Pick<NftTable, 'family' | 'name'>): Promise<string>;
}

/** `prefix` goes before `nft`, such as `nsenter --net=…`. */
export function createNft({
  exec,
  prefix = [],
}: {
  readonly exec: Exec;
  readonly prefix?: readonly string[];
}): Nft {
  const applied = new Map<string, NftTable>();
  const run = async (script: string): Promise<void> => {
    try {
      await exec.run([...prefix, 'nft', '-f', '-'], { stdin: script });
    } catch (error) {
      throw explain(error);
    }
  };
  return {
    async apply(table) {
      const before = applied.get(table.name);
      const script = before ? changeScript(before, table) : replaceScript(table);
      if (script === '') return false;
      // Should it fail, or somebody else have flushed the rules, the next call starts from nothing.
      applied.delete(table.name);
      try {
        await run(script);
      } catch (error) {
        if (!before) throw error;
        await run(replaceScript(table));
      }
      applied.set(table.name, table);
      return true;
    },
    async remove(table) {
      applied.delete(table.name);
      await run(removeScript(table)).catch((error: unknown) => {
        if (!(error instanceof NftMissingError)) throw error;
      });
    },
    async list({ family, name }) {
      return (await exec.run([...prefix, 'nft', '--stateless', 'list', 'table', family, name])).stdout;
    },
  };
}

class NftMissingError extends Error {
  override readonly name = 'NftMissingError';
  constructor(cause: unknown) {
    super('nft is not installed; install it with: apt install nftables', { cause });
  }
}

function explain(error: unknown): unknown {
  const cause = error instanceof ExecError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  if (cause?.code !== 'ENOENT') return error;
  return new NftMissingError(error);
}
