import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { type Cgroups, createCgroups } from '../cgroups.ts';
import { type ConfList, kedgeConfList, loadConfList } from '../cni/conflist.ts';
import { CniRunner } from '../cni/network.ts';
import type { Container, Runtime, RuntimeEvent } from '../port.ts';
import { type ContainerRecord, Containers } from './containers.ts';
import { createCtr, ctrMessage } from './ctr.ts';
import { EventQueue } from './event-queue.ts';
import { type CtrEvent, EventStream } from './events.ts';
import { runExec, startExec } from './exec-session.ts';
import { Images, type LocalImage } from './images.ts';
import { openPort } from './port-forward.ts';
import { Sandboxes } from './sandbox.ts';

export interface CtrRuntimeOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  /** containerd's socket. */
  readonly address: string;
  /** containerd's namespace; `k8s.io` unless told otherwise. */
  readonly namespace?: string;
  /** A directory that a reboot empties, such as `/run/kedge`: namespaces, mount points, address leases. */
  readonly stateDir: string;
  /** Records and the containers' writable layers. Must not lie on an overlay file system. */
  readonly dataDir: string;
  readonly logDir: string;
  readonly cni: CniOptions;
  /** containerd's `root` where it is our own: lets blobs be read as files. */
  readonly containerdRoot?: string;
  readonly snapshotter?: string;
  /** Directory of `hosts.toml` files for registries. */
  readonly hostsDir?: string;
  readonly cgroups?: Cgroups;
}

export interface CniOptions {
  /** Searched in order; Debian has its plugins in `/usr/lib/cni`, upstream in `/opt/cni/bin`. */
  readonly binDirs: readonly string[];
  /** The user's configuration, normally `/etc/cni/net.d`; the first there wins over ours. */
  readonly userConfDir: string;
  /** Where ours is written, for people to read. */
  readonly confDir: string;
  /** The node's pod ranges (`spec.podCIDRs`); empty while it has none yet. */
  readonly podCidrs: () => readonly string[];
  /** Largest packet of a pod; `undefined`: the kernel's default. */
  readonly mtu?: () => number | undefined;
}

