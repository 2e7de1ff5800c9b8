import type { KubeObject, Resource } from '../api/resource.ts';
import type { ListMeta } from '../api/types.gen.ts';

/**
 * One client for everything that reads or writes the API: controllers, scheduler, agent, commands. Implemented
 * in process (no HTTP, TLS or JSON in between) and over HTTPS; both pass `test/contract/client.ts`.
 * Failures reject with `ApiError`. **Objects received are read-only and may be shared**: copy before changing.
 */
export interface Client {
  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: GetOptions): Promise<T>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<KubeList<T>>;
  /**
   * Events after `options.resourceVersion` until `options.signal` aborts (the iteration then ends quietly) or the
   * watch breaks (it throws; `isGone(error)` means relist).
   */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Replaces; `metadata.resourceVersion`, where set, must still be current. */
  update<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<T>;
  delete<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  deleteCollection<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & DeleteOptions,
  ): Promise<void>;
  /** POST to a subresource such as `pods/binding`, `pods/eviction`, `serviceaccounts/token`. */
  createSubresource<T extends KubeObject, B, R = B>(
    resource: Resource<T>,
    ref: ObjectRef,
    subresource: string,
    body: B,
  ): Promise<R>;
}

export interface ObjectRef {
  readonly name: string;
  readonly namespace?: string | undefined;
}

export interface GetOptions {
  readonly subresource?: string;
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number;
  readonly continue?: string;
  /** `0`: anything cached will do. */
  readonly resourceVersion?: string;
  readonly signal?: AbortSignal;
}

export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  readonly signal: AbortSignal;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Nothing older than this revision is still to come. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WriteOptions {
  readonly subresource?: 'status' | 'scale' | (string & {});
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export type Patch =
  | { readonly type: 'json'; readonly body: readonly object[] }
  | { readonly type: 'merge' | 'strategic'; readonly body: object }
  | { readonly type: 'apply'; readonly body: object; readonly force?: boolean };

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export interface KubeList<T> {
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}
