import type { Duplex, Readable } from 'node:stream';
import type { ExecSession } from '../client/node-port.ts';

/**
 * What the agent needs from a container runtime: the CRI's ideas, a pod sandbox and containers in it, without its
 * wire. The `ctr` implementation drives containerd's CLI; the fake passes the same `test/contract/runtime.ts`.
 * Everything survives a restart of this process: the runtime's own records are the only state.
 */
export interface Runtime {
  /** Rejects with a message that says what is missing when the runtime cannot be reached. */
  version(): Promise<{ readonly name: string; readonly version: string }>;

  /** Creates and pins the pod's namespaces and, unless `hostNetwork`, plugs its network. Idempotent per uid. */
  createSandbox(config: SandboxConfig): Promise<Sandbox>;
  /** Unplugs the network and removes the namespaces and every container left in it. Idempotent. */
  removeSandbox(uid: string): Promise<void>;
  listSandboxes(): Promise<readonly Sandbox[]>;

  /** Prepares the root filesystem and starts the container. Resolves once its process runs. */
  startContainer(config: ContainerConfig): Promise<Container>;
  /**
   * Gives a running container other limits. Rejects where that is not possible, such as a memory limit below what it uses;
   * it keeps what it had then.
   */
  updateContainer(id: string, resources: ContainerResources): Promise<void>;
  /** Sends a signal name such as `SIGTERM`. Harmless when it no longer runs. */
  signalContainer(id: string, signal: string): Promise<void>;
  /** Removes a stopped container, its snapshot and, if `logs`, its log. Kills it first when it still runs. Idempotent. */
  removeContainer(id: string, options?: { readonly logs?: boolean }): Promise<void>;
  listContainers(): Promise<readonly Container[]>;
  /**
   * Exits as they happen, without replay: after `resync` the caller lists. Ends only when `signal` aborts;
   * a broken runtime connection is retried inside and shows as `resync`.
   */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;

  exec(id: string, request: RuntimeExecRequest): Promise<ExecSession>;
  /**
   * Connects to the first process of a container that was started with `stdin` or `tty`, or only to the output of any
   * other. Output is what comes from now on, both streams on `stdout`.
   */
  attach(id: string, request: RuntimeAttachRequest): Promise<ExecSession>;
  /** Runs a probe or hook to its end; output is bounded. Exit code 124 after `timeoutMs`. */
  execSync(
    id: string,
    argv: readonly string[],
    timeoutMs: number,
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** A byte stream to a loopback port inside the sandbox's network namespace. */
  portForward(uid: string, port: number): Promise<Duplex>;
  /** The container's log as raw bytes, stdout and stderr in arrival order; see `src/agent/logs`. */
  logPath(id: string): string;
  stats(id: string): Promise<ContainerStats | undefined>;

  listImages(): Promise<readonly Image[]>;
  /** The image if it is here, by reference, digest or id. */
  image(reference: string): Promise<Image | undefined>;
  /** Directories of the image's root filesystem, the top layer first. They stay while the image does. */
  imageDirs(id: string): Promise<readonly string[]>;
  pullImage(reference: string, options: PullOptions): Promise<Image>;
  removeImage(id: string): Promise<void>;
  /** Loads an OCI or Docker archive. */
  importImages(archive: string | Readable): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface SandboxConfig {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly hostNetwork: boolean;
  readonly hostIPC: boolean;
  readonly hostPID: boolean;
  /** hostPort mappings. */
  readonly ports: readonly PortMapping[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** cgroup path relative to the controllers' root, such as `kedge/pods/burstable/pod<uid>`. */
  readonly cgroupParent: string;
}

export interface PortMapping {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIP?: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

export interface Sandbox {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Empty with hostNetwork. */
  readonly ips: readonly string[];
  readonly createdAtMs: number;
  /** False when its namespaces are gone (a reboot): the pod needs a new sandbox. */
  readonly ready: boolean;
}

/** Everything is resolved already: no references to ConfigMaps, no `$(VAR)`, mounts are host paths. */
export interface ContainerConfig {
  readonly id: string;
  readonly podUid: string;
  readonly name: string;
  /** How often this container of the pod was started before. */
  readonly attempt: number;
  /** Image id as `image()` gave it. */
  readonly image: string;
  /** Whole argv; empty: the image's entrypoint and cmd. `command` replaces the entrypoint, `args` the cmd. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir?: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** The end of the first attached client's input is the end of the container's. */
  readonly stdinOnce?: boolean;
  readonly security: ContainerSecurity;
  readonly resources: ContainerResources;
  /** Container id whose PID namespace to share. */
  readonly pidNamespaceOf?: string;
  readonly stopSignal?: string;
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  readonly propagation?: 'None' | 'HostToContainer' | 'Bidirectional';
}

export interface ContainerSecurity {
  readonly privileged: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly supplementalGroups: readonly number[];
  readonly readOnlyRootFilesystem: boolean;
  readonly allowPrivilegeEscalation: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly seccomp: 'Unconfined' | 'RuntimeDefault' | { readonly localhostPath: string };
}

export interface ContainerResources {
  readonly cpuShares?: number;
  readonly cpuQuotaMicros?: number;
  readonly cpuPeriodMicros?: number;
  readonly memoryLimitBytes?: number;
  readonly pidsLimit?: number;
  readonly oomScoreAdj: number;
}

export interface Container {
  readonly id: string;
  readonly podUid: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'running' | 'exited' | 'created' | 'unknown';
  /** Of the container's first process, while running. */
  readonly pid?: number;
  readonly createdAtMs: number;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  readonly exitCode?: number;
  /** `OOMKilled`, `Error`, `Completed`, `ContainerStatusUnknown`. */
  readonly reason?: string;
}

export type RuntimeEvent =
  | {
      readonly type: 'exit';
      readonly id: string;
      readonly exitCode: number;
      readonly atMs: number;
      readonly oomKilled: boolean;
    }
  | { readonly type: 'resync' };

export interface RuntimeExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface RuntimeAttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
}

export interface ContainerStats {
  readonly atMs: number;
  readonly cpuUsageNanos: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryUsageBytes: number;
  readonly memoryRssBytes: number;
}

export interface Image {
  /** Config digest, `sha256:…`. */
  readonly id: string;
  readonly references: readonly string[];
  /** `repository@sha256:…` */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  readonly user: string;
  readonly stopSignal?: string;
}

export interface PullOptions {
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly signal?: AbortSignal;
}
