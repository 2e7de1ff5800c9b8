import { apiError } from '../../api/status.ts';
import type { Change } from '../../datastore/port.ts';
import {
  type CacheRecord,
  createRecord,
  DeletedRecord,
  type RecordFactory,
  type StoredVersion,
} from './cache-record.ts';
import { EventRing, type PastEvent, type RingLimits } from './event-ring.ts';
import type { CachedObject, CacheEvent, Selection, WatchCache, Watcher, WatchHandle } from './port.ts';
import { SortedRecords } from './sorted-records.ts';
import { revisionText, spliceInto } from './stored-object.ts';

export interface ResourceCacheOptions {
  readonly factory: RecordFactory;
  readonly limits: RingLimits;
  /** Newest revision of the whole store that was dispatched. */
  readonly currentRevision: () => number;
  readonly nowMs: () => number;
  readonly onClose: () => void;
  /** What the datastore still knows of the past of this resource. */
  readonly history: History;
}

export interface History {
  /** Oldest first, at most `limit`. Rejects when they were compacted away. */
  changes(afterRevision: number, limit: number): Promise<readonly Change[]>;
  /** The object as it was at a revision. */
  get(key: string, revision: number): Promise<StoredVersion | undefined>;
}

interface Subscription {
  readonly selection: Selection;
  readonly watcher: Watcher;
  /** Changes at or below this one are known to the watcher. */
  readonly after: number;
}

/** A WatchCache fed by whoever owns the datastore subscription: first `load`, then `apply` for every change. */
export class ResourceCache implements WatchCache {
  readonly #options: ResourceCacheOptions;
  readonly #records = new SortedRecords();
  readonly #byOwner = new Map<string, Set<CacheRecord>>();
  readonly #subscriptions = new Set<Subscription>();
  #ring: EventRing;
  #closed = false;
  #reaching: Promise<void> = Promise.resolve();

  constructor(options: ResourceCacheOptions) {
    this.#options = options;
    this.#ring = new EventRing(options.limits, 0);
  }

  get revision(): number {
    return this.#options.currentRevision();
  }

  get size(): number {
    return this.#records.size;
  }

  get(namespace: string | undefined, name: string): CachedObject | undefined {
    return this.#records.get(namespace === undefined ? name : `${namespace}/${name}`);
  }

  list({ namespace, matches }: Selection): readonly CachedObject[] {
    const { namespaced } = this.#options.factory;
    const records =
      namespace === undefined || !namespaced ? this.#records.all : this.#records.inNamespace(namespace);
    return matches ? records.filter(matches) : records;
  }

