/** A program that Kedge starts. */
export interface NeededProgram {
  readonly name: string;
  /** Debian's package. */
  readonly package: string;
  /** How it tells its version; nothing where its package tells enough. */
  readonly versionArgs?: readonly string[];
  readonly isRequired: boolean;
  readonly purpose: string;
}

const UTIL_LINUX = { package: 'util-linux', isRequired: true } as const;

export const PROGRAMS: readonly NeededProgram[] = [
  {
    name: 'containerd',
    package: 'containerd',
    versionArgs: ['--version'],
    isRequired: true,
    purpose: 'runs containers',
  },
  {
    name: 'ctr',
    package: 'containerd',
    versionArgs: ['--version'],
    isRequired: true,
    purpose: 'drives containerd',
  },
  {
    name: 'containerd-shim-runc-v2',
    package: 'containerd',
    isRequired: true,
    purpose: 'keeps containers running',
  },
  {
    name: 'runc',
    package: 'runc',
    versionArgs: ['--version'],
    isRequired: true,
    purpose: 'starts containers',
  },
  {
    name: 'nft',
    package: 'nftables',
    versionArgs: ['--version'],
    isRequired: true,
    purpose: 'Services and NetworkPolicies',
  },
  {
    name: 'conntrack',
    package: 'conntrack',
    versionArgs: ['--version'],
    isRequired: true,
    purpose: 'ends UDP flows to pods that are gone',
  },
  { name: 'ip', package: 'iproute2', versionArgs: ['-V'], isRequired: true, purpose: 'addresses and routes' },
  {
    name: 'iptables',
    package: 'iptables',
    versionArgs: ['--version'],
    isRequired: false,
    purpose: 'host ports',
  },
  { ...UTIL_LINUX, name: 'unshare', versionArgs: ['--version'], purpose: 'makes the namespaces of a pod' },
  { ...UTIL_LINUX, name: 'nsenter', purpose: 'enters the namespaces of a pod' },
  { ...UTIL_LINUX, name: 'fallocate', purpose: 'bounds logs' },
  { name: 'mount', package: 'mount', isRequired: true, purpose: 'volumes' },
  { name: 'umount', package: 'mount', isRequired: true, purpose: 'volumes' },
  {
    name: 'perl',
    package: 'perl-base',
    isRequired: true,
    purpose: 'exec probes, kubectl exec and port-forward',
  },
  { name: 'script', package: 'bsdutils', isRequired: false, purpose: 'kubectl exec -t' },
];

/** What the network of pods is made with; `portmap` is for host ports. */
export const CNI_PLUGINS: readonly string[] = ['ptp', 'host-local', 'portmap'];
