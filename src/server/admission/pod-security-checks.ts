import type { Container, PodSpec, Volume } from '../../api/types.gen.ts';

/** What is wrong with a pod, in upstream's words: a reason, and details in parentheses. */
export type Check = (spec: PodSpec, annotations: Readonly<Record<string, string>>) => string | undefined;

const allContainers = ({
  initContainers = [],
  containers = [],
  ephemeralContainers = [],
}: PodSpec): Container[] => [...initContainers, ...containers, ...(ephemeralContainers as Container[])];

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');

/** `container "a"`, `containers "a", "b"` */
const named = (noun: string, names: readonly string[]): string =>
  `${noun}${names.length > 1 ? 's' : ''} ${quoted(names)}`;

const failing = (spec: PodSpec, test: (container: Container) => boolean): string[] =>
  allContainers(spec)
    .filter(test)
    .map(({ name }) => name);

const BASELINE_CAPABILITIES: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const SAFE_SYSCTLS: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
];
const RESERVED_PORTS = 'net.ipv4.ip_local_reserved_ports';
const KEEPALIVE: readonly string[] = [
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const BUFFERS: readonly string[] = ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const SELINUX_TYPES: readonly string[] = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

const RESTRICTED_VOLUMES: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';

export const appArmor: Check = (spec, annotations) => {
  const isBad = (profile: { type?: string } | undefined): boolean =>
    profile !== undefined && profile.type !== 'RuntimeDefault' && profile.type !== 'Localhost';
  const bad = failing(spec, ({ securityContext }) => isBad(securityContext?.appArmorProfile));
  const pod = spec.securityContext?.appArmorProfile;
  const types = [pod, ...allContainers(spec).map(({ securityContext }) => securityContext?.appArmorProfile)]
    .filter(isBad)
    .map((profile) => profile?.type ?? '');
  const notes = Object.entries(annotations)
    .filter(
      ([key, value]) => key.startsWith(APP_ARMOR) && !/^(?:$|runtime\/default$|localhost\/)/.test(value),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const who = [
    ...(isBad(pod) ? ['pod'] : []),
    ...(bad.length > 0 ? [named('container', bad)] : []),
    ...(notes.length > 0 ? [notes.length > 1 ? 'annotations' : 'annotation'] : []),
  ];
  const values = [...new Set(types)].sort().concat(notes);
  // Upstream puts quotes around what is quoted already.
  return who.length > 0
    ? `forbidden AppArmor profile${values.length > 1 ? 's' : ''} (${who.join(' and ')} must not set AppArmor profile type to ${values.map((one) => `"${one}"`).join(', ')})`
    : undefined;
};

function addedOutside(
  spec: PodSpec,
  allowed: ReadonlySet<string>,
): { containers: string[]; capabilities: string[] } {
  const outside = ({ securityContext }: Container): string[] =>
    (securityContext?.capabilities?.add ?? []).filter((one) => !allowed.has(one));
  const containers = failing(spec, (container) => outside(container).length > 0);
  const capabilities = [...new Set(allContainers(spec).flatMap(outside))].sort();
  return { containers, capabilities };
}

const mustNotAdd = (containers: readonly string[], capabilities: readonly string[]): string =>
  `${named('container', containers)} must not include ${quoted(capabilities)} in securityContext.capabilities.add`;

export const baselineCapabilities: Check = (spec) => {
  const { containers, capabilities } = addedOutside(spec, BASELINE_CAPABILITIES);
  return containers.length > 0
    ? `non-default capabilities (${mustNotAdd(containers, capabilities)})`
    : undefined;
};

export const hostNamespaces: Check = (spec) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
  return used.length > 0 ? `host namespaces (${used.map((field) => `${field}=true`).join(', ')})` : undefined;
};

export const hostPathVolumes: Check = (spec) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return names.length > 0 ? `hostPath volumes (${named('volume', names)})` : undefined;
};

