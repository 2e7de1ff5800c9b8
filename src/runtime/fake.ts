import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import type { ExecSession } from '../client/node-port.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { EventQueue } from './ctr/event-queue.ts';
import { type FakeProgram, shellProgram } from './fake-program.ts';
import { isImageId, normalizeReference, repositoryOf } from './image-reference.ts';
import type {
  Container,
  ContainerConfig,
  ContainerResources,
  ContainerStats,
  Image,
  PullOptions,
  Runtime,
  RuntimeAttachRequest,
  RuntimeEvent,
  RuntimeExecRequest,
  Sandbox,
  SandboxConfig,
} from './port.ts';

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  /** Where logs are written; without it containers have none. */
  readonly logDir?: string;
  /** What a container does; the default reads `sh -c` with `echo`, `sleep`, `exit`. */
  readonly program?: (config: ContainerConfig) => FakeProgram;
  /** First three parts of pod addresses. */
  readonly addressPrefix?: string;
  /** Images that can be pulled; the default lets every valid reference be pulled. */
  readonly pullable?: (reference: string) => boolean;
}

interface Running {
  readonly config: ContainerConfig;
  readonly program: FakeProgram;
  timer?: Timer;
}

const SIGNAL_CODES: Readonly<Record<string, number>> = {
  SIGKILL: 137,
  SIGTERM: 143,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGHUP: 129,
};

/** A runtime in memory, for simulations: time is the given clock's, containers are small programs. */
export class FakeRuntime implements Runtime {
  readonly #options: FakeRuntimeOptions;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Container>();
  readonly #running = new Map<string, Running>();
  readonly #images = new Map<string, Image>();
  readonly #queue = new EventQueue();
  readonly #failures = new Map<string, Error>();
  /** Limits that running containers were given, in order. */
  readonly updated: { readonly id: string; readonly resources: ContainerResources }[] = [];
  #nextAddress = 2;

  constructor(options: FakeRuntimeOptions) {
    this.#options = options;
  }

  /** Makes an image present, as an import would. */
  addImage(reference: string, extra: { readonly user?: string; readonly stopSignal?: string } = {}): Image {
    const name = normalizeReference(reference);
    const id = `sha256:${createHash('sha256').update(name).digest('hex')}`;
    const image = {
      id,
      references: [name],
      digests: [`${repositoryOf(name)}@${id}`],
      sizeBytes: 1000,
      user: '',
      ...extra,
    };
    this.#images.set(id, image);
    return image;
  }

  /** The next call of this operation rejects. */
  failNext(operation: keyof Runtime, error: Error): void {
    this.#failures.set(operation, error);
  }

  /** The container's process ends by itself. */
  exit(id: string, exitCode: number, options: { readonly oomKilled?: boolean } = {}): void {
    const container = this.#containers.get(id);
    const running = this.#running.get(id);
    if (!container || !running) return;
    running.timer?.cancel();
    this.#running.delete(id);
    const atMs = this.#options.clock.now();
    const oomKilled = options.oomKilled ?? false;
    const reason = oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
    const { pid: _, ...rest } = container;
    this.#containers.set(id, { ...rest, state: 'exited', exitCode, finishedAtMs: atMs, reason });
    this.#queue.push({ type: 'exit', id, exitCode, atMs, oomKilled });
  }

  /** The connection to the runtime broke and is back: readers have to list. */
  reconnect(): void {
    this.#queue.push({ type: 'resync' });
  }

