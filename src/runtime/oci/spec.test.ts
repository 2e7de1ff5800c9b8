import { describe, expect, it } from 'vitest';
import { containerConfig } from '../../../test/contract/runtime.ts';
import type { ContainerConfig, ContainerSecurity } from '../port.ts';
import { CAPABILITIES, capabilitiesOf, effectiveCapabilities } from './capabilities.ts';
import { defaultSeccomp } from './seccomp.ts';
import { buildSpec, type SpecInput } from './spec.ts';
import { resolveUser } from './user.ts';

const input = (config: Partial<ContainerConfig> = {}, extra: Partial<SpecInput> = {}): SpecInput => ({
  config: containerConfig('pod-1', 'true', config),
  image: { Entrypoint: ['/entry'], Cmd: ['default'], Env: ['PATH=/image', 'A=1'], WorkingDir: '/srv' },
  user: { uid: 7, gid: 8, additionalGids: [8] },
  rootfsPath: '/rootfs',
  cgroupsPath: '/kedge/pods/pod1/c1',
  cgroupVersion: 2,
  namespaces: { network: '/ns/net', ipc: '/ns/ipc', uts: '/ns/uts' },
  pidNamespace: 'new',
  shmPath: '/ns/shm',
  hostname: 'web-0',
  hostDevices: [],
  capabilities: CAPABILITIES,
  arch: 'arm64',
  ...extra,
});
const security = (changes: Partial<ContainerSecurity>): ContainerSecurity => ({
  ...containerConfig('', '').security,
  ...changes,
});

describe('buildSpec', () => {
  it.each([
    ['image alone', [], [], ['/entry', 'default']],
    ['args', [], ['x'], ['/entry', 'x']],
    ['command', ['/c'], [], ['/c']],
    ['both', ['/c'], ['x'], ['/c', 'x']],
  ])('takes argv from %s', (_, command, args, expected) => {
    expect(buildSpec(input({ command, args })).process.args).toEqual(expected);
  });

  it('refuses a container without a command', () => {
    expect(() => buildSpec(input({ command: [] }, { image: {} }))).toThrow(
      'container main: no command specified',
    );
  });

  it('lets the pod override the image and gives what both lack', () => {
    const spec = buildSpec(input({ env: [{ name: 'A', value: '2=3' }] }));
    expect(spec.process.env).toEqual(['PATH=/image', 'HOSTNAME=web-0', 'A=2=3']);
    expect(spec.process.cwd).toBe('/srv');
    expect(buildSpec(input({ workingDir: '/w' }, { image: { Cmd: ['x'] } })).process).toMatchObject({
      cwd: '/w',
      env: [expect.stringMatching(/^PATH=.*\/usr\/bin/), 'HOSTNAME=web-0'],
    });
  });

  it('joins the namespaces of the sandbox and makes the others', () => {
    expect(buildSpec(input()).linux.namespaces).toEqual([
      { type: 'mount' },
      { type: 'network', path: '/ns/net' },
      { type: 'ipc', path: '/ns/ipc' },
      { type: 'uts', path: '/ns/uts' },
      { type: 'pid' },
      { type: 'cgroup' },
    ]);
    const host = buildSpec(input({}, { namespaces: {}, pidNamespace: 'host', cgroupVersion: 1 }));
    expect(host.linux.namespaces).toEqual([{ type: 'mount' }]);
  });

  it('mounts parents before children, and in place of what the system would mount', () => {
    const mount = (containerPath: string, extra = {}) => ({
      hostPath: '/h',
      containerPath,
      readOnly: false,
      ...extra,
    });
    const { mounts, linux } = buildSpec(
      input({
        mounts: [
          mount('/etc/app/file', { readOnly: true }),
          mount('/etc/', { propagation: 'HostToContainer' }),
          mount('/dev/shm'),
        ],
      }),
    );
    const bound = mounts.filter(({ source }) => source === '/h');
    expect(bound.map(({ destination, options }) => [destination, ...options])).toEqual([
      ['/etc', 'rbind', 'rslave', 'rw'],
      ['/dev/shm', 'rbind', 'rprivate', 'rw'],
      ['/etc/app/file', 'rbind', 'rprivate', 'ro'],
    ]);
    expect(mounts.filter(({ destination }) => destination === '/dev/shm')).toHaveLength(1);
    expect(linux.rootfsPropagation).toBe('rslave');
  });

  it('protects the kernel from a container unless it is privileged', () => {
    const plain = buildSpec(input({ security: security({ allowPrivilegeEscalation: false }) }));
    expect(plain.process.noNewPrivileges).toBe(true);
    expect(plain.linux.maskedPaths).toContain('/proc/kcore');
    expect(plain.linux.resources.devices[0]).toEqual({ allow: false, access: 'rwm' });
    expect(plain.mounts.find(({ destination }) => destination === '/sys')?.options).toContain('ro');
    const device = {
      path: '/dev/kmsg',
      type: 'c',
      major: 1,
      minor: 11,
      fileMode: 0o644,
      uid: 0,
      gid: 0,
    } as const;
    const all = buildSpec(input({ security: security({ privileged: true }) }, { hostDevices: [device] }));
    expect(all.linux).toMatchObject({ maskedPaths: [], readonlyPaths: [], devices: [device] });
    expect(all.linux.seccomp).toBeUndefined();
    expect(all.process.capabilities.bounding).toEqual(CAPABILITIES);
  });

  it('carries limits, and shares one shim within the pod', () => {
    const resources = {
      cpuShares: 102,
      cpuQuotaMicros: 50_000,
      cpuPeriodMicros: 100_000,
      memoryLimitBytes: 1e6,
      pidsLimit: 9,
      oomScoreAdj: 999,
    };
    const spec = buildSpec(input({ resources }));
    expect(spec.linux.resources).toMatchObject({
      cpu: { shares: 102, quota: 50_000, period: 100_000 },
      memory: { limit: 1e6 },
      pids: { limit: 9 },
    });
    expect(spec.process.oomScoreAdj).toBe(999);
    expect(spec.annotations).toEqual({ 'io.containerd.runc.v2.group': 'pod-1' });
  });

  it('uses the profile that the pod names', () => {
    const profile = { defaultAction: 'SCMP_ACT_ALLOW', architectures: [], syscalls: [] };
    const named = security({ seccomp: { localhostPath: '/p.json' } });
    expect(buildSpec(input({ security: named }, { localSeccomp: profile })).linux.seccomp).toBe(profile);
    expect(buildSpec(input({ security: security({ seccomp: 'Unconfined' }) })).linux.seccomp).toBeUndefined();
  });
});

