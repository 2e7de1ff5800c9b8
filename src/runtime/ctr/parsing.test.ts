import { describe, expect, it } from 'vitest';
import { isImageId, normalizeReference, repositoryOf } from '../image-reference.ts';
import { parseEvent } from './events.ts';
import { deviceNumbers } from './host-facts.ts';
import { chainId, lowerDirs, parseImageList, readImageMetadata } from './image-metadata.ts';
import { sysctlPath } from './sandbox.ts';
import { parseDeletedExitCode, parseTaskList } from './task-list.ts';

const stamp = '2026-11-22 08:21:13.352076102 +0000 UTC';

describe('what ctr prints', () => {
  it('gives exits, where a zero status is left out', () => {
    const exit = `${stamp} k8s.io /tasks/exit {"container_id":"a","id":"a","pid":9,"exit_status":137,"exited_at":"2026-11-22T08:21:13.352013304Z"}`;
    const atMs = Date.parse('2026-11-22T08:21:13.352Z');
    expect(parseEvent(exit, 'k8s.io')).toEqual({ type: 'exit', id: 'a', exitCode: 137, atMs });
    expect(parseEvent(exit.replace('"exit_status":137,', ''), 'k8s.io')).toMatchObject({ exitCode: 0 });
  });

  it('leaves out executed processes, other namespaces and other topics', () => {
    const line = (topic: string, body: string) => `${stamp} k8s.io ${topic} ${body}`;
    const exec = line('/tasks/exit', '{"container_id":"a","id":"exec-1","exited_at":"2026-11-22T08:21:13Z"}');
    expect(parseEvent(exec, 'k8s.io')).toBeUndefined();
    expect(parseEvent(line('/tasks/start', '{"container_id":"a"}'), 'k8s.io')).toBeUndefined();
    const image = line('/images/create', '{"name":"x"}');
    expect(parseEvent(image, 'k8s.io')).toEqual({ type: 'image' });
    expect(parseEvent(image, 'other')).toBeUndefined();
    expect(parseEvent('nonsense', 'k8s.io')).toBeUndefined();
  });

  it('gives tasks and the exit code of a deleted one', () => {
    expect(
      parseTaskList('TASK    PID     STATUS    \na-1     42      RUNNING\nb       7       STOPPED\n'),
    ).toEqual([
      { id: 'a-1', pid: 42, status: 'RUNNING' },
      { id: 'b', pid: 7, status: 'STOPPED' },
    ]);
    const stderr = 'time="x" level=warning msg="task a exit with non-zero exit code 3"\n';
    expect(parseDeletedExitCode('a', stderr)).toBe(3);
    expect(parseDeletedExitCode('a', '')).toBe(0);
  });

  it('gives image names and root file systems', () => {
    const list =
      'REF TYPE DIGEST SIZE PLATFORMS LABELS \nr:1 application/x sha256:aa 1.9 MiB linux/amd64 -\n';
    expect(parseImageList(list)).toEqual([{ reference: 'r:1', digest: 'sha256:aa' }]);
    expect(lowerDirs('mount -t bind /s/1/fs / -o ro,rbind\n')).toEqual(['/s/1/fs']);
    const overlay = 'mount -t overlay overlay / -o index=off,lowerdir=/s/2/fs:/s/1/fs\n';
    expect(lowerDirs(overlay)).toEqual(['/s/2/fs', '/s/1/fs']);
    expect(lowerDirs('mount -t fuse3.x x / -o ro')).toBeUndefined();
  });
});

describe('image metadata', () => {
  it('follows an index to the manifest of this machine', async () => {
    const platform = (architecture: string, digest: string) => ({
      digest,
      size: 1,
      platform: { os: 'linux', architecture },
    });
    const blobs: Record<string, object> = {
      index: { manifests: [platform('amd64', 'm-amd'), platform('arm64', 'm-arm')] },
      'm-arm': { config: { digest: 'c-arm', size: 10 }, layers: [{ digest: 'l', size: 100 }] },
      'c-arm': { config: { User: 'web' }, rootfs: { diff_ids: ['sha256:d1'] } },
    };
    const read = async (digest: string): Promise<string> => JSON.stringify(blobs[digest]);
    const found = await readImageMetadata('index', 'arm64', read);
    expect(found).toMatchObject({ id: 'c-arm', config: { User: 'web' }, chainId: 'sha256:d1' });
    expect(found.sizeBytes).toBe(110 + JSON.stringify(blobs['m-arm']).length);
    await expect(readImageMetadata('index', 's390x', read)).rejects.toThrow(/no manifest for linux\/s390x/);
  });

  it('names a stack of layers as the OCI image spec does', () => {
    expect(chainId(['sha256:a'])).toBe('sha256:a');
    // sha256 of "sha256:a sha256:b"
    expect(chainId(['sha256:a', 'sha256:b'])).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(chainId(['sha256:a', 'sha256:b'])).not.toBe(chainId(['sha256:b', 'sha256:a']));
  });
});

describe('image references', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1', 'docker.io/library/busybox:1'],
    ['me/app', 'docker.io/me/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/me/app:2', 'docker.io/me/app:2'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/a/b:v1', 'localhost:5000/a/b:v1'],
    ['registry.example/app', 'registry.example/app:latest'],
    [`busybox@${digest}`, `docker.io/library/busybox@${digest}`],
  ])('%s', (given, full) => {
    expect(normalizeReference(given)).toBe(full);
  });

  it('refuses what is none', () => {
    for (const wrong of ['', 'me/UPPER', 'a b', 'x:', 'a//b', '-x;y', 'app:tag:tag']) {
      expect(() => normalizeReference(wrong), wrong).toThrow(/couldn't parse image name/);
    }
  });

  it('tells ids and repositories', () => {
    expect(isImageId(digest)).toBe(true);
    expect(isImageId('busybox')).toBe(false);
    expect(repositoryOf(`localhost:5000/a:v1@${digest}`)).toBe('localhost:5000/a');
  });
});

describe('names that become paths', () => {
  it('never leave their directory', () => {
    expect(sysctlPath('net.ipv4.ip_forward')).toBe('net/ipv4/ip_forward');
    expect(sysctlPath('net/ipv4/conf/eth0.1/rp_filter')).toBe('net/ipv4/conf/eth0.1/rp_filter');
    expect(() => sysctlPath('net/../../x')).toThrow(/is not a name/);
    expect(() => sysctlPath('a b')).toThrow(/is not a name/);
  });

  it('reads device numbers', () => {
    expect(deviceNumbers(0x0103)).toEqual({ major: 1, minor: 3 });
    expect(deviceNumbers(0x100803)).toEqual({ major: 8, minor: 0x103 });
  });
});
