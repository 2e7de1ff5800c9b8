import { leases, nodes } from '../../api/resources.gen.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../api/status.ts';
import type { Lease, Node, NodeStatus, Taint } from '../../api/types.gen.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import type { Client } from '../../client/port.ts';
import { type Clock, rfc3339Micro, sleep } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import type { Runtime } from '../../runtime/port.ts';
import { type NodeHealth, nodeConditions } from './conditions.ts';
import { extendedDiffers, withExtended } from './extended-resources.ts';
import { allocatable, capacity, type MachineFacts, nodeInfo } from './facts.ts';
import type { Pressure } from './pressure.ts';

export interface NodeManagerOptions {
  readonly client: Client;
  readonly events: EventRecorder;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  readonly hostname: string;
  readonly nodeIPs: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly maxPods: number;
  readonly version: string;
  readonly facts: MachineFacts;
  readonly reservedBytes: number;
  readonly pressure: () => Pressure;
  /** Follows this node's Node. */
  readonly informer: Informer<Node>;
}

/** Conditions that this node answers for. */
const OWN_CONDITIONS = new Set(['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']);

const LEASE_NAMESPACE = 'kube-node-lease';

/** The Node object and its Lease: registered once, then a small heartbeat and a status only when it changed. */
export class NodeManager {
  readonly #options: NodeManagerOptions;
  readonly #abort = new AbortController();
  #node: Node | undefined;
  #lease: Lease | undefined;
  #runtimeVersion = { name: 'containerd', version: 'Unknown' };
  #notReady: readonly string[] = [];
  /** Renewals in a row that found the Lease written by somebody else. */
  #conflicts = 0;
  #writtenMono = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};
  #isDue = false;
  #off: () => void = () => {};
  #running: Promise<unknown> = Promise.resolve();
  #registered: Promise<void>;
  #onRegistered: () => void = () => {};

