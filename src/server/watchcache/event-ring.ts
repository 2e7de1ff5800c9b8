import type { CacheRecord } from './cache-record.ts';

/** What one change did to one object. Absent `before`: created; absent `after`: deleted. */
export interface PastEvent {
  readonly revision: number;
  readonly before: CacheRecord | undefined;
  readonly after: CacheRecord | undefined;
  readonly atMs: number;
}

export interface RingLimits {
  readonly ringBytes: number;
  readonly ringEvents: number;
  readonly ringMs: number;
  readonly ringOldBytes: number;
}

/** Recent changes, oldest first, bounded in number and bytes, and more tightly once they are old. */
export class EventRing {
  readonly #limits: RingLimits;
  #events: PastEvent[] = [];
  /** Events before this index were dropped; they go for good when enough came together. */
  #start = 0;
  #bytes = 0;
  /** Every change after this revision is still here. */
  #floor: number;

  constructor(limits: RingLimits, floor: number) {
    this.#limits = limits;
    this.#floor = floor;
  }

  get floor(): number {
    return this.#floor;
  }

  get size(): number {
    return this.#events.length - this.#start;
  }

  push(event: PastEvent): void {
    event.before?.hold();
    event.after?.hold();
    this.#events.push(event);
    this.#bytes += sizeOf(event);
    while (this.#isOver(event.atMs)) this.#dropOldest();
  }

  /** Puts older events in front: all changes after `floor` up to the present floor. */
  prepend(events: readonly PastEvent[], floor: number): void {
    for (const { before, after } of events) {
      before?.hold();
      after?.hold();
    }
    this.#events = [...events, ...this.#events.slice(this.#start)];
    this.#start = 0;
    this.#bytes += events.reduce((sum, event) => sum + sizeOf(event), 0);
    this.#floor = floor;
    const newest = this.#events.at(-1);
    while (newest && this.#isOver(newest.atMs)) this.#dropOldest();
  }

  /** Changes after `revision`, which must not lie below `floor`. */
  *after(revision: number): Iterable<PastEvent> {
    let low = this.#start;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle] as PastEvent).revision <= revision) low = middle + 1;
      else high = middle;
    }
    // A copy: whoever looks at these may make new ones.
    yield* this.#events.slice(low);
  }

  clear(): void {
    while (this.size > 0) this.#dropOldest();
  }

  #isOver(nowMs: number): boolean {
    const oldest = this.#events[this.#start];
    if (!oldest) return false;
    const { ringBytes, ringEvents, ringMs, ringOldBytes } = this.#limits;
    if (this.size > ringEvents || this.#bytes > ringBytes) return true;
    return this.#bytes > ringOldBytes && nowMs - oldest.atMs > ringMs;
  }

  #dropOldest(): void {
    const event = this.#events[this.#start] as PastEvent;
    this.#start++;
    this.#floor = event.revision;
    this.#bytes -= sizeOf(event);
    event.before?.release();
    event.after?.release();
    if (this.#start < 64 || this.#start < this.#events.length / 2) return;
    this.#events = this.#events.slice(this.#start);
    this.#start = 0;
  }
}

function sizeOf({ before, after }: PastEvent): number {
  return (before?.sizeBytes ?? 0) + (after?.sizeBytes ?? 0);
}