  ownedBy(uid: string): readonly CachedObject[] {
    return [...(this.#byOwner.get(uid) ?? [])];
  }

  reach(afterRevision: number): Promise<void> {
    if (this.#closed || afterRevision >= this.#ring.floor) return Promise.resolve();
    // One after the other: the first may reach far enough for the rest.
    this.#reaching = this.#reaching.then(() => this.#reachBack(afterRevision)).catch(() => {});
    return this.#reaching;
  }

  async #reachBack(afterRevision: number): Promise<void> {
    const { factory, history, limits, nowMs } = this.#options;
    const ring = this.#ring;
    const { floor } = ring;
    if (this.#closed || afterRevision >= floor) return;
    const found = await history.changes(afterRevision, limits.ringEvents + 1);
    const changes = found.filter(({ revision }) => revision <= floor);
    if (found.length > limits.ringEvents && changes.length === found.length) return;
    const newest = new Map<string, CacheRecord | undefined>();
    const events: PastEvent[] = [];
    for (const change of changes) {
      if (!newest.has(change.key)) {
        const old = await history.get(change.key, afterRevision);
        newest.set(change.key, old && createRecord(factory, old));
      }
      const before = newest.get(change.key);
      const after = change.type === 'put' ? createRecord(factory, change) : undefined;
      newest.set(change.key, after);
      events.push({ revision: change.revision, before, after, atMs: nowMs() });
    }
    // Events may have left the ring meanwhile; then there is a gap, and the watcher has to list.
    const fits = !this.#closed && this.#ring === ring && ring.floor === floor;
    const target = fits ? ring : new EventRing(limits, floor);
    target.prepend(events, afterRevision);
    if (!fits) target.clear();
  }

  watch(selection: Selection, afterRevision: number, watcher: Watcher): WatchHandle {
    if (this.#closed) throw closedError();
    if (afterRevision < this.#ring.floor) {
      throw apiError('Expired', `too old resource version: ${afterRevision} (${this.#ring.floor})`);
    }
    const subscription = { selection, watcher, after: afterRevision };
    for (const past of this.#ring.after(afterRevision)) {
      deliver(subscription, new Dispatch(past));
      subscription.after = past.revision;
    }
    this.#subscriptions.add(subscription);
    return { stop: () => this.#subscriptions.delete(subscription) };
  }

  close(): void {
    this.#end(closedError());
  }

  end(): void {
    this.#end(undefined);
  }

  endWatches(): void {
    const subscriptions = [...this.#subscriptions];
    this.#subscriptions.clear();
    for (const { watcher } of subscriptions) watcher.closed(undefined);
  }

  #end(why: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onClose();
    const subscriptions = [...this.#subscriptions];
    this.#subscriptions.clear();
    for (const { watcher } of subscriptions) watcher.closed(why);
    this.#ring.clear();
  }

  /** Takes in an object as a page of the first list shows it. */
  load(entry: { key: string; value: Uint8Array; revision: number }): void {
    this.#put(createRecord(this.#options.factory, entry))?.release();
  }

  /**
   * Ends loading. Later pages are newer than earlier ones, so of the changes seen meanwhile each counts unless its
   * page showed it or a later one already. Nobody can resume from before.
   */
  complete(meanwhile: readonly Change[]): void {
    const { prefix } = this.#options.factory;
    for (const change of meanwhile) {
      const path = change.key.slice(prefix.length);
      if ((this.#records.get(path)?.revision ?? 0) >= change.revision) continue;
      if (change.type === 'put') this.load(change);
      else this.#remove(path)?.release();
    }
    this.#ring = new EventRing(this.#options.limits, this.revision);
  }

  apply(change: Change): void {
    const { factory, nowMs } = this.#options;
    const after = change.type === 'put' ? createRecord(factory, change, true) : undefined;
    const before = after ? this.#put(after) : this.#remove(change.key.slice(factory.prefix.length));
    if (!after && !before) return;
    const past: PastEvent = { revision: change.revision, before, after, atMs: nowMs() };
    this.#ring.push(past);
    // The cache's own hold on it; the ring has one now.
    before?.release();
    if (this.#subscriptions.size === 0) return;
    const dispatch = new Dispatch(past);
    // Whoever leaves meanwhile is passed over; whoever comes knows of this change already.
    for (const subscription of this.#subscriptions) deliver(subscription, dispatch);
  }

  #put(record: CacheRecord): CacheRecord | undefined {
    const before = this.#records.set(record.hold());
    if (before) this.#disown(before);
    for (const owner of record.owners) {
      const owned = this.#byOwner.get(owner);
      if (owned) owned.add(record);
      else this.#byOwner.set(owner, new Set([record]));
    }
    return before;
  }

  #remove(path: string): CacheRecord | undefined {
    const before = this.#records.delete(path);
    if (before) this.#disown(before);
    return before;
  }

  #disown(record: CacheRecord): void {
    for (const owner of record.owners) {
      const owned = this.#byOwner.get(owner);
      owned?.delete(record);
      if (owned?.size === 0) this.#byOwner.delete(owner);
    }
  }
}

/** One change on its way to the watchers: each kind of event is made once for all who see it that way. */
class Dispatch {
  readonly past: PastEvent;
  #added: CacheEvent | undefined;
  #modified: CacheEvent | undefined;
  #deleted: CacheEvent | undefined;

  constructor(past: PastEvent) {
    this.past = past;
  }

  /** What a watcher sees whose selection held `before`, `after`, both or neither. */
  eventFor(selected: { before: boolean; after: boolean }): CacheEvent | undefined {
    const { before, after, revision } = this.past;
    if (selected.after && after) {
      if (selected.before) this.#modified ??= new EncodedEvent('MODIFIED', after, after);
      else this.#added ??= new EncodedEvent('ADDED', after, after);
      return selected.before ? this.#modified : this.#added;
    }
    if (!selected.before || !before) return undefined;
    this.#deleted ??= new EncodedEvent('DELETED', new DeletedRecord(before, revision), before);
    return this.#deleted;
  }
}

class EncodedEvent implements CacheEvent {
  readonly type: CacheEvent['type'];
  readonly object: CachedObject;
  readonly #record: CacheRecord;
  #frame: Buffer | undefined;

  constructor(type: CacheEvent['type'], object: CachedObject, record: CacheRecord) {
    this.type = type;
    this.object = object;
    this.#record = record;
  }

  frame(): Buffer {
    this.#frame ??= encodeFrame(this.type, this.#record, this.object.revision);
    return this.#frame;
  }
}

function encodeFrame(type: CacheEvent['type'], record: CacheRecord, revision: number): Buffer {
  const { stored, offset } = record;
  const text = revisionText(stored, offset, revision);
  const head = `{"type":"${type}","object":`;
  const frame = Buffer.allocUnsafeSlow(head.length + stored.length + text.length + 2);
  frame.write(head, 'latin1');
  spliceInto(frame, head.length, { stored, offset, text });
  frame.write('}\n', frame.length - 2, 'latin1');
  return frame;
}

function deliver({ selection, watcher, after: known }: Subscription, dispatch: Dispatch): void {
  const { before, after, revision } = dispatch.past;
  if (revision <= known) return;
  const event = dispatch.eventFor({ before: selects(selection, before), after: selects(selection, after) });
  if (event) watcher.event(event);
}

function selects({ namespace, matches }: Selection, object: CachedObject | undefined): boolean {
  if (!object) return false;
  if (namespace !== undefined && object.namespace !== undefined && object.namespace !== namespace)
    return false;
  return matches?.(object) ?? true;
}

function closedError(): Error {
  return apiError('ServiceUnavailable', 'the watch cache is closed; try again');
}
