import type { KernelFacts } from './facts.ts';

/** A part of the kernel, known by any of several signs. */
export interface Feature {
  readonly name: string;
  readonly option: string;
  readonly module?: string;
  /** Without it nothing runs; else only what `purpose` names is missing. */
  readonly isRequired: boolean;
  readonly purpose: string;
  /** Seen at work. */
  readonly isSeen?: (kernel: KernelFacts) => boolean;
}

export type FeatureState = 'built in' | 'module' | 'in use' | 'missing' | 'unknown';

/** What Kedge, runc and the CNI plugins use of the kernel. */
export const FEATURES: readonly Feature[] = [
  {
    name: 'overlay file system',
    option: 'OVERLAY_FS',
    module: 'overlay',
    isRequired: true,
    purpose: 'layers of images',
    isSeen: (kernel) => kernel.fileSystems.has('overlay'),
  },
  {
    name: 'seccomp',
    option: 'SECCOMP_FILTER',
    isRequired: true,
    purpose: 'the system calls that containers may make',
    isSeen: (kernel) => kernel.hasSeccomp,
  },
  {
    name: 'virtual links (veth)',
    option: 'VETH',
    module: 'veth',
    isRequired: true,
    purpose: 'the network of pods',
  },
  {
    name: 'nf_tables',
    option: 'NF_TABLES',
    module: 'nf_tables',
    isRequired: true,
    purpose: 'Services and NetworkPolicies',
  },
  { name: 'nf_tables: inet', option: 'NF_TABLES_INET', isRequired: true, purpose: 'Services' },
  {
    name: 'nf_tables: nat',
    option: 'NFT_NAT',
    module: 'nft_chain_nat',
    isRequired: true,
    purpose: 'Services',
  },
  {
    name: 'nf_tables: masquerade',
    option: 'NFT_MASQ',
    module: 'nft_masq',
    isRequired: true,
    purpose: 'the way of pods to the outside',
  },
  {
    name: 'nf_tables: conntrack',
    option: 'NFT_CT',
    module: 'nft_ct',
    isRequired: true,
    purpose: 'Services and NetworkPolicies',
  },
  {
    name: 'nf_tables: numgen',
    option: 'NFT_NUMGEN',
    module: 'nft_numgen',
    isRequired: true,
    purpose: 'the choice among the pods of a Service',
  },
  {
    name: 'nf_tables: fib',
    option: 'NFT_FIB_INET',
    module: 'nft_fib_inet',
    isRequired: true,
    purpose: 'NodePorts',
  },
  {
    name: 'nf_tables: reject',
    option: 'NFT_REJECT_INET',
    module: 'nft_reject_inet',
    isRequired: true,
    purpose: 'refusing what no pod answers',
  },
  {
    name: 'nf_tables: iptables rules',
    option: 'NFT_COMPAT',
    module: 'nft_compat',
    isRequired: false,
    purpose: 'host ports',
  },
  {
    name: 'VXLAN',
    option: 'VXLAN',
    module: 'vxlan',
    isRequired: false,
    purpose: 'pods that reach pods of other boards',
  },
  {
    name: 'CPU bandwidth',
    option: 'CFS_BANDWIDTH',
    isRequired: false,
    purpose: 'CPU limits',
  },
  {
    name: 'POSIX message queues',
    option: 'POSIX_MQUEUE',
    isRequired: true,
    purpose: '/dev/mqueue in containers',
    isSeen: (kernel) => kernel.fileSystems.has('mqueue'),
  },
];

/** What is seen counts more than the kernel's configuration, and a module that is not on the disk is none. */
export function featureState(feature: Feature, kernel: KernelFacts): FeatureState {
  const { module } = feature;
  if (feature.isSeen?.(kernel) || (module !== undefined && kernel.loaded.has(module))) return 'in use';
  const option = kernel.options?.get(`CONFIG_${feature.option}`);
  if (option === 'y') return 'built in';
  const onDisk = module === undefined ? undefined : kernel.modules?.has(module);
  if (onDisk === true) return 'module';
  if (kernel.options === undefined) return onDisk === false ? 'missing' : 'unknown';
  if (option === 'm' && onDisk === undefined) return 'module';
  return 'missing';
}