  constructor(options: NodeManagerOptions) {
    this.#options = options;
    this.#registered = new Promise((resolve) => {
      this.#onRegistered = resolve;
    });
  }

  /** The Node as last written. */
  get node(): Node | undefined {
    return this.#node;
  }
  /** Resolves when the API has the node with a Ready status. */
  get registered(): Promise<void> {
    return this.#registered;
  }

  start(): void {
    // After a silence the cluster says that it knows nothing of this node; until told otherwise it keeps pods away.
    const own = this.#amounts();
    const update = ({ status = {} }: Node): void => {
      const isUnknown = status.conditions?.some(
        (condition) => condition.status === 'Unknown' && OWN_CONDITIONS.has(condition.type),
      );
      if (isUnknown || extendedDiffers(own, status)) this.changed();
    };
    this.#off = this.#options.informer.onChange({ update });
    this.#running = Promise.all([this.#keepStatus(), this.#keepLease()]);
  }

  async stop(): Promise<void> {
    this.#off();
    this.#abort.abort(new Error('the agent stops'));
    this.#wake();
    await this.#running.catch(() => {});
  }

  /** Health has changed: write the status now, or again when that is being done. */
  changed(): void {
    this.#isDue = true;
    this.#wake();
  }

  async #keepStatus(): Promise<void> {
    const { clock, log, events } = this.#options;
    const { signal } = this.#abort;
    let delayMs = 200;
    let wasReady: boolean | undefined;
    let said = '';
    while (!signal.aborted) {
      try {
        // Not again for each try to reach a server that is away: asking starts a process.
        if (said === '' || !this.#isReady()) await this.#askRuntime();
        if (this.#node === undefined) {
          this.#node = await this.#register();
          events.event(this.#node, 'Normal', 'Starting', 'Starting kubelet.');
        }
        await this.#writeStatus();
        this.#onRegistered();
        const ready = this.#isReady();
        if (ready !== wasReady) {
          const reason = ready ? 'NodeReady' : 'NodeNotReady';
          events.event(
            this.#node,
            'Normal',
            reason,
            `Node ${this.#options.nodeName} status is now: ${reason}`,
          );
        }
        wasReady = ready;
        delayMs = 200;
        said = '';
        await this.#rest(ready ? LIMITS.agent.nodeStatusMs : LIMITS.agent.leaseRenewMs);
      } catch (error) {
        if (signal.aborted) return;
        const why = errorText(error);
        // A server may be away for weeks.
        log[why === said ? 'debug' : 'warn']('the node is not registered or its status not written yet', {
          error: why,
        });
        said = why;
        await sleep(clock, delayMs, signal).catch(() => {});
        delayMs = Math.min(delayMs * 2, 10_000);
      }
    }
  }

  #isReady(): boolean {
    return this.#notReady.length === 0;
  }

  async #askRuntime(): Promise<void> {
    try {
      this.#runtimeVersion = { ...(await this.#options.runtime.version()) };
      this.#notReady = [];
    } catch (error) {
      this.#notReady = ['container runtime is down'];
      this.#options.log.warn('the container runtime does not answer', { error: errorText(error) });
    }
  }

  #health(): NodeHealth {
    const { memory, disk, pid } = this.#options.pressure();
    return { notReady: this.#notReady, memoryPressure: memory, diskPressure: disk, pidPressure: pid };
  }

  /** Until the time is over or `changed` is called. */
  async #rest(ms: number): Promise<void> {
    if (!this.#isDue) {
      const abort = new AbortController();
      await Promise.race([
        sleep(this.#options.clock, ms, AbortSignal.any([abort.signal, this.#abort.signal])).catch(() => {}),
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      ]);
      abort.abort();
    }
    this.#isDue = false;
  }

  async #register(): Promise<Node> {
    const { client, nodeName, taints } = this.#options;
    const labels = this.#labels();
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: nodeName,
        labels,
        annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
      },
      spec: taints.length === 0 ? {} : { taints: [...taints] },
      status: this.#status([]),
    };
    try {
      return await client.create(nodes, node);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const known = await client.get(nodes, { name: nodeName });
    const stale = Object.entries(labels).some(([key, value]) => known.metadata.labels?.[key] !== value);
    if (!stale) return known;
    return client.patch(nodes, { name: nodeName }, { type: 'merge', body: { metadata: { labels } } });
  }

  #labels(): Record<string, string> {
    const { facts, hostname, labels } = this.#options;
    return {
      'kubernetes.io/hostname': hostname,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': facts.architecture,
      'beta.kubernetes.io/os': 'linux',
      'beta.kubernetes.io/arch': facts.architecture,
      'node.kubernetes.io/instance-type': 'kedge',
      ...labels,
    };
  }

  #amounts(): { capacity: Record<string, string>; allocatable: Record<string, string> } {
    const { facts, maxPods, reservedBytes } = this.#options;
    return {
      capacity: capacity(facts, maxPods),
      allocatable: allocatable(facts, maxPods, reservedBytes),
    };
  }

  #status(known: NonNullable<NodeStatus['conditions']>, images: NodeStatus['images'] = []): NodeStatus {
    const { facts, version, nodeIPs, hostname, clock } = this.#options;
    return {
      ...this.#amounts(),
      conditions: nodeConditions(this.#health(), known, clock.now()),
      addresses: [
        ...nodeIPs.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: hostname },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: nodeInfo(facts, version, this.#runtimeVersion),
      images: images ?? [],
    };
  }

  async #writeStatus(): Promise<void> {
    const { client, clock, nodeName, runtime } = this.#options;
    const known = await client.get(nodes, { name: nodeName }).catch((error) => {
      if (isNotFound(error)) this.#node = undefined;
      throw error;
    });
    const images = (await runtime.listImages().catch(() => []))
      .toSorted((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, LIMITS.agent.imagesInStatus)
      .map(({ references, digests, sizeBytes }) => ({
        names: [...digests, ...references].slice(0, 5),
        sizeBytes,
      }));
    const status = this.#status(known.status?.conditions ?? [], images);
    const due = clock.monotonicMs() - this.#writtenMono >= LIMITS.agent.nodeStatusMs;
    const own = this.#amounts();
    const isSame = !extendedDiffers(own, known.status ?? {}) && sameNodeStatus(known.status ?? {}, status);
    if (!due && isSame) return;
    const foreign = (known.status?.conditions ?? []).filter(
      ({ type }) => !status.conditions?.some((condition) => condition.type === type),
    );
    const conditions = [...(status.conditions ?? []), ...foreign];
    const body = { status: { ...status, ...withExtended(own, known.status ?? {}), conditions } };
    this.#node = await client.patch(
      nodes,
      { name: nodeName },
      { type: 'merge', body },
      { subresource: 'status' },
    );
    this.#writtenMono = clock.monotonicMs();
  }

  async #keepLease(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#abort;
    await Promise.race([
      this.#registered,
      new Promise((resolve) => signal.addEventListener('abort', resolve)),
    ]);
    while (!signal.aborted) {
      await this.#renewLease().catch((error) => {
        this.#lease = undefined;
        if (!signal.aborted) log.debug('node lease not renewed', { error: errorText(error) });
      });
      await sleep(clock, LIMITS.agent.leaseRenewMs, signal).catch(() => {});
    }
  }

  async #renewLease(): Promise<void> {
    const { client, clock, nodeName } = this.#options;
    const spec = {
      holderIdentity: nodeName,
      leaseDurationSeconds: LIMITS.agent.leaseSeconds,
      renewTime: rfc3339Micro(clock.now()),
    };
    const ref = { namespace: LEASE_NAMESPACE, name: nodeName };
    if (this.#lease === undefined) {
      this.#lease = await client.get(leases, ref).catch((error) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
    }
    if (this.#lease === undefined) {
      const uid = this.#node?.metadata.uid;
      this.#lease = await client.create(leases, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: {
          ...ref,
          ...(uid === undefined
            ? {}
            : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }] }),
        },
        spec,
      });
      return;
    }
    try {
      this.#lease = await client.update(leases, { ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
      this.#conflicts = 0;
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      // Somebody else wrote it or deleted it: read it anew and try once more.
      if (isConflict(error)) this.#noteRival();
      this.#lease = await client.get(leases, ref).catch(() => undefined);
      if (this.#lease !== undefined)
        this.#lease = await client.update(leases, { ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
    }
  }

  /** Nobody else has a reason to write this node's Lease again and again. */
  #noteRival(): void {
    this.#conflicts++;
    if (this.#conflicts !== LIMITS.agent.rivalConflicts) return;
    this.#options.log.error(
      'another board is at work under the name of this one, as after copying a card: give one of them another --node-name',
      { node: this.#options.nodeName },
    );
  }
}

/** Apart from heartbeats and from what `b` does not measure. */
function sameNodeStatus(a: NodeStatus, b: NodeStatus): boolean {
  const measured = (amounts: Record<string, string> = {}): unknown[] =>
    Object.keys(b.capacity ?? {}).map((name) => amounts[name]);
  const text = (status: NodeStatus): string =>
    JSON.stringify([
      measured(status.capacity),
      measured(status.allocatable),
      status.addresses,
      status.nodeInfo,
      status.images,
      (b.conditions ?? []).map(({ type }) => {
        const found = status.conditions?.find((condition) => condition.type === type);
        return [found?.status, found?.reason, found?.message];
      }),
    ]);
  return text(a) === text(b);
}
