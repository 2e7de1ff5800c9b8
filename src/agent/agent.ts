import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { nodes, pods, services } from '../api/resources.gen.ts';
import type { Node, Service, Taint } from '../api/types.gen.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { InformerFactory } from '../client/informer.ts';
import type { NodeApi } from '../client/node-port.ts';
import type { Client } from '../client/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Exec } from '../lib/exec.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import type { PodIsolation } from '../netpolicy/enforcer.ts';
import type { Runtime } from '../runtime/port.ts';
import { Checkpoint } from './checkpoint/checkpoint.ts';
import { ImageManager } from './images/image-manager.ts';
import { PulledImages } from './images/pulled-images.ts';
import { volumeImage } from './images/volume-images.ts';
import { LogKeeper } from './logs/log-keeper.ts';
import { allocatable, machineFacts } from './node/facts.ts';
import { HealthMonitor } from './node/health-monitor.ts';
import { NodeManager } from './node/node-manager.ts';
import { type Headroom, measureHeadroom } from './node/pressure.ts';
import { createNodeApi } from './node-api.ts';
import { PodManager } from './pod/pod-manager.ts';
import { StatusWriter } from './pod/status-writer.ts';
import { PodCertificates } from './pod-certificates.ts';
import { ReferencedObjects } from './referenced-objects.ts';
import { Semaphore } from './semaphore.ts';
import type { AgentSettings } from './settings.ts';
import { TokenManager } from './tokens.ts';
import { VolumeManager } from './volumes/volume-manager.ts';

export interface AgentOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly runtime: Runtime;
  /** Puts pods under their network policies; none by default. */
  readonly isolation?: PodIsolation;
  readonly clock: Clock;
  readonly log: Logger;
  readonly exec: Exec;
  readonly nodeName: string;
  /** One address, or one for each family, the preferred first. */
  readonly nodeIP: string | readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Given to the node when it is registered, not later. */
  readonly taints?: readonly Taint[];
  /** Such as `/var/lib/kedge/agent`. */
  readonly dataDir: string;
  /** Such as `/run/kedge/agent`: in memory, emptied by a reboot. */
  readonly stateDir: string;
  readonly clusterDNS: string | readonly string[];
  readonly clusterDomain: string;
  readonly maxPods?: number;
  /** Control group that all pods are below; `kedge` by default. */
  readonly cgroupRoot?: string;
  /** What the node calls itself; `kubelet --version`. */
  readonly version: string;
  readonly resolvConf?: string;
  /** `kubernetes.io/hostname`; the machine's by default. */
  readonly hostname?: string;
  /** What is left of memory and disk; measured here by default. */
  readonly measure?: () => Promise<Headroom>;
}

export interface Agent {
  readonly api: NodeApi;
  /** Resolves when the API has the node. Never rejects; pending while the API is away. */
  readonly registered: Promise<void>;
  /** Stops following; containers keep running. */
  stop(): Promise<void>;
}

/**
 * The node's half of Kubernetes: registers the node, runs the pods bound to it, reports on them. Resolves as soon as it
 * works, which needs neither the API server nor the container runtime to answer.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { client, clock, exec, informers, runtime, dataDir, stateDir, nodeName } = options;
  const log = options.log.child('agent');
  const events = options.events.for('kubelet', nodeName);
  await Promise.all([
    mkdir(dataDir, { recursive: true, mode: 0o750 }),
    mkdir(stateDir, { recursive: true, mode: 0o750 }),
  ]);
  const facts = await machineFacts(dataDir);
  if (!facts.memoryCgroup)
    log.warn(
      'the memory cgroup is off, so memory limits cannot hold: add "cgroup_memory=1 cgroup_enable=memory" to the kernel command line (/boot/firmware/cmdline.txt on a Raspberry Pi) and reboot',
    );
  const maxPods = options.maxPods ?? 110;
  const nodeIPs = [options.nodeIP].flat();
  const machine = options.hostname ?? hostname();
  const settings: AgentSettings = {
    nodeName,
    nodeIPs,
    nodeHostname: machine,
    dataDir,
    stateDir,
    clusterDNS: [options.clusterDNS].flat(),
    clusterDomain: options.clusterDomain,
    maxPods,
    cgroupRoot: options.cgroupRoot ?? 'kedge',
    version: options.version,
    resolvConf: options.resolvConf ?? '/etc/resolv.conf',
    memoryCapacityBytes: facts.memoryBytes,
    allocatable: allocatable(facts, maxPods, LIMITS.agent.reservedMemoryBytes),
  };
  const checkpoint = new Checkpoint({ dir: join(dataDir, 'checkpoint'), log });
  const tokens = new TokenManager({ client, clock });
  const certificates = new PodCertificates({ client, clock, node: () => node.node });
  const objects = new ReferencedObjects({
    informers,
    checkpoint,
    clock,
    onChange: (uid) => podManager.objectChanged(uid),
  });
  const volumes = new VolumeManager({
    dataDir,
    stateDir,
    clock,
    exec,
    log,
    objects,
    token: (pod, audience, seconds) => tokens.patiently(pod, audience, seconds),
    certificate: (pod, path, source) => certificates.certificate(pod, path, source),
    image: (pod, volume) => volumeImage({ images, runtime, objects, events }, pod, volume),
    forget: (uid) => {
      tokens.forget(uid);
      certificates.forget(uid);
    },
  });
  const logs = new LogKeeper({ clock, exec, log, stateDir });
  const pulled = new PulledImages(join(dataDir, 'pulled-images.json'));
  const images = new ImageManager({ runtime, clock, pulled });
  const statuses = new StatusWriter({ client, clock, log });
  const nodeInformer = informers.for<Node>(nodes, { fieldSelector: `metadata.name=${nodeName}` });
  const serviceInformer = informers.for<Service>(services);
  const podManager = new PodManager({
    checkpoint,
    informer: informers.for(pods, { fieldSelector: `spec.nodeName=${nodeName}` }),
    deps: {
      client,
      runtime,
      images,
      logs,
      volumes,
      objects,
      statuses,
      events,
      clock,
      exec,
      log,
      ...(options.isolation === undefined ? {} : { isolation: options.isolation }),
      settings: () => settings,
      node: () => nodeInformer.store.get(undefined, nodeName),
      services: () => serviceInformer.store.list(),
      starts: new Semaphore(LIMITS.agent.concurrentStarts),
      sandboxes: new Semaphore(LIMITS.agent.concurrentSandboxes),
      teardowns: new Semaphore(LIMITS.agent.concurrentTeardowns),
    },
  });
  const node = new NodeManager({
    client,
    events,
    runtime,
    clock,
    log,
    nodeName,
    hostname: machine,
    nodeIPs,
    labels: options.labels ?? {},
    taints: options.taints ?? [],
    maxPods,
    version: options.version,
    facts,
    reservedBytes: LIMITS.agent.reservedMemoryBytes,
    pressure: () => monitor.pressure,
    informer: nodeInformer,
  });
  const monitor = new HealthMonitor({
    runtime,
    pods: podManager,
    pulled,
    events,
    clock,
    log,
    node: () => node.node,
    measure: options.measure ?? (() => measureHeadroom(dataDir)),
    onChange: () => node.changed(),
  });
  podManager.start();
  node.start();
  monitor.start();
  return {
    api: createNodeApi({ runtime, clock, pods: podManager, nodeName, logs, settings }),
    registered: node.registered,
    async stop() {
      await Promise.all([podManager.stop(), node.stop(), monitor.stop()]);
      objects.stop();
      volumes.stop();
      logs.stop();
      await statuses.stop();
      await checkpoint.flush();
    },
  };
}
