import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import type { Output } from './board.ts';

const root = resolve(import.meta.dirname, '../..');
const GROUPS = '/sys/fs/cgroup';

export interface MachineOptions {
  /** With the length of its network, whose first address is the gateway's. */
  readonly address?: string;
  /** The machine that is its gateway. */
  readonly behind?: Machine;
}

/**
 * A machine with systemd of its own, for what an installer does to one: all namespaces, its own control group and
 * network, and the files of this machine under a layer that takes its changes. `remove` leaves nothing of it.
 */
export class Machine {
  readonly name: string;
  readonly folder: string;
  readonly #init: ChildProcess;
  #pid = 0;

  private constructor({ address = '192.168.77.2/24', behind }: MachineOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'kedge-e2e-'));
    this.name = `km${this.folder
      .slice(-6)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, 'x')}`;
    this.#connect(address, behind);
    this.#init = spawn('sh', ['-c', JOIN_GROUPS, 'sh', this.name, ...this.#bootArgv()], {
      stdio: ['ignore', 'ignore', openSync(join(this.folder, 'boot.log'), 'a')],
    });
  }

  /** One whose systemd runs. */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    const machine = new Machine(options);
    try {
      await machine.until('systemd to run', async () => {
        machine.#pid ||= machine.#initPid();
        return machine.#pid > 0 && (await machine.run(['systemctl', 'is-active', 'bare.target'])).code === 0;
      });
      return machine;
    } catch (error) {
      await machine.remove();
      throw error;
    }
  }

  /** The other end of its one link is in the machine it is behind, as that one's `eth1`, or leads nowhere. */
  #connect(address: string, behind: Machine | undefined): void {
    const inside = (command: string): unknown => execFileSync('ip', ['-n', this.name, ...command.split(' ')]);
    const gateway = address.replace(/\d+\/\d+$/, '1');
    execFileSync('ip', ['netns', 'add', this.name]);
    // IPv6 addresses are there at once, so that listings before and after can be compared.
    const noDetection = 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad';
    execFileSync('ip', ['netns', 'exec', this.name, 'sh', '-c', noDetection]);
    inside('link set lo up');
    if (behind === undefined) {
      inside('link add eth0 type veth peer name eth0peer');
      inside('link set eth0peer up');
    } else {
      inside(`link add eth0 type veth peer name eth1 netns ${behind.name}`);
      for (const command of [`address add ${gateway}/24 dev eth1`, 'link set eth1 up'])
        execFileSync('ip', ['-n', behind.name, ...command.split(' ')]);
    }
    inside(`address add ${address} dev eth0`);
    inside('link set eth0 up');
    inside(`route add default via ${gateway}`);
  }

  #bootArgv(): readonly string[] {
    const spaces = ['--mount', '--pid', '--uts', '--ipc', '--cgroup', '--fork', '--kill-child'];
    const script = join(root, 'test/fixtures/boot-systemd.sh');
    return ['nsenter', `--net=/run/netns/${this.name}`, 'unshare', ...spaces, 'sh', script, this.folder];
  }

  /** The child of `unshare` that has become systemd; 0 before that. */
  #initPid(): number {
    const { pid } = this.#init;
    try {
      const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
      return readFileSync(`/proc/${child}/comm`, 'utf8') === 'systemd\n' ? child : 0;
    } catch {
      return 0;
    }
  }

  /** What the machine changed of the files that it found, and added to them. */
  get changes(): readonly string[] {
    return [...changesIn(join(this.folder, 'upper'), '/'), ...changesIn(this.varLib, '/var/lib')].sort();
  }

  /** The folder that the machine knows as `/srv`. */
  get share(): string {
    return join(this.folder, 'share');
  }
  /** The folder that the machine knows as `/var/lib`. */
  get varLib(): string {
    return join(this.folder, 'varlib');
  }

  run(
    argv: readonly string[],
    options: { input?: string; env?: Readonly<Record<string, string>>; timeoutMs?: number } = {},
  ): Promise<Output> {
    const { PATH } = process.env;
    return new Promise((done) => {
      const child = execFile(
        '/usr/bin/nsenter',
        ['--all', `--target=${this.#pid}`, '--wd', ...argv],
        { env: { PATH, ...options.env }, maxBuffer: 16 * 1024 * 1024, timeout: options.timeoutMs ?? 100_000 },
        (error, stdout, stderr) => {
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

  /** A command that must succeed; returns what it printed. */
  async ok(argv: readonly string[], options: Parameters<Machine['run']>[1] = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options);
    if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Looks again until `check` holds; the error shows the end of the journal. */
  async until(what: string, check: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await check())) {
      if (performance.now() > deadline) {
        const { stdout } = await this.run(['journalctl', '--no-pager', '--lines=30']);
        const boot = readFileSync(join(this.folder, 'boot.log'), 'utf8');
        throw new Error(`waited ${timeoutMs} ms for ${what}\n${boot}${stdout}`);
      }
      await new Promise((again) => setTimeout(again, 100));
    }
  }

  /** Ends every process of the machine, which takes its mounts along, and removes the rest. */
  async remove(): Promise<void> {
    const ended = new Promise((done) => this.#init.once('exit', done));
    if (this.#pid > 0) process.kill(this.#pid, 'SIGKILL');
    else this.#init.kill('SIGKILL');
    await ended;
    execFileSync('ip', ['netns', 'delete', this.name]);
    for (const group of groupsOf(this.name)) removeGroup(group);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Puts the process into a group of its own in every hierarchy, which then is the root of those the machine sees. */
const JOIN_GROUPS = `
name=$1; shift
for root in ${GROUPS} ${GROUPS}/*; do
  [ -f "$root/cgroup.procs" ] || continue
  mkdir "$root/$name"
  for file in cpuset.cpus cpuset.mems; do
    if [ -f "$root/$name/$file" ] && [ ! -s "$root/$name/$file" ]; then cat "$root/$file" >"$root/$name/$file"; fi
  done 2>/dev/null
  echo $$ >"$root/$name/cgroup.procs" || exit 1
done
exec "$@"`;

function groupsOf(name: string): string[] {
  return ['', ...readdirSync(GROUPS)].map((root) => join(GROUPS, root, name)).filter(existsSync);
}

function removeGroup(group: string): void {
  for (const name of readdirSync(group)) {
    const path = join(group, name);
    if (statSync(path).isDirectory()) removeGroup(path);
  }
  rmdirSync(group);
}

/** A folder that was there before is listed only for what is new in it. */
function changesIn(folder: string, place: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => ({ entry, path: join(place, relative(folder, entry.parentPath), entry.name) }))
    .filter(({ entry, path }) => !entry.isDirectory() || !existsSync(path))
    .map(({ path }) => path);
}
