import type { ObjectReference } from '../api/types.gen.ts';
import { LIMITS } from '../lib/limits.ts';

/** What a component says about an object, before anything is known of earlier ones. */
export interface Occurrence {
  readonly about: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  readonly host: string;
}

/** One Event object: how often it was seen and under which name it was written. */
export interface EventRecord {
  readonly key: string;
  readonly about: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly component: string;
  readonly host: string;
  readonly name: string;
  readonly firstMs: number;
  message: string;
  count: number;
  lastMs: number;
  /** Set once the object exists on the server. */
  written: boolean;
}

interface Similar {
  readonly messages: Set<string>;
  lastMs: number;
}
interface Bucket {
  tokens: number;
  filledMs: number;
}

/**
 * Decides what becomes of an occurrence, as client-go's `EventCorrelator`: dropped as spam, folded into similar
 * ones, counted up, or new. Holds a bounded memory of what was said. Times are wall-clock milliseconds.
 */
export class EventCorrelator {
  readonly #records = new Map<string, EventRecord>();
  readonly #similar = new Map<string, Similar>();
  readonly #buckets = new Map<string, Bucket>();

  /** The record to write, or undefined when the source has said too much about this object. */
  correlate(occurrence: Occurrence, nowMs: number): EventRecord | undefined {
    if (!this.#allowed(occurrence, nowMs)) return undefined;
    const { about, type, reason, component, host } = occurrence;
    const kind = JSON.stringify([identity(about), component, host, type, reason]);
    const combined = this.#combine(kind, occurrence.message, nowMs);
    const message = combined ? `(combined from similar events): ${occurrence.message}` : occurrence.message;
    const key = combined ? kind : `${kind}${occurrence.message}`;
    const known = this.#records.get(key);
    if (known) {
      known.count++;
      known.lastMs = nowMs;
      known.message = message;
      remember(this.#records, key, known);
      return known;
    }
    const name = `${about.name}.${eventSuffix(nowMs)}`;
    const record: EventRecord = {
      ...{ key, about, type, reason, component, host, name, message },
      ...{ firstMs: nowMs, lastMs: nowMs, count: 1, written: false },
    };
    remember(this.#records, key, record);
    return record;
  }

  /** The server lost it (or never had it): the next one is written anew. */
  forget(record: EventRecord): void {
    if (this.#records.get(record.key) === record) this.#records.delete(record.key);
  }

  #combine(kind: string, message: string, nowMs: number): boolean {
    let similar = this.#similar.get(kind);
    if (!similar || nowMs - similar.lastMs > LIMITS.events.similarMs) {
      similar = { messages: new Set(), lastMs: nowMs };
    }
    similar.lastMs = nowMs;
    remember(this.#similar, kind, similar);
    if (similar.messages.has(message)) return false;
    if (similar.messages.size >= LIMITS.events.similar) return true;
    similar.messages.add(message);
    return false;
  }

  /** A token bucket for each pair of source and object. */
  #allowed({ about, component, host }: Occurrence, nowMs: number): boolean {
    const { burst, refillMs } = LIMITS.events;
    const key = JSON.stringify([component, host, identity(about)]);
    const bucket = this.#buckets.get(key) ?? { tokens: burst, filledMs: nowMs };
    // A wall clock set back gives nothing; one set forward fills the bucket at most.
    const refill = Math.max(0, nowMs - bucket.filledMs) / refillMs;
    bucket.tokens = Math.min(burst, bucket.tokens + refill);
    bucket.filledMs = nowMs;
    remember(this.#buckets, key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

function identity(about: ObjectReference): string {
  return [about.apiVersion, about.kind, about.namespace, about.name, about.uid, about.fieldPath].join('|');
}

/** Moves a key to the young end and lets the oldest go. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= LIMITS.events.remembered) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

let lastSuffix = 0n;

/** Hexadecimal nanoseconds as client-go names Events, never the same twice within a process. */
function eventSuffix(nowMs: number): string {
  const nanos = BigInt(Math.trunc(nowMs)) * 1_000_000n + BigInt(Math.trunc(Math.random() * 1_000_000));
  lastSuffix = nanos > lastSuffix ? nanos : lastSuffix + 1n;
  return lastSuffix.toString(16);
}