describe('capabilities', () => {
  const of = (add: string[], drop: string[]) =>
    effectiveCapabilities({ privileged: false, add, drop, available: CAPABILITIES });

  it('start from fourteen and follow add and drop', () => {
    expect(of([], [])).toHaveLength(14);
    expect(of(['NET_ADMIN'], ['CAP_CHOWN'])).toEqual(expect.arrayContaining(['CAP_NET_ADMIN']));
    expect(of(['NET_ADMIN'], ['CAP_CHOWN'])).not.toContain('CAP_CHOWN');
    expect(of(['net_bind_service'], ['ALL'])).toEqual(['CAP_NET_BIND_SERVICE']);
    expect(of(['ALL'], ['SYS_ADMIN'])).toEqual(CAPABILITIES.filter((name) => name !== 'CAP_SYS_ADMIN'));
  });

  it('never promise what the machine does not have', () => {
    const available = capabilitiesOf('0000000000000003');
    expect(available).toEqual(['CAP_CHOWN', 'CAP_DAC_OVERRIDE']);
    expect(effectiveCapabilities({ privileged: true, add: [], drop: [], available })).toEqual(available);
  });
});

describe('the default seccomp profile', () => {
  it('opens namespaces only to those who may administer', () => {
    const names = (capabilities: string[]) =>
      defaultSeccomp(capabilities, 'x64').syscalls.flatMap(({ names: found, action, args }) =>
        action === 'SCMP_ACT_ALLOW' && !args ? found : [],
      );
    expect(names([])).not.toEqual(expect.arrayContaining(['unshare']));
    expect(names(['CAP_SYS_ADMIN'])).toEqual(expect.arrayContaining(['unshare', 'mount', 'clone3']));
    expect(names([])).not.toContain('io_uring_setup');
    expect(defaultSeccomp([], 'arm64').architectures).toContain('SCMP_ARCH_AARCH64');
  });
});

describe('resolveUser', () => {
  const files = {
    passwd: 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/:/bin/sh\n',
    group: 'root:x:0:\nextra:x:1002:web,other\nnum:x:1003:web\n',
    supplementalGroups: [],
  };
  it.each([
    ['', {}, { uid: 0, gid: 0, additionalGids: [0] }],
    ['web', {}, { uid: 1000, gid: 1001, additionalGids: [1001, 1002, 1003] }],
    ['1000', {}, { uid: 1000, gid: 1001, additionalGids: [1001, 1002, 1003] }],
    ['web:extra', {}, { uid: 1000, gid: 1002, additionalGids: [1002, 1003] }],
    ['77:88', {}, { uid: 77, gid: 88, additionalGids: [88] }],
    ['web', { runAsUser: 5 }, { uid: 5, gid: 0, additionalGids: [0] }],
    [
      'web',
      { runAsUser: 5, runAsGroup: 6, supplementalGroups: [9] },
      { uid: 5, gid: 6, additionalGids: [6, 9] },
    ],
  ])('%j with %j', (imageUser, extra, expected) => {
    expect(resolveUser({ ...files, imageUser, ...extra })).toEqual(expected);
  });

  it('names a user or group that the image does not have', () => {
    expect(() => resolveUser({ ...files, imageUser: 'nobody' })).toThrow(/unable to find user nobody/);
    expect(() => resolveUser({ ...files, imageUser: 'web:none' })).toThrow(/unable to find group none/);
  });
});
