import type { ContainerConfig, Mount } from '../port.ts';
import { effectiveCapabilities } from './capabilities.ts';
import { defaultSeccomp } from './seccomp.ts';
import type { ImageConfig, OciDevice, OciMount, OciResources, OciSeccomp, OciSpec } from './types.ts';

/** containerd's runc shim puts every container with the same value into one process. */
const SHIM_GROUP_ANNOTATION = 'io.containerd.runc.v2.group';

/** Everything about the machine and the pod that a spec depends on. */
export interface SpecInput {
  readonly config: ContainerConfig;
  readonly image: ImageConfig;
  readonly user: ResolvedUser;
  readonly rootfsPath: string;
  readonly cgroupsPath: string;
  readonly cgroupVersion: 1 | 2;
  /** Host paths of the sandbox's namespaces; absent: the host's own. */
  readonly namespaces: { readonly network?: string; readonly ipc?: string; readonly uts?: string };
  /** `new`: its own; `host`; or the path of another's. */
  readonly pidNamespace: 'new' | 'host' | { readonly path: string };
  readonly shmPath: string;
  readonly hostname: string;
  /** All devices of the host, for privileged containers. */
  readonly hostDevices: readonly OciDevice[];
  /** Capabilities this machine can give. */
  readonly capabilities: readonly string[];
  /** As `process.arch`. */
  readonly arch: string;
  /** The profile that `seccomp.localhostPath` names. */
  readonly localSeccomp?: OciSeccomp;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

/** Writes the whole OCI runtime spec of a container, as containerd's CRI would for the same request. Pure. */
export function buildSpec(input: SpecInput): OciSpec {
  const { config, user } = input;
  const { security } = config;
  const capabilities = effectiveCapabilities({
    privileged: security.privileged,
    add: security.addCapabilities,
    drop: security.dropCapabilities,
    available: input.capabilities,
  });
  const seccomp = seccompFor(input, capabilities);
  const propagation = rootPropagation(config.mounts);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: config.tty,
      user,
      args: argvOf(config, input.image),
      env: environmentOf(config, input.image, input.hostname),
      cwd: config.workingDir || input.image.WorkingDir || '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: !security.allowPrivilegeEscalation && !security.privileged,
      oomScoreAdj: config.resources.oomScoreAdj,
    },
    root: { path: input.rootfsPath, readonly: security.readOnlyRootFilesystem },
    mounts: mountsOf(input),
    annotations: { [SHIM_GROUP_ANNOTATION]: config.podUid },
    linux: {
      namespaces: namespacesOf(input),
      cgroupsPath: input.cgroupsPath,
      resources: resourcesOf(config),
      devices: security.privileged ? input.hostDevices : [],
      ...(seccomp === undefined ? {} : { seccomp }),
      maskedPaths: security.privileged ? [] : MASKED_PATHS,
      readonlyPaths: security.privileged ? [] : READONLY_PATHS,
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    },
  };
}

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `command` replaces the image's entrypoint and, with it, its cmd; `args` replaces the cmd. */
function argvOf(config: ContainerConfig, image: ImageConfig): readonly string[] {
  const argv =
    config.command.length > 0
      ? [...config.command, ...config.args]
      : [...(image.Entrypoint ?? []), ...(config.args.length > 0 ? config.args : (image.Cmd ?? []))];
  if (argv.length === 0) throw new Error(`container ${config.name}: no command specified`);
  return argv;
}

