import { type ChildProcess, type ExecFileException, execFile, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { KUBECTL } from './clients.ts';

const root = resolve(import.meta.dirname, '../..');
export const KEDGE = process.env['KEDGE_E2E_BINARY'] ?? join(root, `dist/kedge-linux-${process.arch}`);
export const IMAGE = 'kedge.local/busybox:1';

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BoardOptions {
  /** More flags of `kedge server`, or of `kedge agent`. */
  readonly flags?: readonly string[];
  readonly agent?: boolean;
  /** The board whose server this one joins; it then runs `kedge agent`, with the server's node token or this one. */
  readonly server?: Board;
  readonly token?: string;
  /** What it is plugged into; a link of its own that leads nowhere by default. */
  readonly lan?: Network;
  /** Last part of its address, and of its node's name when it is not the first board. */
  readonly host?: number;
  /** The executable; the one in `dist` by default. */
  readonly binary?: string;
}

/** What gives a board's namespace its `eth0`. */
export interface Network {
  /** First three parts of every address on it; its router, if there is one, is `.1`. */
  readonly prefix: string;
  plug(namespace: string, host: number): void;
}

/** A switch that boards are plugged into: a network namespace with a bridge. */
export class Lan implements Network {
  static #count = 0;
  readonly prefix = '192.168.77';
  readonly name = `kl${process.pid % 100_000}x${Lan.#count++}`;

  static create(): Lan {
    const lan = new Lan();
    execFileSync('ip', ['netns', 'add', lan.name]);
    lan.enter(['ip', 'link', 'add', 'lan', 'type', 'bridge']);
    lan.enter(['ip', 'link', 'set', 'lan', 'up']);
    return lan;
  }

  enter(argv: readonly string[]): string {
    return execFileSync('nsenter', [`--net=/run/netns/${this.name}`, ...argv], { encoding: 'utf8' });
  }

  /** Gives a board's namespace an `eth0` on this switch. */
  plug(namespace: string, host: number): void {
    const port = `port${host}`;
    // The end of a board's namespace takes the link away, but not at once.
    this.enter(['sh', '-c', `ip link delete ${port} 2>/dev/null || true`]);
    this.enter(['ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    this.enter(['ip', 'link', 'set', port, 'master', 'lan', 'up']);
  }

  /** Pulls a board's cable, or plugs it in again. */
  cable(host: number, state: 'up' | 'down'): void {
    this.enter(['ip', 'link', 'set', `port${host}`, state]);
  }

  remove(): void {
    execFileSync('ip', ['netns', 'delete', this.name]);
  }
}

/** A router with a network behind it, whose addresses nobody outside sees or knows a way to. */
export class NatRouter implements Network {
  readonly name: string;
  readonly prefix = '10.99.0';

  constructor(lan: Lan, host: number) {
    this.name = `${lan.name}r${host}`;
    execFileSync('ip', ['netns', 'add', this.name]);
    lan.plug(this.name, host);
    const commands = [
      `ip address add ${lan.prefix}.${host}/24 dev eth0`,
      'ip link set eth0 up',
      'echo 1 > /proc/sys/net/ipv4/ip_forward',
      'nft add table ip nat',
      "nft add chain ip nat out '{ type nat hook postrouting priority 100; }'",
      'nft add rule ip nat out oifname eth0 masquerade',
    ];
    this.enter(['sh', '-ec', commands.join('\n')]);
  }

  enter(argv: readonly string[]): string {
    return execFileSync('nsenter', [`--net=/run/netns/${this.name}`, ...argv], { encoding: 'utf8' });
  }

  /** There is one board behind it. */
  plug(namespace: string): void {
    this.enter(['ip', 'link', 'add', 'inside', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    this.enter(['ip', 'address', 'add', `${this.prefix}.1/24`, 'dev', 'inside']);
    this.enter(['ip', 'link', 'set', 'inside', 'up']);
  }

  remove(): void {
    execFileSync('ip', ['netns', 'delete', this.name]);
  }
}

/**
 * One board: a network namespace with an address of its own, folders of its own, its own containerd and control
 * group. `remove` leaves nothing of it on the machine.
 */
export class Board {
  readonly name: string;
  readonly folder: string;
  readonly #flags: readonly string[];
  readonly #agent: boolean;
  readonly #binary: string;
  readonly #joined: Board | undefined;
  readonly #token: string | undefined;
  readonly #lan: Network | undefined;
  readonly host: number;
  readonly nodeName: string;
  #server: ChildProcess | undefined;

  private constructor(options: BoardOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'kedge-e2e-'));
    this.name = `kb${this.folder
      .slice(-6)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, 'x')}`;
    this.#flags = options.flags ?? [];
    this.#agent = options.agent ?? true;
    this.#binary = options.binary ?? KEDGE;
    this.#joined = options.server;
    this.#token = options.token;
    this.#lan = options.lan;
    this.host = options.host ?? 2;
    this.nodeName = this.host === 2 ? 'board' : `board${this.host}`;
  }

  static create(options: BoardOptions = {}): Board {
    const board = new Board(options);
    board.#connect();
    mkdirSync(join(board.dataDir, 'agent/images'), { recursive: true });
    if (options.agent ?? true) {
      execFileSync(process.execPath, [
        join(root, 'test/fixtures/busybox-image.ts'),
        join(board.dataDir, 'agent/images/busybox.tar'),
        IMAGE,
      ]);
    }
    return board;
  }

  #connect(): void {
    execFileSync('ip', ['netns', 'add', this.name]);
    this.enter(['ip', 'link', 'set', 'lo', 'up']);
    if (this.#lan) this.#lan.plug(this.name, this.host);
    else {
      this.enter(['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0peer']);
      this.enter(['ip', 'link', 'set', 'eth0peer', 'up']);
    }
    this.enter(['ip', 'address', 'add', `${this.address}/24`, 'dev', 'eth0']);
    this.enter(['ip', 'link', 'set', 'eth0', 'up']);
    this.enter(['ip', 'route', 'add', 'default', 'via', `${this.#prefix}.1`]);
  }

  /**
   * As if the power had failed and come back: every process killed, mounts, state folder and network gone. What is in
   * the data folder stays. The server does not run yet.
   */
  async powerCycle(): Promise<void> {
    await this.stop('SIGKILL');
    process.kill(this.containerdPid, 'SIGKILL');
    await this.killAll();
    execFileSync('ip', ['netns', 'delete', this.name]);
    this.#connect();
  }

  get containerdPid(): number {
    return Number(readFileSync(join(this.stateDir, 'containerd/containerd.pid'), 'utf8'));
  }

  /** Ends everything that runs on the board. */
  async killAll(args: readonly string[] = []): Promise<void> {
    const { code, stderr } = await this.run([join(root, 'scripts/kedge-killall.sh'), ...args], {
      env: this.env,
    });
    if (code !== 0) throw new Error(`kedge-killall.sh: ${stderr}`);
  }

  /** containerd's own view: ids of all containers. */
  async containerIds(): Promise<readonly string[]> {
    const socket = join(this.stateDir, 'containerd/containerd.sock');
    const { stdout } = await this.run([
      'ctr',
      '--address',
      socket,
      '-n',
      'k8s.io',
      'containers',
      'list',
      '-q',
    ]);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  }

  get address(): string {
    return `${this.#prefix}.${this.host}`;
  }
  get #prefix(): string {
    return this.#lan?.prefix ?? '192.168.77';
  }
  get dataDir(): string {
    return join(this.folder, 'data');
  }
  get stateDir(): string {
    return join(this.folder, 'run');
  }
  /** What the snapshots of the datastore take on disk. */
  get snapshotBytes(): number {
    const folder = join(this.dataDir, 'server/db/snapshots');
    if (!existsSync(folder)) return 0;
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  }
  get kubeconfig(): string {
    return join((this.#joined ?? this).folder, 'kubeconfig');
  }
  get logFile(): string {
    return join(this.folder, 'kedge.log');
  }
  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }
  get pid(): number {
    if (this.#server?.pid === undefined) throw new Error('the server does not run');
    return this.#server.pid;
  }
  get env(): Record<string, string> {
    return {
      KEDGE_DATA_DIR: this.dataDir,
      KEDGE_STATE_DIR: this.stateDir,
      KEDGE_CGROUP_ROOT: this.name,
    };
  }

  /** Runs a command inside the board's network, to its end; throws when it fails. */
  enter(argv: readonly string[]): string {
    return execFileSync('nsenter', [`--net=/run/netns/${this.name}`, ...argv], { encoding: 'utf8' });
  }

  get #commonFlags(): readonly string[] {
    return [
      ...['--data-dir', this.dataDir, '--state-dir', this.stateDir, '--config', '/dev/null'],
      ...['--node-name', this.nodeName, '--cgroup-root', this.name],
    ];
  }
  get serverFlags(): readonly string[] {
    return [
      ...this.#commonFlags,
      ...['--write-kubeconfig', this.kubeconfig],
      ...(this.#agent ? [] : ['--disable-agent']),
      ...this.#flags,
    ];
  }
  /** Command and flags of what runs on this board. */
  get argv(): readonly string[] {
    if (!this.#joined) return ['server', ...this.serverFlags];
    const { address, dataDir } = this.#joined;
    const token =
      this.#token === undefined ? ['--token-file', `${dataDir}/server/node-token`] : ['--token', this.#token];
    const server = ['--server', `https://${address}:6443`];
    return ['agent', ...this.#commonFlags, ...server, ...token, ...this.#flags];
  }

  /** Starts `kedge server` and waits until `/readyz` answers (and the node is Ready, with an agent). */
  async start(): Promise<void> {
    this.spawn();
    if (!this.#joined)
      await this.until(
        'the API to be ready',
        async () => (await this.kubectl(['get', '--raw', '/readyz'])).code === 0,
      );
    const nodes = ['get', 'node', this.nodeName, '--no-headers'];
    if (this.#agent) {
      await this.until('the node to be Ready', async () =>
        / Ready /.test((await (this.#joined ?? this).kubectl(nodes)).stdout),
      );
    }
  }

  /** Starts `kedge server` or `kedge agent` without waiting. */
  spawn(env: Readonly<Record<string, string>> = {}): ChildProcess {
    const log = openSync(this.logFile, 'a');
    const child = spawn('nsenter', [`--net=/run/netns/${this.name}`, this.#binary, ...this.argv], {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...env },
    });
    closeSync(log);
    this.#server = child;
    return child;
  }

  /** Sends a signal and waits for the end. Resolves with the exit code, or the signal's name. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const child = this.#server;
    if (!child) return 0;
    this.#server = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode ?? 0;
    const ended = new Promise<number | string>((done) =>
      child.once('exit', (code, by) => done(code ?? by ?? 0)),
    );
    child.kill(signal);
    return await ended;
  }

  async kubectl(
    args: readonly string[],
    options: { version?: keyof typeof KUBECTL; input?: string; env?: Record<string, string> } = {},
  ): Promise<Output> {
    return await this.run([KUBECTL[options.version ?? '1.35'](), ...args], options);
  }

  /** kubectl that must succeed; returns what it printed. */
  async ok(
    args: readonly string[],
    options: { version?: keyof typeof KUBECTL; input?: string } = {},
  ): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  async kedge(args: readonly string[], input?: string): Promise<Output> {
    return await this.run([this.#binary, ...args], input === undefined ? {} : { input });
  }

  async apply(manifest: string): Promise<string> {
    return await this.ok(['apply', '-f', '-'], { input: manifest });
  }

  /** Runs a command inside the board's network with its kubeconfig. */
  run(
    argv: readonly string[],
    options: { input?: string; env?: Record<string, string>; timeoutMs?: number } = {},
  ): Promise<Output> {
    return new Promise((done) => {
      const child = execFile(
        'nsenter',
        [`--net=/run/netns/${this.name}`, ...argv],
        {
          env: { ...process.env, KUBECONFIG: this.kubeconfig, HOME: this.folder, ...options.env },
          maxBuffer: 64 * 1024 * 1024,
          timeout: options.timeoutMs ?? 100_000,
        },
        (error: ExecFileException | null, stdout, stderr) => {
          done({
            code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1,
            stdout,
            stderr,
          });
        },
      );
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input ?? '');
    });
  }

  /** Looks again until `check` holds, at most `timeoutMs`; the error shows the end of the server's log. */
  async until(what: string, check: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await check())) {
      if (performance.now() > deadline) {
        throw new Error(`waited ${timeoutMs} ms for ${what}\n${this.log.split('\n').slice(-25).join('\n')}`);
      }
      if (this.#server && this.#server.exitCode !== null)
        throw new Error(`the server ended while waiting for ${what}\n${this.log}`);
      await new Promise((again) => setTimeout(again, 100));
    }
  }

  /** Stops everything and removes every trace. */
  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    await this.killAll().catch((error) => appendFileSync(this.logFile, String(error)));
    execFileSync('ip', ['netns', 'delete', this.name]);
    if (process.env['KEDGE_E2E_KEEP']) console.log(`kept ${this.folder}`);
    else rmSync(this.folder, { recursive: true, force: true });
  }
}
