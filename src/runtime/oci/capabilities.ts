/** Linux capabilities in the order of their numbers (`linux/capability.h`). */
export const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const satisfies readonly string[];

/** What containerd and Docker give a container that asks for nothing. */
const DEFAULTS: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/**
 * The capabilities a container runs with. `add` and `drop` hold names as `securityContext.capabilities` has them,
 * with or without `CAP_`, or `ALL`; what is both added and dropped by name stays dropped, as in containerd's CRI.
 * `available` is what this machine can give at all.
 */
export function effectiveCapabilities(options: {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly available: readonly string[];
}): readonly string[] {
  const { available } = options;
  if (options.privileged) return available;
  const add = options.add.map(normalize);
  const drop = options.drop.map(normalize);
  const start = add.includes('CAP_ALL') ? available : drop.includes('CAP_ALL') ? [] : DEFAULTS;
  const dropped = new Set(drop);
  const chosen = new Set([...start, ...add].filter((name) => !dropped.has(name)));
  return available.filter((name) => chosen.has(name));
}

function normalize(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

/** Reads the mask that `/proc/<pid>/status` shows, such as `CapBnd`'s. */
export function capabilitiesOf(hexMask: string): readonly string[] {
  const mask = BigInt(`0x${hexMask}`);
  return CAPABILITIES.filter((_, number) => (mask >> BigInt(number)) & 1n);
}