  /** The board was switched off: nothing runs and no namespace is left. */
  reboot(): void {
    for (const [id, { timer }] of this.#running) {
      timer?.cancel();
      const { pid: _, ...rest } = this.#containers.get(id) as Container;
      const finishedAtMs = this.#options.clock.now();
      const lost = {
        state: 'exited',
        exitCode: 255,
        reason: 'ContainerStatusUnknown',
        finishedAtMs,
      } as const;
      this.#containers.set(id, { ...rest, ...lost });
    }
    this.#running.clear();
    for (const [uid, sandbox] of this.#sandboxes) this.#sandboxes.set(uid, { ...sandbox, ready: false });
    this.reconnect();
  }

  async version(): Promise<{ readonly name: string; readonly version: string }> {
    this.#maybeFail('version');
    return { name: 'fake', version: '1' };
  }

  async createSandbox(config: SandboxConfig): Promise<Sandbox> {
    this.#maybeFail('createSandbox');
    const existing = this.#sandboxes.get(config.uid);
    if (existing?.ready) return existing;
    const { uid, namespace, name } = config;
    const prefix = this.#options.addressPrefix ?? '10.42.0';
    const ips = config.hostNetwork ? [] : [`${prefix}.${this.#nextAddress++}`];
    const sandbox = { uid, namespace, name, ips, createdAtMs: this.#options.clock.now(), ready: true };
    this.#sandboxes.set(uid, sandbox);
    return sandbox;
  }

  async removeSandbox(uid: string): Promise<void> {
    this.#maybeFail('removeSandbox');
    for (const { id, podUid } of [...this.#containers.values()])
      if (podUid === uid) await this.removeContainer(id);
    this.#sandboxes.delete(uid);
  }

  async listSandboxes(): Promise<readonly Sandbox[]> {
    return [...this.#sandboxes.values()];
  }

  async startContainer(config: ContainerConfig): Promise<Container> {
    this.#maybeFail('startContainer');
    const { id, podUid, name, attempt, image, labels } = config;
    if (!this.#sandboxes.get(podUid)?.ready)
      throw new Error(`pod ${podUid} has no sandbox for container ${name}`);
    const present = this.#images.get(image);
    if (!present) throw new Error(`image ${image} is not present`);
    if (this.#containers.has(id)) throw new Error(`container ${id} exists already`);
    const program = (this.#options.program ?? shellProgram)(config);
    if (program.startError !== undefined)
      throw new Error(`failed to start container ${name}: ${program.startError}`);
    const nowMs = this.#options.clock.now();
    const container: Container = {
      ...{ id, podUid, name, attempt, image, labels },
      state: 'running',
      pid: 1000 + this.#containers.size,
      createdAtMs: nowMs,
      startedAtMs: nowMs,
    };
    this.#containers.set(id, container);
    const running: Running = { config, program };
    this.#running.set(id, running);
    if (program.output) this.#log(id, program.output);
    if (program.exit) {
      const { code, afterMs } = program.exit;
      running.timer = this.#options.clock.setTimer(afterMs, () => this.exit(id, code));
    }
    return container;
  }

  async signalContainer(id: string, signal: string): Promise<void> {
    this.#maybeFail('signalContainer');
    const running = this.#running.get(id);
    if (!running) return;
    const response = signal === 'SIGKILL' ? undefined : running.program.onSignal?.(signal);
    if (response === 'ignore') return;
    this.exit(id, response ?? SIGNAL_CODES[signal] ?? 128);
  }

  async removeContainer(id: string, options: { readonly logs?: boolean } = {}): Promise<void> {
    this.#maybeFail('removeContainer');
    if (this.#running.has(id)) this.exit(id, 137);
    this.#containers.delete(id);
    if (options.logs && this.#options.logDir !== undefined) rmSync(this.logPath(id), { force: true });
  }

  async listContainers(): Promise<readonly Container[]> {
    this.#maybeFail('listContainers');
    return [...this.#containers.values()];
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const events = this.#queue.read(signal, () => {});
    this.#queue.push({ type: 'resync' });
    return events;
  }

  async exec(id: string, request: RuntimeExecRequest): Promise<ExecSession> {
    this.#maybeFail('exec');
    const { exitCode, output } = await this.execSync(id, request.command, 0);
    const stdout = new PassThrough();
    stdout.end(output);
    const stderr = new PassThrough();
    stderr.end();
    return {
      ...(request.stdin ? { stdin: new PassThrough().resume() } : {}),
      ...(request.stdout ? { stdout } : {}),
      ...(request.stderr && !request.tty ? { stderr } : {}),
      resize: () => {},
      exit: Promise.resolve(exitCode),
      close: () => {},
    };
  }

  /** Output is empty and input is swallowed; ends with the container. */
  async attach(id: string, request: RuntimeAttachRequest): Promise<ExecSession> {
    this.#maybeFail('attach');
    if (!this.#running.has(id)) throw new Error(`container ${id} is not running`);
    const stdout = new PassThrough();
    const { promise: exit, resolve } = Promise.withResolvers<number>();
    const stop = new AbortController();
    void (async () => {
      for await (const event of this.#queue.read(stop.signal, () => stdout.end())) {
        if (event.type !== 'exit' || event.id !== id) continue;
        resolve(event.exitCode);
        break;
      }
    })();
    return {
      ...(request.stdin ? { stdin: new PassThrough().resume() } : {}),
      ...(request.stdout ? { stdout } : {}),
      resize: () => {},
      exit,
      close: () => stop.abort(),
    };
  }

  async execSync(
    id: string,
    argv: readonly string[],
    timeoutMs: number,
  ): Promise<{ readonly exitCode: number; readonly output: string }> {
    this.#maybeFail('execSync');
    const running = this.#running.get(id);
    if (!running)
      throw new Error(
        this.#containers.has(id) ? `container ${id} is not running` : `container ${id} not found`,
      );
    const { exec } = running.program;
    if (exec) return exec(argv);
    const program = shellProgram({ ...running.config, command: argv, args: [] });
    if (program.startError !== undefined) return { exitCode: 127, output: program.startError };
    const { code, afterMs } = program.exit ?? { code: 0, afterMs: Number.POSITIVE_INFINITY };
    if (timeoutMs > 0 && afterMs > timeoutMs) return { exitCode: 124, output: program.output ?? '' };
    return { exitCode: code, output: program.output ?? '' };
  }

  /** Echoes what is written to it, unless the pod has no such port. */
  async portForward(uid: string, port: number): Promise<Duplex> {
    this.#maybeFail('portForward');
    if (!this.#sandboxes.has(uid)) throw new Error(`pod ${uid} has no sandbox`);
    const listens = [...this.#running.values()].some(
      ({ config, program }) => config.podUid === uid && program.ports?.includes(port),
    );
    if (!listens)
      throw new Error(`failed to connect to localhost:${port} inside namespace: Connection refused`);
    const echo = new PassThrough();
    return Duplex.from(echo);
  }

  logPath(id: string): string {
    return join(this.#options.logDir ?? '/nonexistent', `${id}.log`);
  }

  async updateContainer(id: string, resources: ContainerResources): Promise<void> {
    this.#maybeFail('updateContainer');
    if (!this.#running.has(id)) throw new Error(`container ${id} is not running`);
    this.updated.push({ id, resources });
  }

  async stats(id: string): Promise<ContainerStats | undefined> {
    if (!this.#running.has(id)) return undefined;
    const memoryBytes = 1024 * 1024;
    return {
      atMs: this.#options.clock.now(),
      cpuUsageNanos: 1_000_000,
      memoryWorkingSetBytes: memoryBytes,
      memoryUsageBytes: memoryBytes,
      memoryRssBytes: memoryBytes,
    };
  }

  async imageDirs(id: string): Promise<readonly string[]> {
    this.#maybeFail('imageDirs');
    if (!(await this.image(id))) throw new Error(`image ${id} not found`);
    return [this.#options.logDir ?? '/nonexistent'];
  }

  async listImages(): Promise<readonly Image[]> {
    this.#maybeFail('listImages');
    return [...this.#images.values()];
  }

  async image(reference: string): Promise<Image | undefined> {
    this.#maybeFail('image');
    if (isImageId(reference)) {
      return this.#images.get(reference.startsWith('sha256:') ? reference : `sha256:${reference}`);
    }
    const name = normalizeReference(reference);
    return [...this.#images.values()].find(
      ({ references, digests }) => references.includes(name) || digests.includes(name),
    );
  }

  async pullImage(reference: string, options: PullOptions): Promise<Image> {
    options.signal?.throwIfAborted();
    this.#maybeFail('pullImage');
    const name = normalizeReference(reference);
    if (!(this.#options.pullable?.(name) ?? true)) {
      throw new Error(
        `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`,
      );
    }
    return this.addImage(name);
  }

  async removeImage(id: string): Promise<void> {
    this.#maybeFail('removeImage');
    const user = [...this.#running.values()].find(({ config }) => config.image === id);
    if (user) throw new Error(`image ${id} is used by container ${user.config.id}`);
    this.#images.delete(id);
  }

  async importImages(): Promise<readonly string[]> {
    throw new Error('the fake runtime reads no archives; use addImage');
  }

  async close(): Promise<void> {
    for (const { timer } of this.#running.values()) timer?.cancel();
  }

  #log(id: string, text: string): void {
    if (this.#options.logDir === undefined) return;
    mkdirSync(this.#options.logDir, { recursive: true });
    appendFileSync(this.logPath(id), text);
  }

  #maybeFail(operation: keyof Runtime): void {
    const error = this.#failures.get(operation);
    this.#failures.delete(operation);
    if (error) throw error;
  }
}
