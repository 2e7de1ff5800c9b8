import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExec } from '../../lib/exec.ts';
import { writeAtomically } from './atomic-writer.ts';
import { checkHostPath } from './host-path.ts';
import { image } from './image.ts';
import { isMountPoint, parseMountInfo } from './mount-table.ts';
import { applyFsGroup } from './ownership.ts';
import { type Payload, safePath, selectKeys } from './payload.ts';
import { removeTree } from './remove-tree.ts';
import { bindSubPath } from './sub-path.ts';
import type { VolumeContext } from './volume.ts';

const exec = createExec();
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kedge-volumes-'));
});
afterEach(() => removeTree(dir, exec));

const payload = (files: Record<string, string>, mode = 0o644): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));

describe('atomic writer', () => {
  it('shows files through ..data and replaces all of them at once', async () => {
    expect(await writeAtomically(dir, payload({ a: '1', 'deep/b': '2' }), '1')).toBe(true);
    expect(await readlink(join(dir, 'a'))).toBe('..data/a');
    expect(await readFile(join(dir, 'deep/b'), 'utf8')).toBe('2');
    expect(await writeAtomically(dir, payload({ a: '1', 'deep/b': '2' }), '2')).toBe(false);
    expect(await writeAtomically(dir, payload({ a: '3' }), '3')).toBe(true);
    expect((await readdir(dir)).sort()).toEqual(['..3', '..data', 'a']);
    expect(await readFile(join(dir, 'a'), 'utf8')).toBe('3');
  });

  it('sets modes whatever the umask is, and goes on after dying half way', async () => {
    await mkdir(join(dir, '..1'));
    await symlink('..0', join(dir, '..data_tmp'));
    await writeAtomically(dir, payload({ key: 'x' }, 0o600), '1');
    expect((await stat(join(dir, 'key'))).mode & 0o777).toBe(0o600);
    await writeAtomically(dir, payload({ key: 'x' }, 0o666), '2');
    expect((await stat(join(dir, 'key'))).mode & 0o777).toBe(0o666);
  });
});

describe('payload', () => {
  const source = {
    kind: 'ConfigMap',
    namespace: 'n',
    name: 'm',
    entries: new Map([['a', Buffer.from('1')]]),
  } as const;
  it('takes items at their paths and refuses a missing key, unless optional', () => {
    const chosen = selectKeys(source, [{ key: 'a', path: 'x/y', mode: 0o400 }], 0o644, false);
    expect([...chosen]).toEqual([['x/y', { data: Buffer.from('1'), mode: 0o400 }]]);
    const missing = [{ key: 'b', path: 'b' }];
    expect(() => selectKeys(source, missing, 0o644, false)).toThrow('references non-existent config key: b');
    expect(selectKeys(source, missing, 0o644, true).size).toBe(0);
  });
  it.each(['/etc/passwd', '../up', 'a/../../b', '', '..data'])('refuses the path %j', (path) => {
    expect(() => safePath(path)).toThrow('invalid path');
  });
});

describe('hostPath', () => {
  it('creates, finds and refuses by type', async () => {
    const path = join(dir, 'made');
    await expect(checkHostPath({ path, type: 'Directory' })).rejects.toThrow(
      `hostPath type check failed: ${path} is not a directory`,
    );
    expect(await checkHostPath({ path, type: 'DirectoryOrCreate' })).toBe(path);
    await expect(checkHostPath({ path, type: 'File' })).rejects.toThrow('is not a file');
    const file = join(dir, 'sub', 'file');
    expect(await checkHostPath({ path: file, type: 'FileOrCreate' })).toBe(file);
    expect((await stat(file)).isFile()).toBe(true);
    await expect(checkHostPath({ path: '/a/../etc' })).rejects.toThrow("without '..'");
  });
});

