import { describe, expect, it } from 'vitest';
import { render } from './command.ts';
import type { KernelFacts, MachineFacts } from './facts.ts';
import { FEATURES, featureState } from './features.ts';
import { checkMachine, type Finding, versionOf } from './plan.ts';
import { CNI_PLUGINS, PROGRAMS } from './programs.ts';

const GiB = 1024 ** 3;
const kernel: KernelFacts = {
  options: new Map(FEATURES.map(({ option }) => [`CONFIG_${option}`, 'y'])),
  modules: new Set(),
  loaded: new Set(),
  fileSystems: new Set(),
  namespaces: new Set(['net', 'ipc', 'uts', 'pid', 'mnt', 'user']),
  hasSeccomp: true,
};
const good: MachineFacts = {
  kernel,
  cgroups: {
    version: 2,
    controllers: new Set(['cpu', 'cpuset', 'io', 'memory', 'pids']),
    cmdline: 'console=tty1 root=/dev/mmcblk0p2',
    cmdlineFile: undefined,
  },
  programs: new Map(
    PROGRAMS.map(({ name }) => [name, { path: `/usr/bin/${name}`, version: `${name} version 1.7.24` }]),
  ),
  cniPlugins: new Set(CNI_PLUGINS),
  cniFolders: ['/opt/cni/bin', '/usr/lib/cni'],
  storage: { dataDir: '/data', freeBytes: 20 * GiB, totalBytes: 30 * GiB, type: 0xef53, isWritable: true },
  memoryBytes: 512 * 1024 * 1024,
  nowMs: Date.UTC(2026, 10, 26, 12),
  config: {
    path: '/etc/kedge/config.yaml',
    exists: false,
    command: 'server',
    problem: undefined,
    snapshotter: 'overlayfs',
  },
};
const notOk = (facts: Partial<MachineFacts>): [string, string, string][] =>
  checkMachine({ ...good, ...facts })
    .filter(({ status }) => status !== 'ok')
    .map(({ name, status, detail }) => [name, status, detail]);

describe('checkMachine', () => {
  it('finds nothing wrong with a board that has everything', () => {
    expect(notOk({})).toEqual([]);
  });

  it('says the exact words and the file that turn memory limits on', () => {
    const controllers = new Set(['cpu', 'cpuset', 'pids']);
    const cgroups = { ...good.cgroups, controllers, cmdlineFile: '/boot/firmware/cmdline.txt' };
    expect(notOk({ cgroups })).toEqual([
      [
        'memory control group',
        'warning',
        'off, so memory limits do not hold: append "cgroup_memory=1 cgroup_enable=memory" to the one line of /boot/firmware/cmdline.txt and reboot',
      ],
    ]);
    const half = { ...cgroups, cmdline: 'x cgroup_memory=1', cmdlineFile: undefined };
    expect(notOk({ cgroups: half })[0]?.[2]).toBe(
      `off, so memory limits do not hold: boot with "cgroup_enable=memory" on the kernel's command line`,
    );
    const both = { ...cgroups, cmdline: 'cgroup_memory=1 cgroup_enable=memory' };
    expect(notOk({ cgroups: both })[0]?.[2]).toMatch(/no CONFIG_MEMCG/);
  });

  it('names packages of programs and plugins, and tells needed from useful', () => {
    const programs = new Map(good.programs);
    for (const name of ['containerd', 'iptables']) programs.delete(name);
    expect(notOk({ programs, cniPlugins: new Set(['ptp', 'portmap']) })).toEqual([
      ['containerd', 'missing', 'runs containers: apt install containerd'],
      ['iptables', 'warning', 'host ports: apt install iptables'],
      [
        'CNI plugins',
        'missing',
        'the network of pods: no host-local in /opt/cni/bin, /usr/lib/cni: apt install containernetworking-plugins',
      ],
    ]);
    programs.set('containerd', { path: '/usr/bin/containerd', version: 'containerd x 1.4.13~ds1' });
    expect(notOk({ programs })).toContainEqual([
      'containerd',
      'missing',
      '1.4.13~ds1 is too old, 1.6 is needed',
    ]);
  });

  it.each<[string, Partial<MachineFacts>, Finding['status'], RegExp]>([
    [
      'namespaces',
      { kernel: { ...kernel, namespaces: new Set(['net']) } },
      'missing',
      /^ipc, uts, pid, mnt:/,
    ],
    ['control groups', { cgroups: { ...good.cgroups, version: undefined } }, 'missing', /nothing is mounted/],
    ['disk', { storage: { ...good.storage, type: 0x794c7630 } }, 'missing', /overlays cannot be stacked/],
    ['disk', { storage: { ...good.storage, type: 0x4d44 } }, 'missing', /FAT knows no owners/],
    ['disk', { storage: { ...good.storage, type: 0x01021994 } }, 'warning', /gone after a reboot/],
    ['disk', { storage: { ...good.storage, freeBytes: GiB } }, 'warning', /^1\.0 GiB of 30\.0 GiB free/],
    ['disk', { storage: { ...good.storage, isWritable: false } }, 'missing', /cannot be written/],
    ['memory', { memoryBytes: 256 * 1024 * 1024 }, 'warning', /^256 MiB:/],
    ['clock', { nowMs: 0 }, 'warning', /^1970-01-01 00:00:00 has been set by nobody/],
    [
      'configuration',
      { config: { ...good.config, problem: 'unknown key "x"' } },
      'missing',
      /^unknown key "x"$/,
    ],
  ])('%s: %#', (name, facts, status, detail) => {
    expect(notOk(facts)).toEqual([[name, status, expect.stringMatching(detail)]]);
  });

  it('lets another snapshotter lie on an overlay', () => {
    const storage = { ...good.storage, type: 0x794c7630 };
    expect(notOk({ storage, config: { ...good.config, snapshotter: 'native' } })).toEqual([]);
  });
});

