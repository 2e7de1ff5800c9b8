import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { settled } from '../../../test/fixtures/settled.ts';
import type { Pod } from '../../api/types.gen.ts';
import { createExec } from '../../lib/exec.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger as log } from '../../lib/log.ts';
import { removeTree } from './remove-tree.ts';
import type { VolumeObjects } from './volume.ts';
import { VolumeManager } from './volume-manager.ts';

it('renews a token in the end although the server refused it once', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'kedge-tokens-'));
  const clock = new FakeClock(undefined, settled);
  const exec = createExec();
  let isRefused = false;
  const volumes = new VolumeManager({
    ...{ dataDir: join(dir, 'data'), stateDir: join(dir, 'run'), clock, exec, log },
    // Only a token is projected.
    objects: {} as VolumeObjects,
    token: async () => {
      if (isRefused) throw new Error('failed to fetch token: Unauthorized');
      return { token: `of ${clock.now()}`, expiresAtMs: clock.now() + 3_600_000 };
    },
    certificate: async () => {
      throw new Error('none is asked for');
    },
    image: async () => [],
    forget: () => {},
  });
  const sources = [{ serviceAccountToken: { path: 'token' } }];
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: { containers: [], volumes: [{ name: 'v', projected: { sources } }] },
  };
  try {
    await volumes.mountAll(pod, {} as Parameters<VolumeManager['mountAll']>[1]);
    const shown = (): Promise<string> =>
      readFile(join(volumes.mounted(pod, 'v')?.hostPath ?? '', 'token'), 'utf8');
    const first = await shown();
    isRefused = true;
    await clock.advance(3_600_000);
    expect(await shown()).toBe(first);
    isRefused = false;
    await clock.advance(LIMITS.agent.refreshRetryMs);
    expect(await shown()).not.toBe(first);
    volumes.stop();
    expect(clock.timers).toBe(0);
  } finally {
    await removeTree(dir, exec);
  }
});

it('shows many changes at once with two refreshes, the last one last', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'kedge-refresh-'));
  const exec = createExec();
  let reads = 0;
  const volumes = new VolumeManager({
    ...{
      dataDir: join(dir, 'data'),
      stateDir: join(dir, 'run'),
      clock: new FakeClock(undefined, settled),
      exec,
      log,
    },
    objects: {
      configMap: async () => {
        reads++;
        return { metadata: {}, data: {} };
      },
    } as unknown as VolumeObjects,
    token: async () => undefined,
    certificate: async () => {
      throw new Error('none is asked for');
    },
    image: async () => [],
    forget: () => {},
  });
  const items = [{ path: 'label', fieldRef: { fieldPath: "metadata.labels['a']" } }];
  const sources = [{ configMap: { name: 'map' } }, { downwardAPI: { items } }];
  const labelled = (a: string): Pod => ({
    metadata: { name: 'p', namespace: 'default', uid: 'u', labels: { a } },
    spec: { containers: [], volumes: [{ name: 'v', projected: { sources } }] },
  });
  const none = {} as Parameters<VolumeManager['mountAll']>[1];
  try {
    await volumes.mountAll(labelled('0'), none);
    reads = 0;
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => volumes.refresh(labelled(String(index)), none)),
    );
    const shown = join(volumes.mounted(labelled(''), 'v')?.hostPath ?? '', 'label');
    expect(await readFile(shown, 'utf8')).toBe('49');
    expect(reads).toBeLessThanOrEqual(2);
  } finally {
    volumes.stop();
    await removeTree(dir, exec);
  }
});
