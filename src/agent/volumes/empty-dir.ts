import { chmod, mkdir } from 'node:fs/promises';
import { wholeValue } from '../../api/quantity.ts';
import { isMountPoint } from './mount-table.ts';
import type { VolumeKind } from './volume.ts';

/** On the disk of the node, or a tmpfs of its own with `medium: Memory`. Lives as long as the pod. */
export const emptyDir: VolumeKind = {
  live: false,
  async mount({ volume, dataDir, stateDir, exec }) {
    const { medium = '', sizeLimit } = volume.emptyDir ?? {};
    if (medium !== '' && medium !== 'Memory')
      throw new Error(`unknown storage medium ${JSON.stringify(medium)}`);
    const dir = medium === 'Memory' ? stateDir : dataDir;
    await mkdir(dir, { recursive: true });
    if (medium === 'Memory' && !(await isMountPoint(dir))) {
      const size = sizeLimit === undefined ? [] : [`size=${wholeValue(sizeLimit)}`];
      const options = ['nosuid', 'nodev', 'mode=0777', ...size].join(',');
      await exec.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', dir]);
    } else await chmod(dir, 0o777);
    return { hostPath: dir, ownable: true };
  },
};
