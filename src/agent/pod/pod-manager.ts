import { nodes } from '../../api/resources.gen.ts';
import type { Node, Pod } from '../../api/types.gen.ts';
import type { Informer } from '../../client/informer.ts';
import { sleep } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText } from '../../lib/log.ts';
import type { Container, RuntimeEvent, Sandbox } from '../../runtime/port.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { type Refusal, refusal } from './admission.ts';
import { LABEL, observed } from './labels.ts';
import { resizeProblem } from './resize.ts';
import { terminationMessage } from './termination-message.ts';
import { PodWorker } from './worker.ts';
import type { WorkerDeps } from './worker-deps.ts';

export interface PodManagerOptions {
  readonly deps: Omit<WorkerDeps, 'onGone' | 'inspect'>;
  readonly informer: Informer<Pod>;
  readonly checkpoint: Checkpoint;
}

/** One worker for each pod of this node; hands them what the API and the runtime say. */
export class PodManager {
  readonly #deps: WorkerDeps;
  readonly #informer: Informer<Pod>;
  readonly #checkpoint: Checkpoint;
  readonly #workers = new Map<string, PodWorker>();
  /** Those that this node has room for and counts. */
  readonly #taken = new WeakSet<PodWorker>();
  /** Pods that the runtime had something of when the agent started; of all others it has what we gave it. */
  #inherited: Promise<ReadonlySet<string>> = Promise.resolve(new Set<string>());
  readonly #abort = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  /** Resolves once the pods of this node are known, from the API or from the disk. */
  readonly #known = Promise.withResolvers<void>();
  #off: () => void = () => {};

