import type { KubeObject, Resource } from '../api/resource.ts';
import type { Keep } from './kept-copies.ts';

/** Gives one shared informer per resource and options; all stop when the factory does. */
export interface InformerFactory {
  for<T extends KubeObject>(resource: Resource<T>, options?: InformerOptions<T>): Informer<T>;
  /** Starts those asked for so far and later; resolves when every one asked for so far has synced, or on `stop`. */
  start(): Promise<void>;
  /** The server can be reached again: what waits after failures tries now. */
  retry(): void;
  stop(): Promise<void>;
}

export interface InformerOptions<T extends KubeObject = KubeObject> {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /**
   * Keeps only what its readers need; must not change its argument. Informers are shared by identity of this
   * function, so give a constant one. Without it `metadata.managedFields` is dropped and the rest kept.
   */
  readonly transform?: (object: T) => T;
  /**
   * Keeps a copy on the disk, where the factory has a place for it: when the server does not answer, the informer counts
   * as synced with what it last knew, and goes on from there when the server is back. No part of the identity.
   */
  readonly keep?: Keep;
}

/** List, then watch, then relist on 410, for ever, with back-off: a local copy and its changes (client-go Reflector). */
export interface Informer<T extends KubeObject> {
  readonly store: Store<T>;
  readonly hasSynced: boolean;
  /** Resolves with the first complete list; rejects when the informer stops before it had one. */
  synced(): Promise<void>;
  /**
   * Present objects arrive as adds first. `old` is what the store held. Handlers must not throw, must not block
   * and must not change objects. Returns a function that removes the handler.
   */
  onChange(handler: ChangeHandler<T>): () => void;
  /** Ends this informer alone; asking the factory again gives a new one. For resources that are no longer served. */
  stop(): Promise<void>;
}

export interface ChangeHandler<T> {
  add?(object: T): void;
  update?(object: T, old: T): void;
  delete?(object: T): void;
}

export interface Store<T extends KubeObject> {
  get(namespace: string | undefined, name: string): T | undefined;
  list(namespace?: string): readonly T[];
  /** Objects whose controller or any owner has this uid. */
  ownedBy(uid: string): readonly T[];
  /** Objects of a namespace that have no controlling owner. */
  uncontrolled(namespace: string): readonly T[];
  /** Every change up to this revision is in the store; empty before the first list. */
  readonly resourceVersion: string;
  readonly size: number;
}

/** `namespace/name`, or `name` for cluster-scoped objects; the form work queues carry. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : (name ?? '');
}

export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const at = key.indexOf('/');
  return at < 0
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, at), name: key.slice(at + 1) };
}
