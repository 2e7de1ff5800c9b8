import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecSession } from '../../client/node-port.ts';
import { type Clock, sleep } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import type { Logger } from '../../lib/log.ts';
import type { Cgroups } from '../cgroups.ts';
import { buildSpec, type ResolvedUser } from '../oci/spec.ts';
import { resolveUser } from '../oci/user.ts';
import type { Container, ContainerConfig, RuntimeAttachRequest } from '../port.ts';
import { attachTo, endStdin, leaveExitCode, leftExitCode, startAttached } from './attached.ts';
import { type Ctr, ctrMessage, ignoringNotFound } from './ctr.ts';
import { availableCapabilities, hostDevices } from './host-facts.ts';
import { readInside, readSeccomp } from './image-files.ts';
import type { LocalImage } from './images.ts';
import { KeyedLock } from './keyed-lock.ts';
import { unmountAll } from './mounts.ts';
import { Records } from './records.ts';
import { ensureRuncWrapper } from './runc-wrapper.ts';
import type { SandboxPaths, SandboxRecord } from './sandbox.ts';
import { parseDeletedExitCode, parseTaskList, type Task } from './task-list.ts';

export interface ContainerRecord extends Container {
  readonly cgroup: string;
  /** Served by a `ctr` of its own; see `attached.ts`. */
  readonly attached: boolean;
}

export interface Exit {
  readonly id: string;
  readonly exitCode: number;
  readonly atMs: number;
  readonly oomKilled: boolean;
}

export interface ContainersOptions {
  readonly ctr: Ctr;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cgroups: Cgroups;
  readonly stateDir: string;
  readonly dataDir: string;
  readonly logDir: string;
  readonly arch: string;
}

export interface StartInput {
  readonly config: ContainerConfig;
  readonly sandbox: SandboxRecord;
  readonly paths: SandboxPaths;
  readonly image: LocalImage;
  readonly lowerDirs: readonly string[];
}

/** containerd's exit code for a process whose real one nobody saw. */
const UNKNOWN_EXIT_CODE = 255;

/**
 * Containers in containerd. Each has a record of ours; containerd knows only whether it runs. A container that ends
 * is taken out of containerd at once, which lets its shim go, and lives on as a record and a log.
 */
export class Containers {
  readonly #options: ContainersOptions;
  readonly #records: Records<ContainerRecord>;
  readonly #lock = new KeyedLock();
  /** Attached clients that want to know how it ends. */
  readonly #wrapperPath: string;
  #wrapper: Promise<void> | undefined;
  readonly #waiting = new Map<string, Set<(exitCode: number) => void>>();

  constructor(options: ContainersOptions) {
    this.#options = options;
    this.#records = new Records(join(options.dataDir, 'containers'));
    this.#wrapperPath = join(options.dataDir, 'bin', 'runc');
  }

  record(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  all(): readonly ContainerRecord[] {
    return this.#records.all();
  }

  logPath(id: string): string {
    return join(this.#options.logDir, `${id}.log`);
  }

  start(input: StartInput): Promise<ContainerRecord> {
    const { id } = input.config;
    return this.#lock.run(id, async () => {
      if (this.#records.get(id)) throw new Error(`container ${id} exists already`);
      try {
        return await this.#create(input);
      } catch (error) {
        await this.#discard(id).catch(() => {});
        throw error;
      }
    });
  }

  async signal(id: string, signal: string): Promise<void> {
    if (this.#records.get(id)?.state !== 'running') return;
    await this.#kill(id, signal);
  }

  remove(id: string, options: { readonly logs?: boolean } = {}): Promise<void> {
    return this.#lock.run(id, async () => {
      if (this.#records.get(id)) await this.#discard(id);
      if (options.logs) await rm(this.logPath(id), { force: true });
    });
  }

  /** Takes note of an exit that the event stream told. Undefined when it is known already. */
  exited(id: string, exitCode: number, atMs: number): Promise<Exit | undefined> {
    return this.#lock.run(id, async () => {
      const record = this.#records.get(id);
      if (record?.state !== 'running') return undefined;
      const oomKilled = (await this.#options.cgroups.oomKills(record.cgroup)) > 0;
      await this.#drain(record, exitCode);
      const exit = await this.#finish(record, { exitCode, atMs, oomKilled, isUnknown: false });
      // The caller is not kept waiting for the cleaning; the lock keeps the next step on this container behind it.
      void this.#lock.run(id, () => this.#release(id)).catch((error) => this.#warn(id, error));
      return exit;
    });
  }

