import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMountPoint } from './mount-table.ts';
import type { VolumeKind } from './volume.ts';

/** The files of an OCI image, read-only (KEP-4639). Its layers are shown where containerd has them, never copied. */
export const image: VolumeKind = {
  live: false,
  async mount({ volume, stateDir, exec, image: source }) {
    const root = join(stateDir, 'root');
    const mounted = { hostPath: root, ownable: false, readOnly: true };
    if (await isMountPoint(root)) return mounted;
    const dirs = await source(volume);
    // The kernel wants two layers where nothing can be written.
    const none = join(stateDir, 'none');
    await Promise.all([root, none].map((path) => mkdir(path, { recursive: true })));
    const options = `ro,lowerdir=${[...dirs, none].join(':')}`;
    await exec.run(['mount', '-t', 'overlay', 'overlay', '-o', options, root]);
    return mounted;
  },
};