describe('subPath', () => {
  it('binds a directory that it makes, or a file', async () => {
    const volume = join(dir, 'volume');
    await mkdir(volume);
    await writeFile(join(volume, 'file'), 'inside');
    const file = await bindSubPath({ volume, subPath: 'file', target: join(dir, 'f'), exec });
    expect(await readFile(file, 'utf8')).toBe('inside');
    const made = await bindSubPath({ volume, subPath: 'a/b', target: join(dir, 'd'), exec });
    await writeFile(join(made, 'x'), 'y');
    expect(await readFile(join(volume, 'a/b/x'), 'utf8')).toBe('y');
    expect(await isMountPoint(made)).toBe(true);
  });

  it('never leaves its volume', async () => {
    const volume = join(dir, 'volume');
    await mkdir(volume);
    await symlink('/etc', join(volume, 'out'));
    await symlink('inner', join(volume, 'in'));
    await mkdir(join(volume, 'inner'));
    const bind = (subPath: string) => bindSubPath({ volume, subPath, target: join(dir, 't'), exec });
    await expect(bind('out')).rejects.toThrow('leads outside its volume');
    await expect(bind('out/passwd')).rejects.toThrow('leads outside its volume');
    await expect(bind('../x')).rejects.toThrow("must not contain '..'");
    await expect(bind('in')).resolves.toBe(join(dir, 't'));
  });
});

describe('removal', () => {
  it('unmounts first, so that what is behind a mount stays', async () => {
    const data = join(dir, 'precious');
    const pod = join(dir, 'pod');
    await mkdir(data);
    await writeFile(join(data, 'file'), 'kept');
    await mkdir(join(pod, 'volume'), { recursive: true });
    await exec.run(['mount', '--bind', data, join(pod, 'volume')]);
    await removeTree(pod, exec);
    await expect(lstat(pod)).rejects.toThrow('ENOENT');
    expect(await readFile(join(data, 'file'), 'utf8')).toBe('kept');
  });

  it('deletes nothing while something stays mounted', async () => {
    const data = join(dir, 'precious');
    const pod = join(dir, 'pod');
    await mkdir(data);
    await writeFile(join(data, 'file'), 'kept');
    await mkdir(join(pod, 'volume'), { recursive: true });
    await exec.run(['mount', '--bind', data, join(pod, 'volume')]);
    const stubborn = { ...exec, spawned: 0, run: () => Promise.reject(new Error('target is busy')) };
    await expect(removeTree(pod, stubborn)).rejects.toThrow('still mounted');
    expect(await readFile(join(data, 'file'), 'utf8')).toBe('kept');
  });

  it('reads escaped mount points', () => {
    const line = '36 35 98:0 / /mnt/with\\040space rw - ext3 /dev/root rw';
    expect(parseMountInfo(line)).toEqual(['/mnt/with space']);
  });
});

describe('fsGroup', () => {
  it('owns everything by the group and never follows a link', async () => {
    await writeFile(join(dir, 'file'), '');
    await chmod(join(dir, 'file'), 0o600);
    await symlink('/etc/hostname', join(dir, 'link'));
    const before = await stat('/etc/hostname');
    await applyFsGroup(dir, 4711, { readOnly: false, onRootMismatch: false });
    const file = await stat(join(dir, 'file'));
    expect([file.gid, file.mode & 0o7777]).toEqual([4711, 0o660]);
    expect((await stat(dir)).mode & 0o2070).toBe(0o2070);
    expect((await stat('/etc/hostname')).gid).toBe(before.gid);
    await rm(join(dir, 'link'));
  });
});

describe('image', () => {
  it('shows the layers of an image as one, read-only, and only once', async () => {
    const layers = ['top', 'bottom'].map((name) => join(dir, name));
    for (const layer of layers) await mkdir(layer);
    await writeFile(join(layers[1]!, 'file'), 'below');
    await writeFile(join(layers[0]!, 'file'), 'above');
    await writeFile(join(layers[1]!, 'other'), 'too');
    let asked = 0;
    const context = {
      ...{ volume: { name: 'v', image: { reference: 'data' } }, stateDir: join(dir, 'state'), exec },
      image: async () => {
        asked++;
        return layers;
      },
    } as unknown as VolumeContext;
    const { hostPath, readOnly } = await image.mount(context);
    expect(readOnly).toBe(true);
    expect(await readFile(join(hostPath, 'file'), 'utf8')).toBe('above');
    expect(await readFile(join(hostPath, 'other'), 'utf8')).toBe('too');
    await expect(writeFile(join(hostPath, 'new'), '')).rejects.toThrow('EROFS');
    expect((await image.mount(context)).hostPath).toBe(hostPath);
    expect(asked).toBe(1);
    await removeTree(join(dir, 'state'), exec);
    expect(await readFile(join(layers[0]!, 'file'), 'utf8')).toBe('above');
  });
});
