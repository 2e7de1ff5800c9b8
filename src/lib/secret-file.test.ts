import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from './secret-file.ts';

describe('a file that is written atomically', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kedge-secret-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('is there whole, for its owner alone, whatever an earlier try left', async () => {
    const path = join(dir, 'key');
    await writeFile(join(dir, '.key.tmp'), 'half');
    await writeFileAtomic(path, 'new');
    expect([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777]).toEqual(['new', 0o600]);
    expect(await readdir(dir)).toEqual(['key']);
  });

  it('leaves nothing behind that takes room when it cannot be written', async () => {
    await mkdir(join(dir, 'key/inside'), { recursive: true });
    await expect(writeFileAtomic(join(dir, 'key'), 'new')).rejects.toThrow();
    expect(await readdir(dir)).toEqual(['key']);
  });
});
