import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types.gen.ts';
import { silentLogger } from '../../lib/log.ts';
import { Checkpoint } from './checkpoint.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kedge-checkpoint-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = (): Checkpoint => new Checkpoint({ dir, log: silentLogger });
const pod = (extra: object = {}): Pod => ({
  metadata: { name: 'web', uid: 'u1', resourceVersion: '7' },
  spec: { containers: [] },
  status: { phase: 'Running' },
  ...extra,
});

describe('checkpoint', () => {
  it('gives back pods without what changes all the time, private to root', async () => {
    await open().savePod(pod());
    expect(await open().pods()).toEqual([
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', uid: 'u1' }, spec: { containers: [] } },
    ]);
    expect((await stat(join(dir, 'pods', 'u1.json'))).mode & 0o777).toBe(0o600);
  });

  it('writes nothing when only the status changed', async () => {
    const first = open();
    await first.savePod(pod());
    const { mtimeMs, ino } = await stat(join(dir, 'pods', 'u1.json'));
    await first.savePod(pod({ status: { phase: 'Failed' } }));
    const again = open();
    await again.pods();
    await again.savePod(pod({ metadata: { name: 'web', uid: 'u1', resourceVersion: '9' } }));
    const after = await stat(join(dir, 'pods', 'u1.json'));
    expect([after.mtimeMs, after.ino]).toEqual([mtimeMs, ino]);
  });

  it('leaves out a damaged file and half a write', async () => {
    await open().savePod(pod());
    await writeFile(join(dir, 'pods', 'u2.json'), '{"metadata":');
    await writeFile(join(dir, 'pods', 'u3.json.new'), '{}');
    expect((await open().pods()).map(({ metadata }) => metadata.uid)).toEqual(['u1']);
  });

  it('keeps objects until nobody names them', async () => {
    const one = open();
    await one.saveObject('secrets|n|s', { metadata: { name: 's' }, data: { a: 'b' } } as never);
    expect(await open().object('secrets|n|s')).toMatchObject({ data: { a: 'b' } });
    await one.removeObject('secrets|n|s');
    expect(await open().object('secrets|n|s')).toBeUndefined();
    expect(await readdir(join(dir, 'objects'))).toEqual([]);
  });
});
