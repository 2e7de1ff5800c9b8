import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { claimDataDir } from './claim.ts';

it('gives a data directory to one at a time, by whatever name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-claim-'));
  const link = `${folder}-link`;
  symlinkSync(folder, link);
  try {
    const release = await claimDataDir(folder);
    await expect(claimDataDir(link)).rejects.toThrow(`${link} is in use by another kedge agent`);
    await release();
    await (await claimDataDir(link))();
  } finally {
    rmSync(link);
    rmSync(folder, { recursive: true });
  }
});
