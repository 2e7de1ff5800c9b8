import type { KubeObject } from '../../api/resource.ts';

/**
 * The newest state of one resource, held as encoded JSON outside the V8 heap beside a small record, and the recent
 * events. Reads splice bytes: nothing is parsed or stringified.
 */
export interface WatchCache {
  /** Every change at or below this revision is reflected. Moves with the whole store, not this resource alone. */
  readonly revision: number;
  readonly size: number;
  get(namespace: string | undefined, name: string): CachedObject | undefined;
  /** In key order (namespace, then name). */
  list(selection: Selection): readonly CachedObject[];
  /** Objects one of whose ownerReferences has this uid. */
  ownedBy(uid: string): readonly CachedObject[];
  /**
   * Brings back events after `afterRevision` from the datastore where they are still there, so that a watcher from
   * before a restart can resume. Never rejects: what cannot be had makes `watch` answer 410.
   */
  reach(afterRevision: number): Promise<void>;
  /**
   * Delivers matching events after `afterRevision`, past ones first. Throws a 410 `ApiError` (reason `Expired`)
   * when they are no longer held. Calls are synchronous and in revision order; `watcher` must not throw.
   */
  watch(selection: Selection, afterRevision: number, watcher: Watcher): WatchHandle;
  close(): void;
  /** The resource is no longer served: like `close`, but watches end as if their time were up. */
  end(): void;
  /** Every watch ends as if its time were up, since objects are shown differently from now on. */
  endWatches(): void;
}

export interface Selection {
  readonly namespace?: string | undefined;
  /** Labels and selectable fields only; must be cheap. All by default. */
  readonly matches?: (object: CachedObject) => boolean;
}

export interface Watcher {
  /** What the selection sees: an object that enters it is ADDED, one that leaves it DELETED (client-go semantics). */
  event(event: CacheEvent): void;
  /**
   * The cache gave this watcher up (too slow, closing); no more events follow. Without an error the watch ends as if its
   * time were up.
   */
  closed(error: Error | undefined): void;
}

export interface CacheEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** For DELETED the last state, with the revision of the deletion. */
  readonly object: CachedObject;
  /** The whole `{"type":…,"object":…}\n` line, encoded once however many watchers there are. */
  frame(): Buffer;
}

export interface WatchHandle {
  stop(): void;
}

export interface CachedObject {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
  readonly revision: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The resource's selectable fields, `metadata.name` and `metadata.namespace` included. */
  readonly fields: Readonly<Record<string, string>>;
  readonly owners: readonly string[];
  /** As stored. */
  readonly apiVersion: string;
  /** Whole JSON text of the object, `metadata.resourceVersion` spliced in. Never changed after it is handed out. */
  json(): Buffer;
  /** Length of `json()`. */
  readonly jsonBytes: number;
  /** Writes `json()` into `target` at `at`, where there must be room. */
  writeJson(target: Buffer, at: number): void;
  /** Parsed, shared and read-only; kept only as long as someone holds it. */
  object(): KubeObject;
}
