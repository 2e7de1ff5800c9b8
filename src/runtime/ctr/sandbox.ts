import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Cgroups } from '../cgroups.ts';
import type { ConfList } from '../cni/conflist.ts';
import { type Attachment, addressesOf, type CniResult, type CniRunner } from '../cni/network.ts';
import { isNamespace } from '../namespaces.ts';
import type { Sandbox, SandboxConfig } from '../port.ts';
import { unmountAll } from './mounts.ts';
import { Records } from './records.ts';

export interface SandboxRecord extends SandboxConfig {
  readonly createdAtMs: number;
  readonly ips: readonly string[];
  readonly attachment?: Attachment;
}

export interface SandboxPaths {
  readonly network?: string;
  readonly ipc?: string;
  readonly uts?: string;
  readonly shm: string;
}

export interface SandboxesOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly cgroups: Cgroups;
  readonly cni: CniRunner;
  /** The network for new pods. */
  readonly network: () => Promise<ConfList>;
  /** A directory that a reboot empties. */
  readonly stateDir: string;
  readonly recordDir: string;
}

/**
 * Runs inside the new namespaces: loopback up, hostname, a shared-memory file system for the pod, sysctls. A constant:
 * everything that varies arrives as an argument. `$1` hostname, `$2` /dev/shm or empty, `$3` `net` or empty, then
 * pairs of sysctl path and value.
 */
const SETUP = `set -e
if [ -n "$1" ]; then printf %s "$1" > /proc/sys/kernel/hostname; fi
if [ -n "$2" ]; then mount -t tmpfs -o nosuid,nodev,noexec,mode=1777,size=64m shm "$2"; fi
if [ -n "$3" ]; then ip link set lo up; fi
shift 3
while [ $# -gt 1 ]; do printf %s "$2" > "/proc/sys/$1"; shift 2; done`;

