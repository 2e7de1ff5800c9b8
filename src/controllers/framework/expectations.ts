import type { KubeObject } from '../../api/resource.ts';
import type { Store } from '../../client/informer.ts';

interface Pending {
  /** Newest revision that our own writes made. */
  revision: bigint;
  /** Uid and place of what we deleted. */
  readonly deleted: Map<string, { namespace: string | undefined; name: string }>;
}

/**
 * Remembers what a controller wrote until its store shows it, so that a stale store cannot make it act twice
 * (upstream's ControllerExpectations). Revisions of one server are ordered numbers (KEP-5504), and a store that has
 * reached the revision of a write has seen it: nothing here needs a timeout.
 */
export class Expectations<T extends KubeObject> {
  readonly #store: Store<T>;
  readonly #pending = new Map<string, Pending>();

  constructor(store: Store<T>) {
    this.#store = store;
  }

  /** `object` is what the server returned for a create, update or patch. */
  wrote(key: string, object: KubeObject): void {
    const pending = this.#of(key);
    const revision = revisionOf(object.metadata.resourceVersion);
    if (revision > pending.revision) pending.revision = revision;
  }

  deleted(key: string, object: KubeObject): void {
    const { uid = '', namespace, name = '' } = object.metadata;
    this.#of(key).deleted.set(uid, { namespace, name });
  }

  /** True once the store shows everything that was written for this key. */
  met(key: string): boolean {
    const pending = this.#pending.get(key);
    if (!pending) return true;
    if (pending.revision > revisionOf(this.#store.resourceVersion)) return false;
    for (const [uid, { namespace, name }] of pending.deleted) {
      const now = this.#store.get(namespace, name)?.metadata;
      if (now?.uid === uid && !now.deletionTimestamp) return false;
    }
    this.#pending.delete(key);
    return true;
  }

  forget(key: string): void {
    this.#pending.delete(key);
  }

  #of(key: string): Pending {
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = { revision: 0n, deleted: new Map() };
      this.#pending.set(key, pending);
    }
    return pending;
  }
}

/** How long to wait before looking again when a store lags; its events usually come first. */
export const STALE_STORE_MS = 1000;

function revisionOf(text: string | undefined): bigint {
  return text && /^\d+$/.test(text) ? BigInt(text) : 0n;
}