/** The runtime that drives containerd 1.6 and later through its CLI, `ctr`. */
export function createCtrRuntime(options: CtrRuntimeOptions): Runtime {
  const { exec, clock, log, stateDir, dataDir, logDir, address } = options;
  const namespace = options.namespace ?? 'k8s.io';
  const snapshotter = options.snapshotter ?? 'overlayfs';
  const cgroups = options.cgroups ?? createCgroups();
  const ctr = createCtr({ exec, address, namespace });
  const common = { ctr, exec, clock, log, cgroups, stateDir, dataDir, logDir, arch: process.arch };
  const images = new Images({
    ctr,
    exec,
    snapshotter,
    arch: process.arch,
    recordDir: join(dataDir, 'images'),
    ...(options.containerdRoot === undefined
      ? {}
      : { contentDir: join(options.containerdRoot, 'io.containerd.content.v1.content') }),
    ...(options.hostsDir === undefined ? {} : { hostsDir: options.hostsDir }),
  });
  const containers = new Containers(common);
  const sandboxes = new Sandboxes({
    ...common,
    cni: new CniRunner({ exec, binDirs: options.cni.binDirs }),
    network: () => chooseNetwork(options.cni, stateDir),
    recordDir: join(dataDir, 'sandboxes'),
  });
  const queue = new EventQueue();
  const stream = new EventStream({ ctr, namespace, clock, log, onEvent: (event) => void onEvent(event) });
  /** False until containerd was asked about what happened while nobody listened. */
  let reconciled = false;

  async function onEvent(event: CtrEvent): Promise<void> {
    try {
      if (event.type === 'image') return images.invalidate();
      if (event.type === 'resync') {
        images.invalidate();
        reconciled = false;
        return queue.push({ type: 'resync' });
      }
      const exit = await containers.exited(event.id, event.exitCode, event.atMs);
      if (exit) queue.push({ type: 'exit', ...exit });
    } catch (error) {
      log.error('cannot record a container event', { event: event.type, error: errorText(error) });
    }
  }

  async function listContainers(): Promise<readonly Container[]> {
    if (!reconciled || !stream.listening) {
      const listening = stream.listening;
      await containers.reconcile();
      reconciled = listening;
    }
    return containers.all().map(describe);
  }

  async function usableImage(id: string): Promise<LocalImage> {
    const image = (await images.find(id, false)) ?? (await images.find(id, true));
    if (image) return image;
    throw new Error(`image ${id} is not present`);
  }

  function running(id: string): ContainerRecord {
    const record = containers.record(id);
    if (!record) throw new Error(`container ${id} not found`);
    if (record.state !== 'running') throw new Error(`container ${id} is not running`);
    return record;
  }

  return {
    async version() {
      try {
        const { stdout } = await ctr.run(['version']);
        const version = /Server:\s+Version:\s+(\S+)/.exec(stdout)?.[1] ?? 'unknown';
        return { name: 'containerd', version };
      } catch (cause) {
        throw new Error(`containerd at ${address} cannot be reached: ${ctrMessage(cause)}`, { cause });
      }
    },
    createSandbox: (config) => sandboxes.create(config),
    async removeSandbox(uid) {
      for (const { id, podUid } of containers.all()) if (podUid === uid) await containers.remove(id);
      await sandboxes.remove(uid);
    },
    listSandboxes: () => sandboxes.list(),
    async startContainer(config) {
      const sandbox = sandboxes.record(config.podUid);
      if (!sandbox) throw new Error(`pod ${config.podUid} has no sandbox for container ${config.name}`);
      const image = await usableImage(config.image);
      const lowerDirs = await images.lowerDirs(image);
      return describe(
        await containers.start({ config, sandbox, paths: sandboxes.paths(sandbox), image, lowerDirs }),
      );
    },
    signalContainer: (id, signal) => containers.signal(id, signal),
    removeContainer: (id, removal) => containers.remove(id, removal),
    listContainers,
    events(signal): AsyncIterable<RuntimeEvent> {
      const events = queue.read(signal, () => {
        if (queue.readers === 0) stream.stop();
      });
      stream.start();
      return events;
    },
    async exec(id, request) {
      running(id);
      return startExec({ ctr, exec, clock, namespace, dir: containers.dir(id) }, id, request);
    },
    async attach(id, request) {
      running(id);
      return containers.attach(id, request);
    },
    async execSync(id, argv, timeoutMs) {
      running(id);
      return runExec({ ctr, exec, clock, namespace, dir: containers.dir(id) }, id, argv, timeoutMs);
    },
    async portForward(uid, port) {
      const sandbox = sandboxes.record(uid);
      if (!sandbox) throw new Error(`pod ${uid} has no sandbox`);
      return openPort(exec, sandboxes.paths(sandbox).network, port);
    },
    logPath: (id) => containers.logPath(id),
    async updateContainer(id, resources) {
      const { cgroup } = running(id);
      const { memoryLimitBytes = Number.POSITIVE_INFINITY } = resources;
      // Version 2 of control groups would kill instead of refusing.
      const usedBytes = (await cgroups.stats(cgroup, clock.now()))?.memoryWorkingSetBytes ?? 0;
      if (usedBytes > memoryLimitBytes)
        throw new Error(
          `attempting to set container memory limit (${memoryLimitBytes}) below current usage (${usedBytes})`,
        );
      await cgroups.ensure(cgroup, resources);
    },
    async stats(id) {
      const record = containers.record(id);
      return record?.state === 'running' ? cgroups.stats(record.cgroup, clock.now()) : undefined;
    },
    listImages: () => images.list(!stream.listening),
    image: (reference) => images.find(reference, !stream.listening),
    async imageDirs(id) {
      const image = await images.find(id, false);
      if (!image) throw new Error(`image ${id} not found`);
      return images.lowerDirs(image);
    },
    pullImage: (reference, pull) => images.pull(reference, pull),
    async removeImage(id) {
      const user = containers
        .all()
        .find((container) => container.image === id && container.state === 'running');
      if (user) throw new Error(`image ${id} is used by container ${user.id}`);
      await images.remove(id);
    },
    importImages: (archive) => images.importArchive(archive),
    async close() {
      stream.stop();
    },
  };
}

function describe({ cgroup: _, attached: __, ...container }: ContainerRecord): Container {
  return container;
}

async function chooseNetwork(cni: CniOptions, stateDir: string): Promise<ConfList> {
  const theirs = await loadConfList(cni.userConfDir);
  if (theirs) return theirs;
  const podCidrs = cni.podCidrs();
  if (podCidrs.length === 0) throw new Error('the node has no pod range yet (spec.podCIDR is empty)');
  const mtu = cni.mtu?.();
  const ours = kedgeConfList({
    podCidrs,
    leaseDir: join(stateDir, 'cni'),
    ...(mtu === undefined ? {} : { mtu }),
  });
  mkdirSync(cni.confDir, { recursive: true });
  writeFileSync(join(cni.confDir, '10-kedge.conflist'), `${JSON.stringify(ours, undefined, 2)}\n`);
  return ours;
}
