import type { PriorityLevelConfiguration } from '../../api/types.gen.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { RetryAfter } from './retry-after.ts';
import type { SeatLimits } from './seats.ts';
import { handOf } from './shuffle-shard.ts';

export type Rejection = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled';

/** A request that waits for its turn. */
export interface Waiting {
  readonly seats: number;
  readonly sinceMs: number;
  readonly start: () => void;
  readonly reject: (reason: Rejection) => void;
}

interface Queue {
  readonly requests: Queued[];
  /** How much its requests have used so far, in milliseconds of seats, on the level's own scale. */
  virtualMs: number;
}
interface Queued extends Waiting {
  readonly queue: number;
  timer: Timer | undefined;
}

/** What a request is taken to cost until it is known. */
const GUESS_MS = 5;

/**
 * One level: how many seats its requests hold, and who waits in which queue. Queues take turns by what they have used
 * (fair queuing), requests within one by age. Queues exist only while somebody waits in them.
 */
export class PriorityLevel implements SeatLimits {
  readonly name: string;
  uid = '';
  isExempt = false;
  nominal = 0;
  min = 0;
  max = 0;
  executingSeats = 0;
  executingRequests = 0;
  waiting = 0;
  readonly retryAfter: RetryAfter;
  readonly #clock: Clock;
  readonly #queues = new Map<number, Queue>();
  #queuing: { queues: number; handSize: number; queueLengthLimit: number } | undefined;
  #virtualMs = 0;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
    this.retryAfter = new RetryAfter(clock);
  }

  configure({ metadata, spec }: PriorityLevelConfiguration, limits: SeatLimits): void {
    this.uid = metadata.uid ?? '';
    this.isExempt = spec?.type === 'Exempt';
    this.nominal = limits.nominal;
    this.min = limits.min;
    this.max = limits.max;
    const { type, queuing = {} } = spec?.limited?.limitResponse ?? {};
    const { queues = 64, handSize = 8, queueLengthLimit = 50 } = queuing;
    this.#queuing = type === 'Queue' ? { queues, handSize, queueLengthLimit } : undefined;
  }

  /** Queues a request. Returns why not, or what takes it out again when its client leaves. */
  enqueue(flow: string, request: Waiting): Rejection | (() => void) {
    if (!this.#queuing) return 'concurrency-limit';
    const { queues, handSize, queueLengthLimit } = this.#queuing;
    const queue = this.#shortest(handOf(flow, queues, handSize));
    const requests = this.#queues.get(queue)?.requests ?? [];
    if (requests.length >= queueLengthLimit) return 'queue-full';
    if (requests.length === 0) this.#queues.set(queue, { requests, virtualMs: this.#virtualMs });
    const queued: Queued = { ...request, queue, timer: undefined };
    queued.timer = this.#clock.setTimer(LIMITS.fairness.waitMs, () => this.#give(queued, 'time-out'));
    requests.push(queued);
    this.waiting++;
    return () => this.#give(queued, 'cancelled');
  }

  /** The request whose turn it is. */
  get next(): Waiting | undefined {
    return this.#nextQueue()?.[1].requests[0];
  }

  /** Takes the request whose turn it is out of its queue. */
  take(): Waiting | undefined {
    const found = this.#nextQueue();
    const request = found?.[1].requests[0];
    if (!found || !request) return undefined;
    const [, queue] = found;
    this.#virtualMs = queue.virtualMs;
    queue.virtualMs += GUESS_MS * request.seats;
    this.#remove(request);
    return request;
  }

  #nextQueue(): [number, Queue] | undefined {
    let best: [number, Queue] | undefined;
    for (const entry of this.#queues) if (!best || entry[1].virtualMs < best[1].virtualMs) best = entry;
    return best;
  }

  #shortest(hand: readonly number[]): number {
    let best = hand[0] ?? 0;
    for (const one of hand) {
      if ((this.#queues.get(one)?.requests.length ?? 0) < (this.#queues.get(best)?.requests.length ?? 0))
        best = one;
    }
    return best;
  }

  #give(request: Queued, reason: Rejection): void {
    if (this.#remove(request)) request.reject(reason);
  }

  /** False where it has been taken or given up before. */
  #remove(request: Queued): boolean {
    const queue = this.#queues.get(request.queue);
    const at = queue?.requests.indexOf(request) ?? -1;
    if (!queue || at < 0) return false;
    queue.requests.splice(at, 1);
    request.timer?.cancel();
    this.waiting--;
    if (queue.requests.length === 0) this.#queues.delete(request.queue);
    return true;
  }
}
