import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { Backoff } from '../lib/backoff.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import type { Exec } from '../lib/exec.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import { createCtr, ctrMessage } from './ctr/ctr.ts';

export interface ContainerdOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  /** Images and snapshots; on disk. */
  readonly root: string;
  /** Running tasks; on a tmpfs. */
  readonly state: string;
  /** Socket to listen on. */
  readonly address: string;
  /** Gives up waiting for it to answer, and ends it again. */
  readonly signal?: AbortSignal;
}

export interface Containerd {
  readonly address: string;
  readonly root: string;
  readonly pid: number;
  /** Ends containerd, whether this process started it or took it over. Containers keep running. */
  stop(): Promise<void>;
  /** Stops watching over it; it goes on. */
  release(): void;
}

/**
 * Kedge's own containerd: a running one that answers on the address is taken over, else one is started, detached, so
 * that neither our end nor a restart touches it. When it dies it is started again with back-off; containers live on
 * in their shims meanwhile. Rejects with a message that says what to do when it cannot be started.
 */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const daemon = new Daemon(options);
  const giveUp = (): void => daemon.release();
  options.signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await daemon.begin();
    options.signal?.throwIfAborted();
    return daemon;
  } catch (error) {
    // One that was started but does not answer must not be left behind.
    await daemon.stop();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', giveUp);
  }
}

/** What is of no use here costs memory and start-up time: the CRI, snapshotters for other file systems, tracing. */
const DISABLED_PLUGINS = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.tracing',
  'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.tracing.processor.v1.otlp',
];

/** Strings of a path are valid TOML basic strings when written as JSON. */
export function containerdConfig(options: Pick<ContainerdOptions, 'root' | 'state' | 'address'>): string {
  return `# Written by kedge at every start.
version = 2
root = ${JSON.stringify(options.root)}
state = ${JSON.stringify(options.state)}
disabled_plugins = ${JSON.stringify(DISABLED_PLUGINS)}

[grpc]
address = ${JSON.stringify(options.address)}

[debug]
level = "warn"
`;
}

