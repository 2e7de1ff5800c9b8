import { pods } from '../../api/resources.gen.ts';
import { ApiError, isNotFound } from '../../api/status.ts';
import type { Pod, PodCondition, PodStatus } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { PASSING_CONDITIONS } from './conditions.ts';
import { sameStatus } from './status.ts';

export interface StatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  pod: Pod;
  /** What the API should show; undefined when it does. */
  wanted: PodStatus | undefined;
  written: PodStatus | undefined;
  waiting: (() => void)[];
}

/**
 * Writes pod statuses: only what changed, the newest of several changes, one write at a time for each pod, again and
 * again while the API is away. A pod that no longer exists counts as written.
 */
export class StatusWriter {
  readonly #client: Client;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: WorkQueue;

  constructor(options: StatusWriterOptions) {
    this.#client = options.client;
    this.#log = options.log;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: 4,
      baseMs: LIMITS.agent.statusRetryBaseMs,
      maxMs: LIMITS.agent.statusRetryMaxMs,
      work: (uid) => this.#write(uid),
      onError: (uid, error) => {
        const pod = this.#entries.get(uid)?.pod.metadata;
        this.#log.debug('pod status not written yet', { pod: `${pod?.namespace}/${pod?.name}`, error });
      },
    });
  }

  /** The newest status; `pod` as the informer has it. Nothing happens when the API shows it already. */
  set(pod: Pod, status: PodStatus): void {
    const entry = this.#entry(pod);
    entry.wanted = status;
    if (!this.#differs(entry)) {
      entry.wanted = undefined;
      this.#done(entry);
    } else this.#queue.addAfter(pod.metadata.uid ?? '', LIMITS.agent.statusDelayMs);
  }

  /** Resolves once the API has this status or the pod is gone. */
  async final(pod: Pod, status: PodStatus): Promise<void> {
    const entry = this.#entry(pod);
    entry.wanted = status;
    if (!this.#differs(entry)) {
      entry.wanted = undefined;
      return;
    }
    const done = new Promise<void>((resolve) => entry.waiting.push(resolve));
    this.#queue.add(pod.metadata.uid ?? '');
    await done;
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry) this.#done(entry);
    this.#entries.delete(uid);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #entry(pod: Pod): Entry {
    const uid = pod.metadata.uid ?? '';
    const known = this.#entries.get(uid);
    if (known !== undefined) {
      known.pod = pod;
      return known;
    }
    const entry: Entry = { pod, wanted: undefined, written: undefined, waiting: [] };
    this.#entries.set(uid, entry);
    return entry;
  }

  #differs(entry: Entry): boolean {
    return entry.wanted !== undefined && !sameStatus(entry.written ?? entry.pod.status, entry.wanted);
  }

  #done(entry: Entry): void {
    for (const resolve of entry.waiting.splice(0)) resolve();
  }

  async #write(uid: string): Promise<undefined> {
    const entry = this.#entries.get(uid);
    const status = entry?.wanted;
    if (entry === undefined || status === undefined) return;
    const { name = '', namespace } = entry.pod.metadata;
    const body = statusPatch(uid, entry.written ?? entry.pod.status ?? {}, status);
    try {
      await this.#client.patch(
        pods,
        { name, namespace },
        { type: 'strategic', body },
        { subresource: 'status' },
      );
    } catch (error) {
      // Another pod has the name now: ours is gone.
      const replaced = error instanceof ApiError && error.code === 409 && /uid/i.test(error.message);
      if (!isNotFound(error) && !replaced) throw error;
    }
    entry.written = status;
    if (entry.wanted === status) {
      entry.wanted = undefined;
      this.#done(entry);
    } else this.#queue.add(uid);
  }
}

/** A strategic merge patch that makes our part of the status exactly `wanted` and leaves the conditions of others. */
export function statusPatch(uid: string, known: PodStatus, wanted: PodStatus): object {
  const status: Record<string, unknown> = { ...wanted };
  for (const field of ['reason', 'message', 'ephemeralContainerStatuses', 'initContainerStatuses'] as const)
    if (wanted[field] === undefined && known[field] !== undefined) status[field] = null;
  const over = PASSING_CONDITIONS.filter((type) => has(known, type) && !has(wanted, type));
  status['conditions'] = [
    ...over.map((type) => ({ $patch: 'delete', type })),
    ...(wanted.conditions ?? [])
      .filter((condition) => !unchanged(known.conditions, condition))
      .map((condition) => ({ reason: null, message: null, ...condition })),
  ];
  status['podIPs'] = mergeByIp(known.podIPs, wanted.podIPs);
  status['hostIPs'] = mergeByIp(known.hostIPs, wanted.hostIPs);
  for (const [field, value] of Object.entries(status))
    if (value === undefined || (Array.isArray(value) && value.length === 0)) delete status[field];
  return { metadata: { uid }, status };
}

const has = ({ conditions }: PodStatus, type: string): boolean =>
  conditions?.some((condition) => condition.type === type) ?? false;

function unchanged(known: readonly PodCondition[] | undefined, condition: PodCondition): boolean {
  const old = known?.find(({ type }) => type === condition.type);
  return (
    old !== undefined &&
    old.status === condition.status &&
    (old.reason ?? '') === (condition.reason ?? '') &&
    (old.message ?? '') === (condition.message ?? '') &&
    old.observedGeneration === condition.observedGeneration
  );
}

type WithIp = readonly { readonly ip: string }[] | undefined;

function mergeByIp(known: WithIp, wanted: WithIp): object[] | undefined {
  if (wanted === undefined) return undefined;
  const stale = (known ?? []).filter(({ ip }) => !wanted.some((entry) => entry.ip === ip));
  return [...stale.map(({ ip }) => ({ $patch: 'delete', ip })), ...wanted];
}
