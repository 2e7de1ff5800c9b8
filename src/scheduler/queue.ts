import type { Clock, Timer } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { Heap } from './heap.ts';
import type { ClusterEvent, Plugin } from './plugin.ts';
import { PLUGINS } from './plugins/table.ts';
import type { PodInfo } from './pod-info.ts';

/**
 *            add                     take
 *   (gated) ───────► active ─────────────────► in the scheduler's hands
 *      │               ▲  ▲                        │ failed        │ bound, deleted
 *      └─ gates lifted ┘  │ back-off over          ▼               ▼
 *                      backoff ◄──── event ── unschedulable      (gone)
 *
 * An event that finds the back-off over already goes straight to active; so does time, after five minutes.
 */
type Place = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'taken';

export interface QueuedPod {
  info: PodInfo;
  place: Place;
  /** Failed attempts; decides how long the pod backs off. */
  attempts: number;
  /** When it came to where it is. */
  sinceMs: number;
  /** Orders pods of the same priority. */
  order: number;
  /** Plugins that turned it down; empty: anything may help. */
  rejectedBy: ReadonlySet<string>;
  backoffUntilMs: number;
}

/** Pods that wait for a node, in upstream's three sets. No timer runs while none is needed. */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #pods = new Map<string, QueuedPod>();
  readonly #unschedulable = new Set<QueuedPod>();
  /** Entries whose pod has moved on meanwhile are passed over when they come up. */
  readonly #active = new Heap<QueuedPod>(comesFirst);
  readonly #backoff = new Heap<{ pod: QueuedPod; atMs: number }>((a, b) => a.atMs < b.atMs);
  readonly #wakes = new Map<ClusterEvent, ReadonlySet<string>>();
  /** How many unschedulable pods each plugin turned down: most events concern none of them. */
  readonly #rejections = new Map<string, number>();
  #order = 0;
  #backoffTimer: Timer | undefined;
  #flushTimer: Timer | undefined;

  /** `onReady` is called whenever a pod becomes active. */
  constructor(clock: Clock, onReady: () => void, plugins: readonly Plugin[] = PLUGINS) {
    this.#clock = clock;
    this.#onReady = onReady;
    for (const { name, wakesOn } of plugins) {
      for (const event of wakesOn) this.#wakes.set(event, new Set([...(this.#wakes.get(event) ?? []), name]));
    }
  }

  get size(): number {
    return this.#pods.size;
  }

  placeOf(uid: string): Place | undefined {
    return this.#pods.get(uid)?.place;
  }

  /** Adds a pod, or takes in its newer state. `relevant`: what changed may make it schedulable. */
  set(info: PodInfo, options: { gated: boolean; relevant: boolean }): void {
    const known = this.#pods.get(info.uid);
    if (!known) {
      const pod: QueuedPod = {
        info,
        place: 'gated',
        attempts: 0,
        sinceMs: this.#clock.monotonicMs(),
        order: this.#order++,
        rejectedBy: new Set(),
        backoffUntilMs: 0,
      };
      this.#pods.set(info.uid, pod);
      if (!options.gated) this.#activate(pod);
      return;
    }
    known.info = info;
    if (options.gated) {
      if (known.place !== 'taken') this.#move(known, 'gated');
    } else if (known.place === 'gated') this.#activate(known);
    else if (known.place === 'unschedulable' && options.relevant) this.#retry(known);
  }

  delete(uid: string): void {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    this.#move(pod, 'taken');
    this.#pods.delete(uid);
  }

  /** The next pod to schedule. It stays known until `delete`, or goes back with `failed`. */
  take(): QueuedPod | undefined {
    for (let pod = this.#active.pop(); pod; pod = this.#active.pop()) {
      if (pod.place !== 'active' || this.#pods.get(pod.info.uid) !== pod) continue;
      this.#move(pod, 'taken');
      return pod;
    }
    return undefined;
  }

  /**
   * Puts a pod back that found no node. With `rejectedBy` it waits for an event one of them cares about; without,
   * something went wrong that has nothing to do with the cluster's state, and it is tried again after its back-off.
   */
  failed(pod: QueuedPod, rejectedBy?: ReadonlySet<string>): void {
    if (this.#pods.get(pod.info.uid) !== pod || pod.place !== 'taken') return;
    pod.attempts++;
    pod.backoffUntilMs = this.#clock.monotonicMs() + backoffMs(pod.attempts);
    pod.rejectedBy = rejectedBy ?? new Set();
    if (!rejectedBy) {
      this.#retry(pod);
      return;
    }
    this.#move(pod, 'unschedulable');
    this.#planFlush();
  }

  /** Gives pods another chance that one of the events may help. */
  notify(events: readonly ClusterEvent[]): void {
    if (this.#unschedulable.size === 0 || !events.some((event) => this.#concernsAny(event))) return;
    for (const pod of [...this.#unschedulable]) {
      if (events.some((event) => this.#mayHelp(event, pod))) this.#retry(pod);
    }
  }

  stop(): void {
    this.#backoffTimer?.cancel();
    this.#flushTimer?.cancel();
    this.#pods.clear();
    this.#unschedulable.clear();
  }

  #concernsAny(event: ClusterEvent): boolean {
    for (const plugin of this.#wakes.get(event) ?? []) if (this.#rejections.has(plugin)) return true;
    return false;
  }

  #mayHelp(event: ClusterEvent, { rejectedBy }: QueuedPod): boolean {
    const listeners = this.#wakes.get(event);
    for (const plugin of rejectedBy) if (listeners?.has(plugin)) return true;
    return false;
  }

  #retry(pod: QueuedPod): void {
    if (pod.backoffUntilMs <= this.#clock.monotonicMs()) {
      this.#activate(pod);
      return;
    }
    this.#move(pod, 'backoff');
    this.#backoff.push({ pod, atMs: pod.backoffUntilMs });
    this.#planBackoff();
  }

  #activate(pod: QueuedPod): void {
    this.#move(pod, 'active');
    this.#active.push(pod);
    this.#onReady();
  }

  #move(pod: QueuedPod, place: Place): void {
    if (this.#unschedulable.delete(pod)) this.#countRejections(pod, -1);
    pod.place = place;
    pod.sinceMs = this.#clock.monotonicMs();
    if (place !== 'unschedulable') return;
    this.#unschedulable.add(pod);
    this.#countRejections(pod, 1);
  }

  #countRejections({ rejectedBy }: QueuedPod, sign: 1 | -1): void {
    for (const plugin of rejectedBy) {
      const count = (this.#rejections.get(plugin) ?? 0) + sign;
      if (count > 0) this.#rejections.set(plugin, count);
      else this.#rejections.delete(plugin);
    }
  }

  #planBackoff(): void {
    this.#backoffTimer?.cancel();
    const next = this.#backoff.first;
    if (!next) return;
    const delayMs = Math.max(0, next.atMs - this.#clock.monotonicMs());
    this.#backoffTimer = this.#clock.setTimer(delayMs, () => {
      const nowMs = this.#clock.monotonicMs();
      while ((this.#backoff.first?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
        const due = this.#backoff.pop();
        if (due?.pod.place === 'backoff' && due.pod.backoffUntilMs === due.atMs) this.#activate(due.pod);
      }
      this.#planBackoff();
    });
  }

  /** Should an event be missed that nobody thought of, nothing waits for ever. */
  #planFlush(): void {
    this.#flushTimer ??= this.#clock.setTimer(LIMITS.scheduler.unschedulableMs, () => {
      this.#flushTimer = undefined;
      const nowMs = this.#clock.monotonicMs();
      for (const pod of [...this.#unschedulable]) {
        if (nowMs - pod.sinceMs >= LIMITS.scheduler.unschedulableMs) this.#retry(pod);
      }
      if (this.#unschedulable.size > 0) this.#planFlush();
    });
  }
}

function comesFirst(a: QueuedPod, b: QueuedPod): boolean {
  return a.info.priority === b.info.priority ? a.order < b.order : a.info.priority > b.info.priority;
}

function backoffMs(attempts: number): number {
  const { backoffBaseMs, backoffMaxMs } = LIMITS.scheduler;
  return Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(attempts - 1, 16));
}