  constructor(options: PodManagerOptions) {
    this.#deps = {
      ...options.deps,
      onGone: (uid) => this.#gone(uid),
      inspect: (worker) => this.#observe([worker]),
    };
    this.#informer = options.informer;
    this.#checkpoint = options.checkpoint;
  }

  get workers(): ReadonlyMap<string, PodWorker> {
    return this.#workers;
  }

  find(namespace: string, name: string, uid?: string): PodWorker | undefined {
    for (const worker of this.#workers.values()) {
      const { metadata } = worker.pod;
      if (metadata.namespace !== namespace || metadata.name !== name) continue;
      if (uid === undefined || uid === '' || metadata.uid === uid) return worker;
    }
    return undefined;
  }

  /**
   * As `find`, for who asks just after a start: waits, within `LIMITS.agent.firstSightMs`, until the pods are known and it
   * has been seen what the runtime has of this one.
   */
  async seen(namespace: string, name: string, uid?: string): Promise<PodWorker | undefined> {
    const wait = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, wait.signal]);
    const patience = sleep(this.#deps.clock, LIMITS.agent.firstSightMs, signal).catch(() => {});
    await Promise.race([this.#known.promise, patience]);
    const worker = this.find(namespace, name, uid);
    if (worker !== undefined) await Promise.race([firstSight(worker), patience]);
    wait.abort();
    return worker;
  }

  /** Begins to follow the API and the runtime. Without an answer of the API, pods are taken from the disk. */
  start(): void {
    this.#inherited = this.#inventory();
    this.#running = Promise.all([this.#followRuntime(), this.#followApi()]);
  }

  /** Containers keep running. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the agent stops'));
    this.#off();
    for (const worker of this.#workers.values()) worker.stop();
    await this.#running.catch(() => {});
  }

  async #followApi(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#abort;
    const synced = this.#informer.synced().catch(() => {});
    const wait = new AbortController();
    await Promise.race([
      synced,
      sleep(clock, LIMITS.agent.offlineAfterMs, AbortSignal.any([signal, wait.signal])).catch(() => {}),
    ]);
    wait.abort();
    if (signal.aborted) return;
    if (!this.#informer.hasSynced) {
      const known = await this.#checkpoint.pods();
      if (known.length > 0)
        this.#deps.log.warn('the API server does not answer: starting the pods last known', {
          pods: known.length,
        });
      for (const pod of known) this.#desired(pod);
    }
    this.#off = this.#informer.onChange({
      add: (pod) => this.#desired(pod),
      update: (pod) => this.#desired(pod),
      delete: (pod) => this.#removed(pod.metadata.uid ?? ''),
    });
    this.#known.resolve();
    await Promise.race([synced, aborted(signal)]);
    if (!signal.aborted) await this.#afterSync();
  }

  /** Now the API's word counts: pods that it no longer has, here or in the runtime or on the disk, end. */
  async #afterSync(): Promise<void> {
    const known = new Set(this.#informer.store.list().map(({ metadata }) => metadata.uid ?? ''));
    for (const uid of this.#workers.keys()) if (!known.has(uid)) this.#removed(uid);
    for (const { metadata } of await this.#checkpoint.pods())
      if (!known.has(metadata.uid ?? '') && !this.#workers.has(metadata.uid ?? ''))
        await this.#checkpoint.removePod(metadata.uid ?? '');
    await this.#removeOrphans(known);
  }

  async #removeOrphans(known: ReadonlySet<string>): Promise<void> {
    const { runtime, volumes, log, teardowns } = this.#deps;
    const { sandboxes, containers } = await this.#list();
    const uids = new Set([
      ...sandboxes.map(({ uid }) => uid),
      ...containers.map(({ podUid }) => podUid),
      ...(await volumes.known()),
    ]);
    for (const uid of uids) {
      if (known.has(uid) || this.#workers.has(uid)) continue;
      log.info('removing a pod that the API no longer has', { uid });
      await teardowns
        .run(async () => {
          for (const { id, podUid } of containers)
            if (podUid === uid) await runtime.removeContainer(id, { logs: true });
          await runtime.removeSandbox(uid);
          await volumes.remove(uid);
        })
        .catch((error) => log.warn('an orphaned pod could not be removed', { uid, error }));
    }
  }

  #desired(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    void this.#checkpoint.savePod(pod);
    this.#deps.objects.follow(pod);
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      const before = known.pod;
      this.#tellDesired(known, pod);
      this.#retryResizes();
      if (downwardChanged(before, pod)) void this.#deps.volumes.refresh(pod, known.downward());
      return;
    }
    const worker = new PodWorker(pod, this.#deps);
    this.#workers.set(uid, worker);
    void this.#firstSight(worker, uid).catch(() => {});
  }

  async #firstSight(worker: PodWorker, uid: string): Promise<void> {
    const inherited = await this.#inherited;
    if (inherited.has(uid)) {
      this.#taken.add(worker);
      return this.#observe([worker]);
    }
    await this.#admit(worker);
    const asOfMono = this.#deps.clock.monotonicMs();
    worker.dispatch({ type: 'observed', sandbox: undefined, containers: [], asOfMono });
  }

  /** Pods that were taken and have not ended here, but for this one. */
  #others(worker: PodWorker): readonly PodWorker[] {
    const over = new Set(['terminated', 'released', 'gone']);
    return [...this.#workers.values()].filter(
      (one) =>
        one !== worker &&
        !over.has(one.state.stage.is) &&
        (this.#taken.has(one) || one.pod.status?.startTime !== undefined),
    );
  }

  #tellDesired(worker: PodWorker, pod: Pod): void {
    const { allocatable } = this.#deps.settings();
    const others = this.#others(worker).map((one) => one.pod);
    const resize = resizeProblem(pod, worker.state.containers, others, allocatable);
    worker.dispatch({ type: 'desired', pod, ...(resize === undefined ? {} : { resize }) });
  }

  /** Others may have left room for what was put off. */
  #retryResizes(): void {
    for (const worker of this.#workers.values())
      if (worker.state.resize?.reason === 'Deferred') this.#tellDesired(worker, worker.pod);
  }

  /** A pod that this node cannot take fails before anything of it is made. */
  async #admit(worker: PodWorker): Promise<void> {
    let refused = this.#refusal(worker, this.#deps.node());
    // A label or taint may have come just before the pod, and be on its way here still.
    if (refused?.isOfNode) refused = this.#refusal(worker, await this.#newestNode());
    if (!refused) {
      // At once: the next pod may be looked at before this one has begun.
      this.#taken.add(worker);
      return;
    }
    const { reason, message } = refused;
    this.#deps.events.event(worker.pod, 'Warning', reason, message);
    worker.dispatch({ type: 'evict', reason, message: `Pod was rejected: ${message}`, graceMs: 0 });
  }

  #refusal(worker: PodWorker, node: Node | undefined): Refusal | undefined {
    const others = this.#others(worker);
    return refusal(worker.pod, {
      allocatable: this.#deps.settings().allocatable,
      node,
      running: others.map(({ pod }) => pod),
      counted: others.filter(({ state }) => !state.removed).map(({ pod }) => pod),
    });
  }

  async #newestNode(): Promise<Node | undefined> {
    const { client, settings } = this.#deps;
    return await client.get(nodes, { name: settings().nodeName }).catch(() => undefined);
  }

  async #inventory(): Promise<ReadonlySet<string>> {
    const { sandboxes, containers } = await this.#list();
    return new Set([...sandboxes.map(({ uid }) => uid), ...containers.map(({ podUid }) => podUid)]);
  }

  /** What the runtime has. Asks again, with patience, while it does not answer. */
  async #list(): Promise<{
    sandboxes: readonly Sandbox[];
    containers: readonly Container[];
    asOfMono: number;
  }> {
    const { runtime, clock, log } = this.#deps;
    for (let delayMs = 500; ; delayMs = Math.min(delayMs * 2, 10_000)) {
      const asOfMono = clock.monotonicMs();
      try {
        const [sandboxes, containers] = await Promise.all([
          runtime.listSandboxes(),
          runtime.listContainers(),
        ]);
        return { sandboxes, containers, asOfMono };
      } catch (error) {
        log.warn('the container runtime does not answer', { error: errorText(error) });
        await sleep(clock, delayMs, this.#abort.signal);
      }
    }
  }

  #removed(uid: string): void {
    void this.#checkpoint.removePod(uid);
    this.#workers.get(uid)?.dispatch({ type: 'removed' });
  }

  #gone(uid: string): void {
    this.#workers.delete(uid);
    this.#retryResizes();
  }

  /** A referenced object changed: live volumes follow, what waited for it tries again. */
  objectChanged(podUid: string): void {
    const worker = this.#workers.get(podUid);
    if (worker === undefined) return;
    worker.dispatch({ type: 'tick', retry: true });
    void this.#deps.volumes.refresh(worker.pod, worker.downward());
  }

  async #followRuntime(): Promise<void> {
    const { signal } = this.#abort;
    for await (const event of this.#deps.runtime.events(signal)) {
      if (signal.aborted) return;
      if (event.type === 'exit') await this.#exited(event);
      else await this.#observe([...this.#workers.values()]);
    }
  }

  async #exited(event: Extract<RuntimeEvent, { type: 'exit' }>): Promise<void> {
    const { id, exitCode, oomKilled } = event;
    for (const worker of this.#workers.values()) {
      const record = worker.state.containers.find((entry) => entry.id === id);
      if (record === undefined) continue;
      const message = await this.#message(worker, record.name, id, record.attempt, exitCode);
      worker.dispatch({
        type: 'exited',
        id,
        exitCode,
        reason: oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error',
        ...(message === undefined ? {} : { message }),
        finishedAtMs: event.atMs,
      });
      return;
    }
  }

  #message(
    worker: PodWorker,
    name: string,
    id: string,
    attempt: number,
    exitCode: number,
  ): Promise<string | undefined> {
    const record = worker.state.containers.find((entry) => entry.name === name);
    const labels = {
      [LABEL.messagePath]: this.#deps.volumes.dirs(worker.pod).terminationLog(name, attempt),
      [LABEL.messagePolicy]: record?.spec.terminationMessagePolicy ?? 'File',
    };
    return terminationMessage(labels, exitCode, this.#deps.runtime.logPath(id));
  }

  /** Tells workers what the runtime has now. */
  async #observe(workers: readonly PodWorker[]): Promise<void> {
    if (workers.length === 0) return;
    const { sandboxes, containers, asOfMono } = await this.#list();
    for (const worker of workers) await this.#tell(worker, sandboxes, containers, asOfMono);
  }

  async #tell(
    worker: PodWorker,
    sandboxes: readonly Sandbox[],
    containers: readonly Container[],
    asOfMono: number,
  ): Promise<void> {
    const uid = worker.pod.metadata.uid ?? '';
    const sandbox = sandboxes.find((entry) => entry.uid === uid);
    const mine = containers.filter(({ podUid }) => podUid === uid);
    if (sandbox?.ready) {
      const { isolation, log } = this.#deps;
      const failed = (error: unknown): void => log.warn('pod is not isolated yet', { pod: uid, error });
      void isolation?.ensure(worker.pod, sandbox.ips).catch(failed);
    }
    const seen = await Promise.all(
      mine.map(async (container) => {
        const ended = container.state === 'exited';
        const message = ended
          ? await terminationMessage(
              container.labels,
              container.exitCode ?? 255,
              this.#deps.runtime.logPath(container.id),
            )
          : undefined;
        return observed(container, message);
      }),
    );
    worker.dispatch({
      type: 'observed',
      sandbox: sandbox === undefined ? undefined : { ready: sandbox.ready, ips: sandbox.ips },
      containers: seen,
      asOfMono,
    });
  }
}

/** Resolves once the worker knows what the runtime has of its pod. */
function firstSight(worker: PodWorker): Promise<void> {
  if (worker.state.observed) return Promise.resolve();
  return new Promise((resolve) => {
    const off = worker.onChange(() => {
      if (!worker.state.observed) return;
      off();
      resolve();
    });
  });
}

/** Whether files of the downward API show something else now. */
function downwardChanged(before: Pod, after: Pod): boolean {
  const shown = ({ metadata }: Pod): string => JSON.stringify([metadata.labels, metadata.annotations]);
  return shown(before) !== shown(after);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
