import { equalJson } from '../api/json-value.ts';
import {
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  storageClasses,
} from '../api/resources.gen.ts';
import { isNotFound } from '../api/status.ts';
import type { Pod, PodDisruptionBudget } from '../api/types.gen.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { ChangeHandler, Informer, InformerFactory } from '../client/informer.ts';
import type { Client } from '../client/port.ts';
import type { Clock } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { errorText, type Logger } from '../lib/log.ts';
import { ClusterCache } from './cluster-cache.ts';
import type { NodeInfo } from './node-info.ts';
import { Nominations } from './nominations.ts';
import { PLUGINS } from './plugins/table.ts';
import { claimsOf, planVolumes, type VolumePlan } from './plugins/volume-binding.ts';
import { isTerminal, type PodInfo, toPodInfo } from './pod-info.ts';
import { PodWriter } from './pod-writer.ts';
import { planPreemption } from './preemption.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { type Failure, failureMessage, schedulePod } from './schedule-pod.ts';
import { VolumeBinder } from './volume-binder.ts';

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  /** Pods that name another scheduler are left alone. */
  readonly schedulerName?: string;
  /** 0 to 1, decides between equally good nodes. */
  readonly random?: () => number;
}

/**
 * Gives every pod that has none a node, as kube-scheduler's default profile does. Decides one pod at a time, in the
 * order of priority, on a picture of the cluster that already contains its own decisions; writes to the API go on
 * meanwhile. The returned function stops it and resolves when no write is under way any more.
 */