function environmentOf(config: ContainerConfig, image: ImageConfig, hostname: string): readonly string[] {
  const variables = new Map<string, string>();
  const set = (assignment: string): void => {
    const at = assignment.indexOf('=');
    variables.set(at < 0 ? assignment : assignment.slice(0, at), at < 0 ? '' : assignment.slice(at + 1));
  };
  set(DEFAULT_PATH);
  set(`HOSTNAME=${hostname}`);
  if (config.tty) set('TERM=xterm');
  image.Env?.forEach(set);
  for (const { name, value } of config.env) variables.set(name, value);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

function mountsOf({ config, cgroupVersion, shmPath }: SpecInput): readonly OciMount[] {
  const { privileged } = config.security;
  const access = privileged ? 'rw' : 'ro';
  const system: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      // runc mounts cgroup2 for this type where only v2 exists.
      options: ['nosuid', 'noexec', 'nodev', ...(cgroupVersion === 1 ? ['relatime'] : []), access],
    },
    { destination: '/dev/shm', type: 'bind', source: shmPath, options: ['rbind', 'rw'] },
  ];
  const wanted = config.mounts.map(bindMount);
  const overridden = new Set(wanted.map(({ destination }) => destination));
  // Parents before children: a mount at /etc must not hide one at /etc/hosts.
  const sorted = wanted.toSorted((a, b) => depth(a.destination) - depth(b.destination));
  return [...system.filter(({ destination }) => !overridden.has(destination)), ...sorted];
}

const PROPAGATION = { None: 'rprivate', HostToContainer: 'rslave', Bidirectional: 'rshared' } as const;

function bindMount(mount: Mount): OciMount {
  return {
    destination: trimSlash(mount.containerPath),
    type: 'bind',
    source: mount.hostPath,
    options: ['rbind', PROPAGATION[mount.propagation ?? 'None'], mount.readOnly ? 'ro' : 'rw'],
  };
}

const trimSlash = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') : path);
const depth = (path: string): number => path.split('/').length;

function rootPropagation(mounts: readonly Mount[]): string | undefined {
  if (mounts.some(({ propagation }) => propagation === 'Bidirectional')) return 'rshared';
  return mounts.some(({ propagation }) => propagation === 'HostToContainer') ? 'rslave' : undefined;
}

function namespacesOf(input: SpecInput): readonly { type: string; path?: string }[] {
  const { network, ipc, uts } = input.namespaces;
  const found: { type: string; path?: string }[] = [{ type: 'mount' }];
  if (network !== undefined) found.push({ type: 'network', path: network });
  if (ipc !== undefined) found.push({ type: 'ipc', path: ipc });
  if (uts !== undefined) found.push({ type: 'uts', path: uts });
  if (input.pidNamespace === 'new') found.push({ type: 'pid' });
  else if (input.pidNamespace !== 'host') found.push({ type: 'pid', path: input.pidNamespace.path });
  if (input.cgroupVersion === 2 && !input.config.security.privileged) found.push({ type: 'cgroup' });
  return found;
}

function resourcesOf(config: ContainerConfig): OciResources {
  const { cpuShares, cpuQuotaMicros, cpuPeriodMicros, memoryLimitBytes, pidsLimit } = config.resources;
  const cpu = {
    ...(cpuShares === undefined ? {} : { shares: cpuShares }),
    ...(cpuQuotaMicros === undefined ? {} : { quota: cpuQuotaMicros }),
    ...(cpuPeriodMicros === undefined ? {} : { period: cpuPeriodMicros }),
  };
  return {
    devices: config.security.privileged
      ? [{ allow: true, access: 'rwm' }]
      : [{ allow: false, access: 'rwm' }, ...DEFAULT_DEVICES],
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(memoryLimitBytes === undefined ? {} : { memory: { limit: memoryLimitBytes } }),
    ...(pidsLimit === undefined ? {} : { pids: { limit: pidsLimit } }),
  };
}

/** null, full, zero, tty, random, urandom, console, pts, ptmx. */
const DEFAULT_DEVICES = (
  [
    [1, 3],
    [1, 7],
    [1, 5],
    [5, 0],
    [1, 8],
    [1, 9],
    [5, 1],
    [136, undefined],
    [5, 2],
  ] as const
).map(([major, minor]) => ({
  allow: true,
  type: 'c',
  major,
  ...(minor === undefined ? {} : { minor }),
  access: 'rwm',
}));

function seccompFor(input: SpecInput, capabilities: readonly string[]): OciSeccomp | undefined {
  const { privileged, seccomp } = input.config.security;
  if (privileged || seccomp === 'Unconfined') return undefined;
  return seccomp === 'RuntimeDefault' ? defaultSeccomp(capabilities, input.arch) : input.localSeccomp;
}
