import { pods } from '../api/resources.gen.ts';
import { isNotFound } from '../api/status.ts';
import type { Binding, Pod, PodCondition } from '../api/types.gen.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Client } from '../client/port.ts';
import { type Clock, rfc3339 } from '../lib/clock.ts';
import type { PodInfo } from './pod-info.ts';

/** What the scheduler writes to the API about pods. */
export class PodWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #scheduler: string;

  constructor(options: { client: Client; clock: Clock; events: EventRecorder; schedulerName: string }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#scheduler = options.schedulerName;
  }

  /** Binds the pod to a node and says so in an Event. */
  async bind(pod: Pod, node: string): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata;
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
      },
      target: { kind: 'Node', name: node },
    };
    await this.#client.createSubresource(pods, { namespace, name }, 'binding', binding);
    this.#events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
  }

  /**
   * Records why the pod is not scheduled: an Event, and the PodScheduled condition where it does not say so already.
   * `nominate`: node it waits for; `null` clears that.
   */
  async fail(
    pod: Pod,
    failure: { reason: 'Unschedulable' | 'SchedulerError'; message: string; nominate?: string | null },
  ): Promise<void> {
    const { reason, message, nominate } = failure;
    this.#events.event(pod, 'Warning', 'FailedScheduling', message);
    await this.#patchStatus(pod, { type: 'PodScheduled', status: 'False', reason, message }, nominate);
  }

  async gated(pod: Pod): Promise<void> {
    await this.#patchStatus(pod, {
      type: 'PodScheduled',
      status: 'False',
      reason: 'SchedulingGated',
      message: 'Scheduling is blocked due to non-empty scheduling gates',
    });
  }

  /** Makes room: marks and deletes a pod of lower priority. */
  async preempt(victim: PodInfo, preemptor: PodInfo, node: string): Promise<void> {
    const { namespace, name = '', deletionTimestamp } = victim.pod.metadata;
    if (deletionTimestamp) return;
    try {
      await this.#patchStatus(victim.pod, {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: `${this.#scheduler}: preempting to accommodate a higher priority pod`,
      });
      await this.#client.delete(pods, { namespace, name }, { preconditions: { uid: victim.uid } });
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    this.#events.event(
      victim.pod,
      'Normal',
      'Preempted',
      `Preempted by pod ${preemptor.uid} on node ${node}`,
    );
  }

  /** Forgets which node the pod waited for. */
  async clearNomination(pod: Pod): Promise<void> {
    if (pod.status?.nominatedNodeName) await this.#patchStatus(pod, undefined, null);
  }

  async #patchStatus(pod: Pod, condition: PodCondition | undefined, nominate?: string | null): Promise<void> {
    const status: Record<string, unknown> = {};
    const old = pod.status?.conditions?.find(({ type }) => type === condition?.type);
    if (condition && !says(old, condition)) {
      const now = rfc3339(this.#clock.now());
      const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
      const { generation } = pod.metadata;
      const observed = generation === undefined ? {} : { observedGeneration: generation };
      status['conditions'] = [{ ...condition, ...observed, lastProbeTime: null, lastTransitionTime }];
    }
    const nominated = pod.status?.nominatedNodeName ?? '';
    if (nominate !== undefined && (nominate ?? '') !== nominated) status['nominatedNodeName'] = nominate;
    if (Object.keys(status).length === 0) return;
    const { namespace, name = '', uid } = pod.metadata;
    const body = { metadata: { uid }, status };
    await this.#client.patch(
      pods,
      { namespace, name },
      { type: 'strategic', body },
      { subresource: 'status' },
    );
  }
}

function says(old: PodCondition | undefined, condition: PodCondition): boolean {
  return (
    old?.status === condition.status && old.reason === condition.reason && old.message === condition.message
  );
}
