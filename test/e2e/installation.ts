import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KEDGE } from './board.ts';
import type { Machine } from './machine.ts';

export const INSTALLER = join(dirname(KEDGE), 'install.sh');
/** The executable's name in a release. */
export const NAME = `kedge-linux-${process.arch}`;

/** A release on a web server that runs on a machine. */
export class Release {
  readonly url: string;
  readonly #folder: string;

  private constructor(machine: Machine, address: string) {
    this.url = `http://${address}:8000`;
    this.#folder = join(machine.share, 'release');
  }

  static async serve(machine: Machine, address = '127.0.0.1'): Promise<Release> {
    const release = new Release(machine, address);
    mkdirSync(release.#folder);
    release.publish();
    void machine.run(['busybox', 'httpd', '-f', '-p', '8000', '-h', '/srv/release'], { timeoutMs: 0 });
    await machine.until('the web server', async () => {
      const { code } = await machine.run(['curl', '-sf', `http://127.0.0.1:8000/sha256sum.txt`]);
      return code === 0;
    });
    return release;
  }

  /** States the sums of these files, by default of those that were built. */
  publish(
    files: Readonly<Record<string, Buffer | string>> = {
      'install.sh': readFileSync(INSTALLER),
      [NAME]: readFileSync(KEDGE),
    },
  ): void {
    const sums = Object.entries(files).map(([name, content]) => {
      this.write(name, content);
      return `${createHash('sha256').update(content).digest('hex')}  ${name}\n`;
    });
    this.write('sha256sum.txt', sums.join(''));
  }

  /** One byte more makes another build of the executable, which runs as well. */
  publishAnother(): void {
    const another = Buffer.concat([readFileSync(KEDGE), Buffer.of(10)]);
    this.publish({ 'install.sh': readFileSync(INSTALLER), [NAME]: another });
  }

  write(name: string, content: Buffer | string): void {
    writeFileSync(join(this.#folder, name), content);
  }

  /** As a person would: the script comes from the web server and is run unseen. */
  async install(machine: Machine, args = '', env: Readonly<Record<string, string>> = {}) {
    const pipe = `curl -sfL ${this.url}/install.sh | sh -s - ${args}`;
    const { code, stdout, stderr } = await machine.run(['sh', '-c', pipe], {
      env: { INSTALL_KEDGE_ARTIFACT: this.url, INSTALL_KEDGE_SYMLINK: 'force', ...env },
    });
    return { code, output: `${stdout}${stderr}` };
  }
}

/** Everything that could be left behind on a machine. */
export async function traces(machine: Machine): Promise<Record<string, string>> {
  const show = async (command: string): Promise<string> => await machine.ok(['sh', '-c', command]);
  return {
    files: machine.changes.join('\n'),
    running: await show('find /run /tmp -path /run/systemd -prune -o -path /run/log -prune -o -print | sort'),
    processes: await show('ps -eo args | grep -vE "^(ps|sh|grep|nsenter|sort|\\[)" | sort'),
    mounts: await show("cut -d' ' -f5 /proc/self/mountinfo"),
    interfaces: await show('ip -brief link; ip -brief address'),
    routes: await show('ip route show table all; ip rule'),
    rules: await show('nft list ruleset; iptables-save -t nat | grep -v "^[#:]"; true'),
    groups: await show("find /sys/fs/cgroup -name '*kedge*'"),
  };
}

/** The unit on a machine, and the pods it runs there. */
export class Service {
  readonly #machine: Machine;
  readonly name: string;
  constructor(machine: Machine, name: 'kedge.service' | 'kedge-agent.service') {
    this.#machine = machine;
    this.name = name;
  }
  async isActive(): Promise<boolean> {
    return (await this.#machine.run(['systemctl', '-q', 'is-active', this.name])).code === 0;
  }
  async pid(): Promise<string> {
    return (await this.#machine.ok(['systemctl', 'show', '--property=MainPID', '--value', this.name])).trim();
  }
  async commandLine(): Promise<readonly string[]> {
    return (await this.#machine.ok(['cat', `/proc/${await this.pid()}/cmdline`])).split('\0').slice(0, -1);
  }
  /** Processes in all containers, a line each. */
  async containers(): Promise<string> {
    return await this.#machine.ok([
      'sh',
      '-c',
      'cat /sys/fs/cgroup/*/kedge/pods/*/*/*/cgroup.procs | sort -u',
    ]);
  }
}