/** As containerd 2 does for every pod: any user may bind low ports and send pings in the pod's own network. */
const NETWORK_SYSCTLS = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/** Pod sandboxes: pinned namespaces without a process in them, plus the pod's network and cgroup. */
export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #records: Records<SandboxRecord>;
  /** Addresses that pods had, to be asked for again: a reboot takes a pod's network, but not the pod. */
  readonly #lastIps = new Map<string, readonly string[]>();

  constructor(options: SandboxesOptions) {
    this.#options = options;
    this.#records = new Records(options.recordDir);
  }

  record(uid: string): SandboxRecord | undefined {
    return this.#records.get(uid);
  }

  async create(config: SandboxConfig): Promise<Sandbox> {
    const { clock, cgroups, network } = this.#options;
    const existing = this.#records.get(config.uid);
    if (existing) {
      if (await this.#isReady(existing)) {
        return this.#describe(existing);
      }
      await this.remove(config.uid);
    }
    let record: SandboxRecord = { ...config, createdAtMs: clock.now(), ips: [] };
    if (!config.hostNetwork) {
      const attachment: Attachment = {
        conf: await network(),
        containerId: config.uid,
        netns: join(this.#dir(config.uid), 'net'),
        podNamespace: config.namespace,
        podName: config.name,
        ports: config.ports,
      };
      record = { ...record, attachment };
    }
    // Written before anything exists, so that a crash in between still ends in a clean removal.
    await this.#records.save(config.uid, record);
    try {
      await Promise.all([this.#unshare(config), cgroups.ensure(config.cgroupParent)]);
      if (record.attachment) {
        const result = await this.#plug(record.attachment);
        record = { ...record, ips: addressesOf(result), attachment: { ...record.attachment, result } };
        await this.#records.save(config.uid, record);
      }
    } catch (error) {
      await this.remove(config.uid).catch(() => {});
      throw error;
    }
    return this.#describe(record);
  }

  /** With the address that the pod had before, if nobody else has it now. */
  async #plug(attachment: Attachment): Promise<CniResult> {
    const { cni } = this.#options;
    const wantedIps = this.#lastIps.get(attachment.containerId);
    this.#lastIps.delete(attachment.containerId);
    if (wantedIps !== undefined) {
      try {
        return await cni.add({ ...attachment, wantedIps });
      } catch {
        // Another address is better than none; what went wrong otherwise goes wrong again.
        await cni.del(attachment).catch(() => {});
      }
    }
    return await cni.add(attachment);
  }

  #remember(uid: string, ips: readonly string[]): void {
    this.#lastIps.set(uid, ips);
    const [oldest] = this.#lastIps.keys();
    if (this.#lastIps.size > LIMITS.runtime.rememberedPods && oldest !== undefined)
      this.#lastIps.delete(oldest);
  }

  /** Containers must be gone already. */
  async remove(uid: string): Promise<void> {
    const record = this.#records.get(uid);
    if (record && record.ips.length > 0) this.#remember(uid, record.ips);
    const dir = this.#dir(uid);
    if (record?.attachment) await this.#options.cni.del(record.attachment);
    await unmountAll(this.#options.exec, dir);
    await rm(dir, { recursive: true, force: true });
    if (record) await this.#options.cgroups.remove(record.cgroupParent);
    await this.#records.remove(uid);
  }

  async list(): Promise<readonly Sandbox[]> {
    return Promise.all(this.#records.all().map((record) => this.#describe(record)));
  }

  paths(record: SandboxRecord): SandboxPaths {
    const dir = this.#dir(record.uid);
    return {
      ...(record.hostNetwork ? {} : { network: join(dir, 'net'), uts: join(dir, 'uts') }),
      ...(record.hostIPC ? {} : { ipc: join(dir, 'ipc') }),
      shm: record.hostIPC ? '/dev/shm' : join(dir, 'shm'),
    };
  }

  async #unshare(config: SandboxConfig): Promise<void> {
    const dir = this.#dir(config.uid);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const own = [...(config.hostNetwork ? [] : ['net', 'uts']), ...(config.hostIPC ? [] : ['ipc'])];
    if (own.length === 0) return;
    for (const name of own) await writeFile(join(dir, name), '');
    const shm = config.hostIPC ? '' : join(dir, 'shm');
    if (shm !== '') await mkdir(shm, { mode: 0o1777 });
    const sysctls = { ...(config.hostNetwork ? {} : NETWORK_SYSCTLS), ...config.sysctls };
    await this.#options.exec.run([
      'unshare',
      ...own.map((name) => `--${name}=${join(dir, name)}`),
      'sh',
      '-c',
      SETUP,
      'sh',
      config.hostNetwork ? '' : config.hostname,
      shm,
      config.hostNetwork ? '' : 'net',
      ...Object.entries(sysctls).flatMap(([name, value]) => [sysctlPath(name), value]),
    ]);
  }

  async #describe(record: SandboxRecord): Promise<Sandbox> {
    const { uid, namespace, name, ips, createdAtMs } = record;
    return { uid, namespace, name, ips, createdAtMs, ready: await this.#isReady(record) };
  }

  /**
   * The directory lies on a tmpfs; after a reboot it is gone, and so are the namespaces. One without an address is what
   * a kill in the middle of `create` leaves.
   */
  async #isReady(record: SandboxRecord): Promise<boolean> {
    if (!record.hostNetwork && record.ips.length === 0) return false;
    const { network, ipc } = this.paths(record);
    const pinned = network ?? ipc;
    if (pinned === undefined) return existsSync(this.#dir(record.uid));
    return await isNamespace(pinned);
  }

  #dir(uid: string): string {
    return join(this.#options.stateDir, 'ns', uid);
  }
}

/** `net.ipv4.ip_forward` → `net/ipv4/ip_forward`; the form with slashes keeps dots inside a part. */
export function sysctlPath(name: string): string {
  const path = name.includes('/') ? name : name.replaceAll('.', '/');
  if (!/^[\w./-]+$/.test(path) || path.split('/').includes('..'))
    throw new Error(`sysctl ${name} is not a name`);
  return path;
}