class Daemon implements Containerd {
  readonly #options: ContainerdOptions;
  readonly #backoff = new Backoff({
    baseMs: LIMITS.runtime.containerdRetryBaseMs,
    maxMs: LIMITS.runtime.containerdRetryMaxMs,
  });
  readonly #stopped = new AbortController();
  #child: ChildProcess | undefined;
  /** Set while it is not our own child. */
  #watch: ClientHttp2Session | undefined;
  #pid = 0;

  constructor(options: ContainerdOptions) {
    this.#options = options;
  }

  get address(): string {
    return this.#options.address;
  }
  get root(): string {
    return this.#options.root;
  }
  get pid(): number {
    return this.#pid;
  }

  async begin(): Promise<void> {
    const pid = this.#recordedPid();
    if (pid !== undefined && (await this.#answers())) {
      this.#options.log.info('took over a running containerd', { pid });
      this.#pid = pid;
      this.#watchForeign();
      return;
    }
    await this.#launch();
  }

  release(): void {
    this.#stopped.abort();
    this.#watch?.destroy();
    this.#child?.unref();
  }

  async stop(): Promise<void> {
    this.release();
    const pid = this.#recordedPid();
    if (pid === undefined) return;
    process.kill(pid, 'SIGTERM');
    for (let waitedMs = 0; this.#recordedPid() !== undefined; waitedMs += 20) {
      if (waitedMs > 5000) process.kill(pid, 'SIGKILL');
      await sleep(this.#options.clock, 20);
    }
    await rm(this.#pidPath(), { force: true });
  }

  async #launch(): Promise<void> {
    const { exec, root, state, address, log } = this.#options;
    for (const dir of [root, state, dirname(address)]) await mkdir(dir, { recursive: true, mode: 0o711 });
    const configPath = join(state, 'config.toml');
    const logPath = join(root, 'containerd.log');
    await writeFile(configPath, containerdConfig(this.#options));
    if ((statSync(logPath, { throwIfNoEntry: false })?.size ?? 0) > LIMITS.runtime.containerdLogBytes) {
      truncateSync(logPath);
    }
    const output = openSync(logPath, 'a', 0o600);
    let child: ChildProcess;
    try {
      child = exec.start(['containerd', '--config', configPath], {
        detached: true,
        stdio: ['ignore', output, output],
        // Not a systemd service of its own: it must not report readiness in our place.
        env: { ...process.env, NOTIFY_SOCKET: undefined },
      });
    } finally {
      closeSync(output);
    }
    child.unref();
    const failed = new Promise<never>((_, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          cause.code === 'ENOENT'
            ? new Error('containerd is not installed; install it with: apt install containerd')
            : new Error('containerd cannot be started', { cause }),
        ),
      );
      child.once('exit', (code, signal) =>
        reject(
          new Error(
            `containerd ended with ${signal ?? `code ${code}`}: ${lastLine(logPath)} (see ${logPath})`,
          ),
        ),
      );
    });
    failed.catch(() => {});
    if (child.pid !== undefined) {
      this.#pid = child.pid;
      await writeFile(this.#pidPath(), String(child.pid));
    }
    await Promise.race([failed, this.#ready()]);
    this.#child = child;
    log.info('containerd runs', { pid: this.#pid, address });
    child.removeAllListeners('exit');
    child.once('exit', (code, signal) => this.#died(signal ?? `code ${code}`));
    if (child.exitCode !== null || child.signalCode !== null) this.#died('exit');
  }

  #died(how: string): void {
    this.#child = undefined;
    if (this.#stopped.signal.aborted) return;
    const delayMs = this.#backoff.next('containerd');
    this.#options.log.warn('containerd ended; containers go on, starting it again', { how, delayMs });
    void sleep(this.#options.clock, delayMs, this.#stopped.signal)
      .then(() => this.#launch())
      .then(
        () => {
          // Only one that stayed up for a while has earned a quick restart.
          this.#options.clock.setTimer(LIMITS.runtime.containerdRetryMaxMs, () =>
            this.#backoff.forget('containerd'),
          );
        },
        (error) => {
          if (!this.#stopped.signal.aborted)
            this.#died(error instanceof Error ? error.message : String(error));
        },
      );
  }

  /**
   * The end of a process that is not our child shows as the end of a connection to it: nothing has to look for it, and
   * nothing wakes up meanwhile.
   */
  #watchForeign(): void {
    const session = connect('http://containerd', {
      createConnection: () => createConnection(this.#options.address),
    });
    this.#watch = session;
    session.on('error', () => {});
    session.once('close', () => {
      this.#watch = undefined;
      if (this.#stopped.signal.aborted) return;
      // Its end is only certain when the process is gone, too.
      void sleep(this.#options.clock, LIMITS.runtime.containerdRetryBaseMs, this.#stopped.signal).then(
        () => (this.#recordedPid() === undefined ? this.#died('exit') : this.#watchForeign()),
        () => {},
      );
    });
    session.unref();
  }

  async #ready(): Promise<void> {
    const { clock, address } = this.#options;
    const deadlineMs = clock.monotonicMs() + LIMITS.runtime.containerdReadyMs;
    for (;;) {
      // A socket file costs nothing to look for; the client is only asked once there is one.
      if (existsSync(address) && (await this.#answers())) return;
      if (clock.monotonicMs() > deadlineMs) throw new Error(`containerd does not answer on ${address}`);
      await sleep(clock, 20, this.#stopped.signal);
    }
  }

  async #answers(): Promise<boolean> {
    const { exec, address } = this.#options;
    if (!existsSync(address)) return false;
    const ctr = createCtr({ exec, address, namespace: 'k8s.io' });
    try {
      await ctr.run(['version'], { timeoutMs: 5000, signal: this.#stopped.signal });
      return true;
    } catch (error) {
      if (/not installed/.test(ctrMessage(error))) throw new Error(ctrMessage(error));
      return false;
    }
  }

  /** The process that the pid file names, if it still is the containerd started with our configuration. */
  #recordedPid(): number | undefined {
    try {
      const pid = Number(readFileSync(this.#pidPath(), 'utf8'));
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return argv.includes(join(this.#options.state, 'config.toml')) ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  #pidPath(): string {
    return join(this.#options.state, 'containerd.pid');
  }
}

function lastLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').at(-1) ?? '';
  } catch {
    return '';
  }
}
