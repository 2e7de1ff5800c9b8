import type { CgroupFacts, KernelFacts, MachineFacts, StorageFacts } from './facts.ts';
import { FEATURES, type Feature, featureState } from './features.ts';
import { CNI_PLUGINS, type NeededProgram, PROGRAMS } from './programs.ts';

/** One line of the answer. `detail` says what is, or what to do. */
export interface Finding {
  readonly group: 'Kernel' | 'Programs' | 'Machine';
  readonly name: string;
  /** `missing`: Kedge does not run, or not its pods; `warning`: something that is named will not work. */
  readonly status: 'ok' | 'unknown' | 'warning' | 'missing';
  readonly detail: string;
}

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
/** Older ones lack options of `ctr` that Kedge uses. */
const OLDEST_CONTAINERD = [1, 6];
/** A clock before this has been set by nobody. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

/** Judges a machine. */
export function checkMachine(facts: MachineFacts): readonly Finding[] {
  return [
    ...checkKernel(facts.kernel, facts.cgroups),
    ...PROGRAMS.map((program) => checkProgram(program, facts)),
    checkCni(facts),
    ...checkStorage(facts.storage, facts.config.snapshotter),
    checkMemory(facts.memoryBytes),
    checkClock(facts.nowMs),
    checkConfigFile(facts),
  ];
}

function checkKernel(kernel: KernelFacts, cgroups: CgroupFacts): Finding[] {
  const absent = ['net', 'ipc', 'uts', 'pid', 'mnt'].filter((name) => !kernel.namespaces.has(name));
  return [
    {
      group: 'Kernel',
      name: 'namespaces',
      ...(absent.length === 0
        ? { status: 'ok', detail: 'net, ipc, uts, pid, mnt' }
        : { status: 'missing', detail: `${absent.join(', ')}: this kernel has no such namespaces` }),
    },
    ...checkCgroups(cgroups),
    ...FEATURES.map((feature) => checkFeature(feature, kernel)),
  ];
}

function checkCgroups({ version, controllers, cmdline, cmdlineFile }: CgroupFacts): Finding[] {
  const line = { group: 'Kernel', name: 'control groups' } as const;
  if (version === undefined)
    return [{ ...line, status: 'missing', detail: 'nothing is mounted on /sys/fs/cgroup' }];
  const absent = ['cpu', 'cpuset', 'pids'].filter((name) => !controllers.has(name));
  return [
    absent.length === 0
      ? { ...line, status: 'ok', detail: `version ${version}: ${[...controllers].sort().join(', ')}` }
      : { ...line, status: 'missing', detail: `version ${version} without ${absent.join(', ')}` },
    {
      group: 'Kernel',
      name: 'memory control group',
      ...(controllers.has('memory')
        ? { status: 'ok', detail: 'on' }
        : { status: 'warning', detail: memoryFix(cmdline, cmdlineFile) }),
    },
  ];
}

/** What turns memory limits on; on a Raspberry Pi the exact words and the file they go into. */
function memoryFix(cmdline: string, file: string | undefined): string {
  const wanted = ['cgroup_memory=1', 'cgroup_enable=memory'].filter(
    (word) => !cmdline.split(/\s+/).includes(word),
  );
  const off = 'off, so memory limits do not hold';
  if (wanted.length === 0) return `${off}: this kernel has no CONFIG_MEMCG`;
  if (file !== undefined) return `${off}: append "${wanted.join(' ')}" to the one line of ${file} and reboot`;
  return `${off}: boot with "${wanted.join(' ')}" on the kernel's command line`;
}

function checkFeature(feature: Feature, kernel: KernelFacts): Finding {
  const { name, option, module, isRequired, purpose } = feature;
  const line = { group: 'Kernel', name } as const;
  const state = featureState(feature, kernel);
  switch (state) {
    case 'in use':
    case 'built in':
      return { ...line, status: 'ok', detail: state };
    case 'module':
      return { ...line, status: 'ok', detail: `module ${module ?? ''}`.trim() };
    case 'unknown':
      return {
        ...line,
        status: 'unknown',
        detail: `this kernel does not tell whether it has CONFIG_${option}`,
      };
    case 'missing':
      return {
        ...line,
        status: isRequired ? 'missing' : 'warning',
        detail: `${purpose}: needs CONFIG_${option}${module === undefined ? '' : ` or the module ${module}`}${extraModules(kernel, option)}`,
      };
  }
}

/** Distributions keep some modules in a package of their own. */
function extraModules(kernel: KernelFacts, option: string): string {
  return kernel.options?.get(`CONFIG_${option}`) === 'm'
    ? '; the kernel was built with it, so install the package with its extra modules'
    : '';
}