export function startScheduler(options: SchedulerOptions): () => Promise<void> {
  const scheduler = new Scheduler(options);
  return () => scheduler.stop();
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #name: string;
  readonly #queue: SchedulingQueue;
  readonly #cluster: ClusterCache;
  readonly #volumes: VolumeBinder;
  readonly #writer: PodWriter;
  readonly #nominations = new Nominations();
  readonly #budgets: Informer<PodDisruptionBudget>;
  readonly #unsubscribe: (() => void)[] = [];
  readonly #abort = new AbortController();
  /** Writes under way. */
  readonly #writes = new Set<Promise<void>>();
  #binds = 0;
  #startAt = 0;
  #ready = false;
  #runScheduled = false;

  constructor(options: SchedulerOptions) {
    const { client, clock, informers, schedulerName = 'default-scheduler' } = options;
    this.#options = options;
    this.#name = schedulerName;
    const events = options.events.for(schedulerName);
    this.#writer = new PodWriter({ client, clock, events, schedulerName });
    const storage = {
      claims: informers.for(persistentVolumeClaims),
      volumes: informers.for(persistentVolumes),
      classes: informers.for(storageClasses),
    };
    const namespaceInformer = informers.for(namespaces);
    this.#budgets = informers.for(podDisruptionBudgets);
    this.#volumes = new VolumeBinder({ client, clock, informers: storage });
    this.#cluster = new ClusterCache(
      this.#volumes,
      (name) => namespaceInformer.store.get(undefined, name)?.metadata.labels,
    );
    this.#queue = new SchedulingQueue(clock, () => this.#scheduleRun());
    const storageChanged = (): void => {
      this.#volumes.onChange();
      this.#queue.notify(['Storage']);
    };
    const anyStorage = { add: storageChanged, update: storageChanged, delete: storageChanged };
    const nodeInformer = informers.for(nodes);
    const podInformer = informers.for(pods);
    this.#unsubscribe.push(
      nodeInformer.onChange({
        add: (node) => this.#queue.notify(this.#cluster.setNode(node)),
        update: (node) => this.#queue.notify(this.#cluster.setNode(node)),
        delete: (node) => this.#cluster.removeNode(node.metadata.name ?? ''),
      }),
      podInformer.onChange(this.#podHandler()),
      storage.claims.onChange(anyStorage),
      storage.volumes.onChange(anyStorage),
      storage.classes.onChange(anyStorage),
    );
    const all = [...Object.values(storage), namespaceInformer, this.#budgets, nodeInformer, podInformer];
    Promise.all(all.map((informer) => informer.synced())).then(
      () => {
        this.#ready = true;
        this.#scheduleRun();
      },
      // The informers were stopped before they had anything; so will the scheduler be.
      () => {},
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the scheduler is stopping'));
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#queue.stop();
    await Promise.allSettled([...this.#writes]);
  }

  // What comes in

  #podHandler(): ChangeHandler<Pod> {
    return {
      add: (pod) => this.#onPod(pod, undefined),
      update: (pod, old) => {
        // Deleted and created again between two looks.
        if (old.metadata.uid !== pod.metadata.uid) this.#onPodGone(old);
        this.#onPod(pod, old);
      },
      delete: (pod) => this.#onPodGone(pod),
    };
  }

  #onPod(pod: Pod, old: Pod | undefined): void {
    const { uid = '', deletionTimestamp } = pod.metadata;
    if (pod.spec?.nodeName) {
      this.#queue.delete(uid);
      this.#nominations.delete(uid);
      this.#queue.notify(this.#cluster.setPod(pod));
    } else if (deletionTimestamp || isTerminal(pod)) {
      this.#queue.delete(uid);
      this.#nominations.delete(uid);
    } else if ((pod.spec?.schedulerName ?? 'default-scheduler') === this.#name) this.#enqueue(pod, old);
  }

  #enqueue(pod: Pod, old: Pod | undefined): void {
    const info = toPodInfo(pod);
    const gated = PLUGINS.some((plugin) => plugin.gate?.(info) !== undefined);
    const nominated = pod.status?.nominatedNodeName;
    if (nominated) this.#nominations.set(info, nominated);
    this.#queue.set(info, { gated, relevant: !isOnlyStatus(pod, old) });
    if (gated) this.#write(info, () => this.#writer.gated(pod));
  }

  #onPodGone(pod: Pod): void {
    const { uid = '' } = pod.metadata;
    this.#queue.delete(uid);
    this.#nominations.delete(uid);
    this.#queue.notify(this.#cluster.removePod(uid));
  }

  // One pod after the other

  #scheduleRun(): void {
    if (!this.#ready || this.#runScheduled || this.#abort.signal.aborted) return;
    this.#runScheduled = true;
    setImmediate(() => {
      this.#runScheduled = false;
      this.#run();
    });
  }

  /** Works until the queue is empty, enough is being written, or others should have their turn. */
  #run(): void {
    const endMs = performance.now() + LIMITS.scheduler.sliceMs;
    while (!this.#abort.signal.aborted && this.#binds < LIMITS.scheduler.concurrentBinds) {
      if (performance.now() > endMs) {
        this.#scheduleRun();
        return;
      }
      const pod = this.#queue.take();
      if (!pod) return;
      try {
        this.#attempt(pod);
      } catch (error) {
        this.#broken(pod, error);
      }
    }
  }

  #attempt(queued: QueuedPod): void {
    const { info } = queued;
    const { random = Math.random } = this.#options;
    const placement = schedulePod({
      pod: info,
      cluster: this.#cluster,
      startAt: this.#startAt,
      random,
      nominated: (node) => this.#nominations.on(node),
    });
    this.#startAt = (this.#startAt + placement.looked) % Math.max(1, this.#cluster.nodes.length);
    if ('failure' in placement) this.#unschedulable(queued, placement.failure);
    else this.#place(queued, placement.node);
  }

  #place(queued: QueuedPod, node: NodeInfo): void {
    const { info } = queued;
    const claims = claimsOf(info, this.#volumes);
    const plans = typeof claims === 'string' ? [] : (planVolumes(claims.delayed, node, this.#volumes) ?? []);
    this.#cluster.assume(info, node.name);
    this.#volumes.assume(plans);
    this.#queue.notify(['PodPlaced']);
    this.#binds++;
    this.#track(this.#bind(queued, node.name, plans));
  }

  async #bind(queued: QueuedPod, node: string, plans: readonly VolumePlan[]): Promise<void> {
    const { info } = queued;
    try {
      if (plans.length > 0) await this.#bindVolumes(plans, node);
      await this.#writer.bind(info.pod, node);
    } catch (error) {
      this.#cluster.forget(info.uid);
      this.#queue.notify(['PodRemoved']);
      if (isNotFound(error)) this.#queue.delete(info.uid);
      else this.#broken(queued, error);
    } finally {
      this.#volumes.release(plans);
      this.#binds--;
      this.#scheduleRun();
    }
  }

  /** Volumes can take minutes; other pods must not wait behind them. */
  async #bindVolumes(plans: readonly VolumePlan[], node: string): Promise<void> {
    this.#binds--;
    try {
      await this.#volumes.bind(plans, node, this.#abort.signal);
    } finally {
      this.#binds++;
    }
  }

  // When it cannot be

  #unschedulable(queued: QueuedPod, failure: Failure): void {
    const { info } = queued;
    const outcome = this.#preempt(info, failure);
    const isLost =
      outcome.victims === undefined && this.#nominations.nodeOf(info.uid) !== undefined && outcome.clears;
    if (isLost) this.#nominations.delete(info.uid);
    if (outcome.node !== undefined) this.#nominations.set(info, outcome.node);
    const message = failureMessage(failure, outcome.message);
    const { pod } = info;
    const everything = new Set(PLUGINS.map(({ name }) => name));
    this.#queue.failed(queued, failure.nodes === 0 ? everything : failure.plugins);
    this.#write(info, async () => {
      const nominate = outcome.node ?? (isLost ? null : undefined);
      const fields = {
        reason: 'Unschedulable' as const,
        message,
        ...(nominate === undefined ? {} : { nominate }),
      };
      await Promise.all([
        this.#writer.fail(pod, fields),
        ...(outcome.victims ?? []).map((victim) => this.#writer.preempt(victim, info, outcome.node ?? '')),
        ...this.#displaced(info, outcome.node).map((other) => this.#writer.clearNomination(other.pod)),
      ]);
    });
  }

  #preempt(
    pod: PodInfo,
    failure: Failure,
  ): { message: string; clears: boolean; node?: string; victims?: readonly PodInfo[] } {
    if (failure.nodes === 0) return { message: '', clears: true };
    const plan = planPreemption({
      pod,
      cluster: this.#cluster,
      failure,
      budgets: this.#budgets.store.list(),
    });
    if ('victims' in plan) return { message: '', clears: false, ...plan };
    const message = `no new claims to deallocate, preemption: ${plan.message}`;
    return { message, clears: plan.message.startsWith('0/') };
  }

  /** Less important pods that waited for the node look for another. */
  #displaced(pod: PodInfo, node: string | undefined): readonly PodInfo[] {
    if (node === undefined) return [];
    const displaced = this.#nominations.on(node).filter((other) => other.priority < pod.priority);
    for (const other of displaced) this.#nominations.delete(other.uid);
    return displaced;
  }

  /** Something that should not fail did; the pod is tried again after its back-off. */
  #broken(queued: QueuedPod, error: unknown): void {
    const { info } = queued;
    if (this.#abort.signal.aborted) return;
    const message = errorText(error);
    this.#options.log.warn('scheduling failed', { pod: info.key, error });
    this.#queue.failed(queued);
    this.#write(info, () => this.#writer.fail(info.pod, { reason: 'SchedulerError', message }));
  }

  #write(info: PodInfo, write: () => Promise<void>): void {
    this.#track(
      write().catch((error: unknown) => {
        if (isNotFound(error) || this.#abort.signal.aborted) return;
        this.#options.log.warn('could not record the state of a pod', { pod: info.key, error });
      }),
    );
  }

  #track(work: Promise<void>): void {
    this.#writes.add(work);
    work.finally(() => this.#writes.delete(work));
  }
}

/** Our own condition on a pod is no news. */
function isOnlyStatus(pod: Pod, old: Pod | undefined): boolean {
  return (
    old !== undefined && equalJson(pod.spec, old.spec) && equalJson(pod.metadata.labels, old.metadata.labels)
  );
}