export const hostPorts: Check = (spec) => {
  const ports = allContainers(spec).flatMap((one) =>
    (one.ports ?? []).flatMap(({ hostPort }) => (hostPort ? [hostPort] : [])),
  );
  if (ports.length === 0) return undefined;
  const users = failing(spec, (one) => one.ports?.some(({ hostPort }) => hostPort) ?? false);
  const unique = [...new Set(ports)].sort((a, b) => a - b);
  return `hostPort (${named('container', users)} ${users.length > 1 ? 'use' : 'uses'} hostPort${unique.length > 1 ? 's' : ''} ${unique.join(', ')})`;
};

export const privileged: Check = (spec) => {
  const bad = failing(spec, ({ securityContext }) => securityContext?.privileged === true);
  return bad.length > 0
    ? `privileged (${named('container', bad)} must not set securityContext.privileged=true)`
    : undefined;
};

export const procMount: Check = (spec) => {
  const bad = failing(spec, ({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default');
  return bad.length > 0
    ? `procMount (${named('container', bad)} must not set securityContext.procMount to "Unmasked")`
    : undefined;
};

const seLinuxOf =
  (types: readonly string[]): Check =>
  (spec) => {
    const isBad = (options: { type?: string; user?: string; role?: string } | undefined): boolean =>
      options !== undefined &&
      (!types.includes(options.type ?? '') || Boolean(options.user) || Boolean(options.role));
    const bad = failing(spec, ({ securityContext }) => isBad(securityContext?.seLinuxOptions));
    const who = [
      ...(isBad(spec.securityContext?.seLinuxOptions) ? ['pod'] : []),
      ...(bad.length > 0 ? [named('container', bad)] : []),
    ];
    return who.length > 0
      ? `seLinuxOptions (${who.join(' and ')} set forbidden securityContext.seLinuxOptions)`
      : undefined;
  };

export const baselineSeccomp: Check = (spec) => {
  const bad = failing(spec, ({ securityContext }) => securityContext?.seccompProfile?.type === 'Unconfined');
  const pod = spec.securityContext?.seccompProfile?.type === 'Unconfined' ? ['pod'] : [];
  const who = [...pod, ...(bad.length > 0 ? [named('container', bad)] : [])];
  return who.length > 0
    ? `seccompProfile (${who.join(' and ')} must not set securityContext.seccompProfile.type to "Unconfined")`
    : undefined;
};

const sysctlsOf =
  (safe: readonly string[]): Check =>
  (spec) => {
    const bad = (spec.securityContext?.sysctls ?? [])
      .map(({ name }) => name)
      .filter((name) => !safe.includes(name));
    return bad.length > 0 ? `forbidden sysctls (${bad.join(', ')})` : undefined;
  };

export const escalation: Check = (spec) => {
  const bad = failing(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  return bad.length > 0
    ? `allowPrivilegeEscalation != false (${named('container', bad)} must set securityContext.allowPrivilegeEscalation=false)`
    : undefined;
};

export const restrictedCapabilities: Check = (spec) => {
  const keeps = failing(spec, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
  const { containers, capabilities } = addedOutside(spec, new Set(['NET_BIND_SERVICE']));
  const parts = [
    ...(keeps.length > 0
      ? [`${named('container', keeps)} must set securityContext.capabilities.drop=["ALL"]`]
      : []),
    ...(containers.length > 0 ? [mustNotAdd(containers, capabilities)] : []),
  ];
  return parts.length > 0 ? `unrestricted capabilities (${parts.join('; ')})` : undefined;
};

export const restrictedVolumes: Check = (spec) => {
  const typeOf = (volume: Volume): string => Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir';
  const bad = (spec.volumes ?? []).filter((volume) => !RESTRICTED_VOLUMES.has(typeOf(volume)));
  if (bad.length === 0) return undefined;
  const types = [...new Set(bad.map(typeOf))].sort();
  const verb = bad.length > 1 ? 'use' : 'uses';
  return `restricted volume types (${named(
    'volume',
    bad.map(({ name }) => name),
  )} ${verb} ${named('restricted volume type', types)})`;
};

export const runAsNonRoot: Check = (spec) => {
  const pod = spec.securityContext?.runAsNonRoot;
  const explicit = failing(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  const implicit = failing(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (explicit.length > 0 || (pod === false && implicit.length > 0)) {
    const who = [
      ...(pod === false ? ['pod'] : []),
      ...(explicit.length > 0 ? [named('container', explicit)] : []),
    ];
    return `runAsNonRoot != true (${who.join(' and ')} must not set securityContext.runAsNonRoot=false)`;
  }
  return pod !== true && implicit.length > 0
    ? `runAsNonRoot != true (pod or ${named('container', implicit)} must set securityContext.runAsNonRoot=true)`
    : undefined;
};

export const runAsUser: Check = (spec) => {
  const bad = failing(spec, ({ securityContext }) => securityContext?.runAsUser === 0);
  const who = [
    ...(spec.securityContext?.runAsUser === 0 ? ['pod'] : []),
    ...(bad.length > 0 ? [named('container', bad)] : []),
  ];
  return who.length > 0 ? `runAsUser=0 (${who.join(' and ')} must not set runAsUser=0)` : undefined;
};

export const restrictedSeccomp: Check = (spec) => {
  const isSafe = (type: string | undefined): boolean => type === 'RuntimeDefault' || type === 'Localhost';
  const unconfined = baselineSeccomp(spec, {});
  if (unconfined) return unconfined;
  if (isSafe(spec.securityContext?.seccompProfile?.type)) return undefined;
  const bad = failing(spec, ({ securityContext }) => !isSafe(securityContext?.seccompProfile?.type));
  return bad.length > 0
    ? `seccompProfile (pod or ${named('container', bad)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`
    : undefined;
};

export const seLinux = seLinuxOf(SELINUX_TYPES);
export const seLinuxOfEngines = seLinuxOf([...SELINUX_TYPES, 'container_engine_t']);

export const sysctls = sysctlsOf(SAFE_SYSCTLS);
export const sysctlsWithReservedPorts = sysctlsOf([...SAFE_SYSCTLS, RESERVED_PORTS]);
export const sysctlsWithKeepalive = sysctlsOf([...SAFE_SYSCTLS, RESERVED_PORTS, ...KEEPALIVE]);
export const sysctlsWithBuffers = sysctlsOf([...SAFE_SYSCTLS, RESERVED_PORTS, ...KEEPALIVE, ...BUFFERS]);

/** Probes and hooks reach whatever their node reaches. */
export const hostProbes: Check = (spec) => {
  const hostsOf = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): string[] =>
    [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap((one) =>
      [one?.httpGet?.host, one?.tcpSocket?.host].filter((host) => host !== undefined && host !== ''),
    ) as string[];
  const bad = [...new Set(failing(spec, (container) => hostsOf(container).length > 0))].sort();
  if (bad.length === 0) return undefined;
  const hosts = [...new Set(allContainers(spec).flatMap(hostsOf))].sort();
  const verb = bad.length > 1 ? 'use' : 'uses';
  return `probe or lifecycle host (${named('container', bad)} ${verb} ${named('probe or lifecycle host', hosts)})`;
};

export const windowsHostProcess: Check = (spec) => {
  const isHost = (context: { windowsOptions?: { hostProcess?: boolean } } | undefined): boolean =>
    context?.windowsOptions?.hostProcess === true;
  const bad = failing(spec, ({ securityContext }) => isHost(securityContext));
  const who = [
    ...(isHost(spec.securityContext) ? ['pod'] : []),
    ...(bad.length > 0 ? [named('container', bad)] : []),
  ];
  return who.length > 0
    ? `hostProcess (${who.join(' and ')} must not set securityContext.windowsOptions.hostProcess=true)`
    : undefined;
};

/** Root in a user namespace of its own is not root. */
export const unlessOwnUsers =
  (check: Check): Check =>
  (spec, annotations) =>
    spec.hostUsers === false ? undefined : check(spec, annotations);

/** What Windows has no notion of is not asked of it. */
export const unlessWindows =
  (check: Check): Check =>
  (spec, annotations) =>
    spec.os?.name === 'windows' ? undefined : check(spec, annotations);