describe('a part of the kernel', () => {
  const vxlan = FEATURES.find(({ name }) => name === 'VXLAN');
  if (vxlan === undefined) throw new Error('VXLAN is not looked at');
  const state = (facts: Partial<KernelFacts>): string => featureState(vxlan, { ...kernel, ...facts });

  it.each<[string, Partial<KernelFacts>]>([
    ['in use', { options: new Map(), loaded: new Set(['vxlan']) }],
    ['built in', {}],
    ['module', { options: new Map([['CONFIG_VXLAN', 'm']]), modules: new Set(['vxlan']) }],
    ['module', { options: new Map([['CONFIG_VXLAN', 'm']]), modules: undefined }],
    ['module', { options: undefined, modules: new Set(['vxlan']) }],
    ['missing', { options: new Map() }],
    ['missing', { options: new Map([['CONFIG_VXLAN', 'm']]) }],
    ['missing', { options: undefined }],
    ['unknown', { options: undefined, modules: undefined }],
  ])('is %s: %#', (expected, facts) => {
    expect(state(facts)).toBe(expected);
  });

  it('is needed or not, and may lie in a package of its own', () => {
    const facts = { ...kernel, options: new Map([['CONFIG_VXLAN', 'm' as const]]) };
    const found = checkMachine({ ...good, kernel: facts }).find(({ name }) => name === 'VXLAN');
    expect(found).toMatchObject({
      status: 'warning',
      detail:
        'pods that reach pods of other boards: needs CONFIG_VXLAN or the module vxlan; the kernel was built with it, so install the package with its extra modules',
    });
    const unknown = { ...kernel, options: undefined, modules: undefined };
    expect(checkMachine({ ...good, kernel: unknown }).find(({ name }) => name === 'nf_tables')).toMatchObject(
      {
        status: 'unknown',
      },
    );
  });
});

describe('versionOf', () => {
  it.each([
    ['containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3', '1.6.20~ds1'],
    ['nftables v1.0.6 (Lester Gooch #5)', '1.0.6'],
    ['ip utility, iproute2-6.1.0, libbpf 1.1.2', '6.1.0'],
    ['containerd containerd.io v2.1.4 75cb2b7193e4', '2.1.4'],
    ['nothing', undefined],
  ])('%s', (text, version) => {
    expect(versionOf(text)).toBe(version);
  });
});

describe('the table', () => {
  it('ends with a verdict', () => {
    const facts = { ...good, nowMs: 0, programs: new Map() };
    expect(render(checkMachine(good))).toMatch(
      /^PART +CHECK +STATUS +DETAIL\n[\s\S]*\nSTATUS: pass \(0 missing, 0 warnings\)\n$/,
    );
    expect(render(checkMachine(facts))).toMatch(
      /\nPrograms +runc +MISSING +starts containers: apt install runc\n[\s\S]*\nSTATUS: fail \(\d+ missing, 3 warnings\)\n$/,
    );
  });
});
