import type { KubeObject } from '../api/resource.ts';
import type { OwnerReference } from '../api/types.gen.ts';
import type { Store } from './informer.ts';

/** The one owner that controls an object, if any. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** A `Store` that its informer fills: by namespace and name, indexed by owner. */
export class ObjectStore<T extends KubeObject> implements Store<T> {
  readonly #namespaces = new Map<string, Map<string, T>>();
  readonly #owners = new Map<string, Set<T>>();
  /** What nobody controls, by namespace. Made when somebody first asks: of most stores nobody does. */
  #uncontrolled: Map<string, Set<T>> | undefined;
  #size = 0;
  resourceVersion = '';

  get size(): number {
    return this.#size;
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#namespaces.get(namespace ?? '')?.get(name);
  }

  list(namespace?: string): readonly T[] {
    if (namespace !== undefined) return [...(this.#namespaces.get(namespace)?.values() ?? [])];
    const all: T[] = [];
    for (const objects of this.#namespaces.values()) for (const object of objects.values()) all.push(object);
    return all;
  }

  ownedBy(uid: string): readonly T[] {
    return [...(this.#owners.get(uid) ?? [])];
  }

  uncontrolled(namespace: string): readonly T[] {
    this.#uncontrolled ??= this.#findUncontrolled();
    return [...(this.#uncontrolled.get(namespace) ?? [])];
  }

  /** Stores one object and returns what it replaces. */
  set(object: T): T | undefined {
    const { namespace = '', name = '' } = object.metadata;
    let objects = this.#namespaces.get(namespace);
    if (!objects) {
      objects = new Map();
      this.#namespaces.set(namespace, objects);
    }
    const old = objects.get(name);
    objects.set(name, object);
    if (old) this.#unindex(old);
    else this.#size++;
    const { ownerReferences } = object.metadata;
    if (ownerReferences) for (const { uid } of ownerReferences) addTo(this.#owners, uid, object);
    if (this.#uncontrolled && !controllerOf(object)) addTo(this.#uncontrolled, namespace, object);
    return old;
  }

  /** Removes what has this object's namespace and name and returns it. */
  remove(object: KubeObject): T | undefined {
    const { namespace = '', name = '' } = object.metadata;
    const objects = this.#namespaces.get(namespace);
    const old = objects?.get(name);
    if (!objects || !old) return undefined;
    objects.delete(name);
    if (objects.size === 0) this.#namespaces.delete(namespace);
    this.#unindex(old);
    this.#size--;
    return old;
  }

  #unindex(object: T): void {
    const { namespace = '', ownerReferences } = object.metadata;
    if (ownerReferences) for (const { uid } of ownerReferences) removeFrom(this.#owners, uid, object);
    if (this.#uncontrolled) removeFrom(this.#uncontrolled, namespace, object);
  }

  #findUncontrolled(): Map<string, Set<T>> {
    const found = new Map<string, Set<T>>();
    for (const [namespace, objects] of this.#namespaces)
      for (const object of objects.values()) if (!controllerOf(object)) addTo(found, namespace, object);
    return found;
  }
}

function addTo<T>(index: Map<string, Set<T>>, key: string, object: T): void {
  const indexed = index.get(key);
  if (indexed) indexed.add(object);
  else index.set(key, new Set([object]));
}

function removeFrom<T>(index: Map<string, Set<T>>, key: string, object: T): void {
  const indexed = index.get(key);
  indexed?.delete(object);
  if (indexed?.size === 0) index.delete(key);
}
