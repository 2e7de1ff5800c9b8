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
  /** Owner uid, or `/namespace` for what nobody controls. Uids hold no slash. */
  readonly #owners = new Map<string, Set<T>>();
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
    return [...(this.#owners.get(`/${namespace}`) ?? [])];
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
    for (const key of indexKeys(object)) {
      const owned = this.#owners.get(key);
      if (owned) owned.add(object);
      else this.#owners.set(key, new Set([object]));
    }
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
    for (const key of indexKeys(object)) {
      const owned = this.#owners.get(key);
      owned?.delete(object);
      if (owned?.size === 0) this.#owners.delete(key);
    }
  }
}

function indexKeys(object: KubeObject): string[] {
  const keys = (object.metadata.ownerReferences ?? []).map(({ uid }) => uid);
  if (!controllerOf(object)) keys.push(`/${object.metadata.namespace ?? ''}`);
  return keys;
}