function checkProgram(program: NeededProgram, { programs }: MachineFacts): Finding {
  const { name, isRequired, purpose } = program;
  const found = programs.get(name);
  const line = { group: 'Programs', name } as const;
  if (found === undefined) {
    const detail = `${purpose}: apt install ${program.package}`;
    return { ...line, status: isRequired ? 'missing' : 'warning', detail };
  }
  const version = versionOf(found.version);
  if (name === 'containerd' && version !== undefined && isOlder(version, OLDEST_CONTAINERD))
    return {
      ...line,
      status: 'missing',
      detail: `${version} is too old, ${OLDEST_CONTAINERD.join('.')} is needed`,
    };
  return {
    ...line,
    status: 'ok',
    detail: version === undefined ? found.path : `${version} (${found.path})`,
  };
}

/** The first word that looks like a version. */
export function versionOf(text: string | undefined): string | undefined {
  return /\b[a-z]*?(\d+(?:\.\d+)+[^\s,)]*)/.exec(text ?? '')?.[1];
}

function isOlder(version: string, than: readonly number[]): boolean {
  const parts = version.split(/[^0-9]+/).map(Number);
  for (const [at, least] of than.entries()) {
    if ((parts[at] ?? 0) !== least) return (parts[at] ?? 0) < least;
  }
  return false;
}

function checkCni({ cniPlugins, cniFolders }: MachineFacts): Finding {
  const absent = CNI_PLUGINS.filter((name) => !cniPlugins.has(name));
  const line = { group: 'Programs', name: 'CNI plugins' } as const;
  if (absent.length === 0) return { ...line, status: 'ok', detail: CNI_PLUGINS.join(', ') };
  return {
    ...line,
    status: 'missing',
    detail: `the network of pods: no ${absent.join(', ')} in ${cniFolders.join(', ')}: apt install containernetworking-plugins`,
  };
}

/** `f_type` of file systems that cannot hold the data, or should not. */
const UNFIT: Readonly<Record<number, string>> = {
  19780: 'FAT knows no owners and no links',
  26985: 'NFS keeps no locks and no layers',
  4283649346: 'CIFS keeps no locks and no layers',
  4266872130: 'SMB keeps no locks and no layers',
  538032816: 'exFAT knows no owners and no links',
};
const OVERLAY = 0x794c7630;
const TMPFS = 0x01021994;

function checkStorage(storage: StorageFacts, snapshotter: string): Finding[] {
  const { dataDir, type } = storage;
  const line = { group: 'Machine', name: 'disk' } as const;
  const gib = (bytes: number): string => `${(bytes / GiB).toFixed(1)} GiB`;
  const free = `${gib(storage.freeBytes)} of ${gib(storage.totalBytes)} free for ${dataDir}`;
  const unfit = UNFIT[type];
  if (!storage.isWritable) return [{ ...line, status: 'missing', detail: `${dataDir} cannot be written` }];
  if (unfit !== undefined) return [{ ...line, status: 'missing', detail: `${dataDir}: ${unfit}` }];
  if (type === OVERLAY && snapshotter === 'overlayfs') {
    const detail = `${dataDir} lies on an overlay, and overlays cannot be stacked: mount a real file system there, or use --snapshotter native`;
    return [{ ...line, status: 'missing', detail }];
  }
  if (type === TMPFS)
    return [{ ...line, status: 'warning', detail: `${dataDir} is in memory and gone after a reboot` }];
  if (storage.freeBytes < Math.max(GiB, storage.totalBytes / 10))
    return [{ ...line, status: 'warning', detail: `${free}: pods are evicted below 1 GiB or a tenth` }];
  return [{ ...line, status: 'ok', detail: free }];
}

function checkMemory(memoryBytes: number): Finding {
  const detail = `${Math.round(memoryBytes / MiB)} MiB`;
  const line = { group: 'Machine', name: 'memory' } as const;
  return memoryBytes < 400 * MiB
    ? { ...line, status: 'warning', detail: `${detail}: Kedge is made for 512 MB boards` }
    : { ...line, status: 'ok', detail };
}

function checkClock(nowMs: number): Finding {
  const line = { group: 'Machine', name: 'clock' } as const;
  const detail = new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ');
  return nowMs < EARLIEST_MS
    ? {
        ...line,
        status: 'warning',
        detail: `${detail} has been set by nobody: images cannot be pulled before it is right`,
      }
    : { ...line, status: 'ok', detail: `${detail} UTC` };
}

function checkConfigFile({ config }: MachineFacts): Finding {
  const line = { group: 'Machine', name: 'configuration' } as const;
  if (config.problem !== undefined) return { ...line, status: 'missing', detail: config.problem };
  const what = config.exists ? config.path : `${config.path} does not exist, so everything is as usual`;
  return { ...line, status: 'ok', detail: `${what} (kedge ${config.command})` };
}
