import type { KubeObject, Resource } from '../api/resource.ts';

/** Gives one shared informer per resource and options; all stop when the factory does. */
export interface InformerFactory {
  for<T extends KubeObject>(resource: Resource<T>, options?: InformerOptions): Informer<T>;
  /** Starts those asked for so far and later; resolves when every one asked for so far has synced. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** List, then watch, then relist on 410, for ever, with back-off: a local copy and its changes (client-go Reflector). */
export interface Informer<T extends KubeObject> {
  readonly store: Store<T>;
  readonly hasSynced: boolean;
  synced(): Promise<void>;
  /**
   * Present objects arrive as adds first. `old` is what the store held. Handlers must not throw, must not block
   * and must not change objects. Returns a function that removes the handler.
   */
  onChange(handler: ChangeHandler<T>): () => void;
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
