import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CAPABILITIES, capabilitiesOf } from '../oci/capabilities.ts';
import type { OciDevice } from '../oci/types.ts';

/** What this process could pass on: inside a virtual machine or a container that may be less than the kernel knows. */
export function availableCapabilities(): readonly string[] {
  const mask = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return mask === undefined ? CAPABILITIES : capabilitiesOf(mask);
}

/** Parts of /dev that a container has of its own. */
const SKIPPED = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console']);
const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** Every device node of the host, as a privileged container gets them. */
export function hostDevices(dir = '/dev'): readonly OciDevice[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry): readonly OciDevice[] => {
    const path = join(dir, entry.name);
    if (SKIPPED.has(entry.name) || entry.isSymbolicLink()) return [];
    if (entry.isDirectory()) return hostDevices(path);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    const stat = statSync(path, { throwIfNoEntry: false });
    const kind = (stat?.mode ?? 0) & S_IFMT;
    if (!stat || (kind !== S_IFCHR && kind !== S_IFBLK)) return [];
    return [
      {
        path,
        type: kind === S_IFCHR ? 'c' : 'b',
        ...deviceNumbers(stat.rdev),
        fileMode: stat.mode & 0o777,
        uid: stat.uid,
        gid: stat.gid,
      },
    ];
  });
}

/** glibc's encoding of a device number (`gnu_dev_major`, `gnu_dev_minor`), within 32 bits. */
export function deviceNumbers(rdev: number): { readonly major: number; readonly minor: number } {
  return { major: (rdev >> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >> 12) & 0xfff00) };
}
