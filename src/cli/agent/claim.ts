import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { Failure } from '../failure.ts';

/**
 * Makes sure that one agent alone works on a data directory, until the returned function is called or the process ends,
 * however it ends: the kernel holds the claim as a socket without a file. Throws a `Failure` when another one has it.
 */
export async function claimDataDir(dataDir: string): Promise<() => Promise<void>> {
  const name = createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 32);
  const claim = createServer();
  await new Promise<void>((resolve, reject) => {
    claim.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new Failure(`${dataDir} is in use by another kedge agent`, 1, { cause })
          : cause,
      ),
    );
    claim.listen(`\0kedge-agent-${name}`, resolve);
  });
  return () => new Promise((resolve) => claim.close(() => resolve()));
}