  /** Waits until the last of the output is written: who hears of the exit may read the whole log. */
  async #drain(record: ContainerRecord, exitCode: number): Promise<void> {
    const { id } = record;
    if (record.attached) {
      await this.#leftExitCode(record);
      return;
    }
    await leaveExitCode(this.dir(id), exitCode);
    await ignoringNotFound(this.#options.ctr.run(['tasks', 'delete', id])).catch((error) =>
      this.#warn(id, error),
    );
  }

  /** Compares with what containerd runs and settles containers that ended unseen. */
  async reconcile(): Promise<readonly Exit[]> {
    const tasks = await this.#tasks();
    const exits: Exit[] = [];
    for (const { id } of this.#records.all()) {
      const exit = await this.#lock.run(id, () => this.#settle(id, tasks.get(id)));
      if (exit) exits.push(exit);
    }
    return exits;
  }

  async #tasks(): Promise<Map<string, Task>> {
    const { stdout } = await this.#options.ctr.run(['tasks', 'list']);
    return new Map(parseTaskList(stdout).map((task) => [task.id, task]));
  }

  async #settle(id: string, task: Task | undefined): Promise<Exit | undefined> {
    const record = this.#records.get(id);
    if (!record || record.state === 'exited') return undefined;
    // The list may be older than what this record says: a container started since then is not in it.
    const seen = task ?? (await this.#tasks()).get(id);
    if (seen && seen.status !== 'STOPPED') {
      if (record.state !== 'running') {
        await this.#records.save(id, {
          ...record,
          state: 'running',
          pid: seen.pid,
          startedAtMs: record.createdAtMs,
        });
      }
      return undefined;
    }
    const { ctr, clock, cgroups } = this.#options;
    const oomKilled = (await cgroups.oomKills(record.cgroup)) > 0;
    const left = seen && !record.attached ? undefined : await this.#leftExitCode(record);
    const deleted =
      seen && left === undefined ? await ignoringNotFound(ctr.run(['tasks', 'delete', id])) : undefined;
    const exitCode = left ?? (deleted ? parseDeletedExitCode(id, deleted.stderr) : UNKNOWN_EXIT_CODE);
    const isUnknown = deleted === undefined && left === undefined;
    const exit = await this.#finish(record, {
      exitCode,
      atMs: clock.now(),
      oomKilled,
      isUnknown,
    });
    await this.#release(id);
    return exit;
  }

  /** An attached `ctr` takes the task away a moment before it leaves the exit code. */
  async #leftExitCode({ id, attached }: ContainerRecord): Promise<number | undefined> {
    const dir = this.dir(id);
    if (attached) endStdin(dir);
    for (let tries = attached ? 20 : 1; tries > 0 && existsSync(dir); tries--) {
      const code = await leftExitCode(dir);
      if (code !== undefined || tries === 1) return code;
      await sleep(this.#options.clock, 50);
    }
    return undefined;
  }

  async #create({ config, sandbox, paths, image, lowerDirs }: StartInput): Promise<ContainerRecord> {
    const { clock, cgroups, arch } = this.#options;
    const { id } = config;
    const dir = this.dir(id);
    const rootfsPath = await this.#mountRoot(id, lowerDirs);
    const cgroup = `${sandbox.cgroupParent}/${id}`;
    const spec = buildSpec({
      config,
      image: image.metadata.config,
      user: await this.#user(config, image, rootfsPath),
      rootfsPath,
      cgroupsPath: `/${cgroup}`,
      cgroupVersion: cgroups.version,
      namespaces: paths,
      pidNamespace: this.#pidNamespace(config, sandbox),
      shmPath: paths.shm,
      hostname: sandbox.hostname,
      hostDevices: config.security.privileged ? hostDevices() : [],
      capabilities: availableCapabilities(),
      arch,
      ...(typeof config.security.seccomp === 'object'
        ? { localSeccomp: await readSeccomp(config.security.seccomp.localhostPath) }
        : {}),
    });
    const specPath = join(dir, 'spec.json');
    const pidPath = join(dir, 'pid');
    await writeFile(specPath, JSON.stringify(spec), { mode: 0o600 });
    const record: ContainerRecord = {
      id,
      podUid: config.podUid,
      name: config.name,
      attempt: config.attempt,
      image: config.image,
      labels: config.labels,
      state: 'created',
      createdAtMs: clock.now(),
      cgroup,
      attached: config.tty || config.stdin,
    };
    await this.#records.save(id, record);
    await mkdir(this.#options.logDir, { recursive: true, mode: 0o700 });
    try {
      await this.#run(config, ['--config', specPath, '--pid-file', pidPath], pidPath);
    } catch (cause) {
      throw new Error(`failed to start container ${config.name}: ${ctrMessage(cause)}`, { cause });
    }
    const pid = Number(await readFile(pidPath, 'utf8'));
    const running: ContainerRecord = { ...record, state: 'running', pid, startedAtMs: clock.now() };
    await this.#records.save(id, running);
    await rm(specPath, { force: true });
    return running;
  }

  async #run(config: ContainerConfig, files: readonly string[], pidPath: string): Promise<void> {
    const { ctr, exec } = this.#options;
    const { id, tty, stdin } = config;
    const labels = {
      ...config.labels,
      'io.kubernetes.pod.uid': config.podUid,
      'io.kubernetes.container.name': config.name,
    };
    const labelArgs = Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
    const logPath = this.logPath(id);
    if (!tty && !stdin) {
      await this.#ensureWrapper();
      await ctr.run([
        'run',
        '--detach',
        '--runc-binary',
        this.#wrapperPath,
        ...files,
        '--log-uri',
        `file://${logPath}`,
        ...labelArgs,
        id,
      ]);
      return;
    }
    const argv = ctr.argv(['run', ...files, ...(tty ? ['--tty'] : []), ...labelArgs, id]);
    const stdinOnce = stdin && (config.stdinOnce ?? false);
    await startAttached({ exec, argv, dir: this.dir(id), logPath, pidPath, tty, stdinOnce });
  }

  #ensureWrapper(): Promise<void> {
    this.#wrapper ??= ensureRuncWrapper(this.#wrapperPath).catch((error) => {
      this.#wrapper = undefined;
      throw error;
    });
    return this.#wrapper;
  }

  /** See `Runtime.attach`. */
  async attach(id: string, request: RuntimeAttachRequest): Promise<ExecSession> {
    const { promise: exit, resolve } = Promise.withResolvers<number>();
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(resolve));
    const record = this.#records.get(id);
    if (record?.state === 'exited') resolve(record.exitCode ?? 0);
    return attachTo({
      exec: this.#options.exec,
      dir: this.dir(id),
      logPath: this.logPath(id),
      request,
      exit,
    });
  }

  /** On a tmpfs: mount points, specs with their secrets. */
  dir(id: string): string {
    return join(this.#options.stateDir, 'containers', id);
  }

  async #mountRoot(id: string, lowerDirs: readonly string[]): Promise<string> {
    const writable = this.#writableDir(id);
    const rootfs = join(this.dir(id), 'rootfs');
    for (const path of [join(writable, 'upper'), join(writable, 'work')]) {
      await mkdir(path, { recursive: true, mode: 0o755 });
    }
    await mkdir(rootfs, { recursive: true, mode: 0o711 });
    const options = `lowerdir=${lowerDirs.join(':')},upperdir=${writable}/upper,workdir=${writable}/work`;
    await this.#options.exec.run(['mount', '-t', 'overlay', '-o', options, 'overlay', rootfs]);
    return rootfs;
  }

  async #user(config: ContainerConfig, image: LocalImage, rootfs: string): Promise<ResolvedUser> {
    const { security } = config;
    const user = resolveUser({
      imageUser: image.user,
      runAsUser: security.runAsUser,
      runAsGroup: security.runAsGroup,
      supplementalGroups: security.supplementalGroups,
      passwd: await readInside(rootfs, 'etc/passwd'),
      group: await readInside(rootfs, 'etc/group'),
    });
    if (security.runAsNonRoot && user.uid === 0) {
      throw new Error(`container has runAsNonRoot and image will run as root (container: ${config.name})`);
    }
    return user;
  }

  #pidNamespace(config: ContainerConfig, sandbox: SandboxRecord): 'new' | 'host' | { readonly path: string } {
    if (sandbox.hostPID) return 'host';
    if (config.pidNamespaceOf === undefined) return 'new';
    const target = this.#records.get(config.pidNamespaceOf);
    if (target?.pid === undefined || target.state !== 'running') {
      throw new Error(
        `container ${config.pidNamespaceOf}, whose processes ${config.name} shares, does not run`,
      );
    }
    return { path: `/proc/${target.pid}/ns/pid` };
  }

  async #finish(
    record: ContainerRecord,
    end: {
      readonly exitCode: number;
      readonly atMs: number;
      readonly oomKilled: boolean;
      readonly isUnknown: boolean;
    },
  ): Promise<Exit> {
    const { exitCode, atMs, oomKilled } = end;
    const reason = end.isUnknown
      ? 'ContainerStatusUnknown'
      : oomKilled
        ? 'OOMKilled'
        : exitCode === 0
          ? 'Completed'
          : 'Error';
    const { pid: _, ...rest } = record;
    await this.#records.save(record.id, { ...rest, state: 'exited', exitCode, finishedAtMs: atMs, reason });
    for (const tell of this.#waiting.get(record.id) ?? []) tell(exitCode);
    this.#waiting.delete(record.id);
    return { id: record.id, exitCode, atMs, oomKilled };
  }

  /** Takes a container out of containerd and frees its file system; its record and its log stay. */
  async #release(id: string): Promise<void> {
    const { ctr, exec } = this.#options;
    if (this.#records.get(id)?.attached) endStdin(this.dir(id));
    if (this.#records.get(id)?.state !== 'exited') {
      await ignoringNotFound(ctr.run(['tasks', 'delete', '--force', id]));
    }
    await ignoringNotFound(ctr.run(['containers', 'delete', id]));
    await unmountAll(exec, this.dir(id));
    await rm(this.dir(id), { recursive: true, force: true });
    await rm(this.#writableDir(id), { recursive: true, force: true });
  }

  async #discard(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record?.state !== 'exited') await this.#release(id);
    if (record) await this.#options.cgroups.remove(record.cgroup).catch(() => {});
    await this.#records.remove(id);
  }

  async #kill(id: string, signal: string): Promise<void> {
    const { ctr } = this.#options;
    try {
      await ctr.run(['tasks', 'kill', '--signal', signal, id]);
    } catch (error) {
      if (!/not found|process already finished/.test(ctrMessage(error))) throw error;
    }
  }

  #warn(id: string, error: unknown): void {
    this.#options.log.warn('cleaning up after a container failed', { id, error: ctrMessage(error) });
  }

  /** On disk: what the container writes. */
  #writableDir(id: string): string {
    return join(this.#options.dataDir, 'writable', id);
  }
}
