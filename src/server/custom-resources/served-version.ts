import { apiVersionOf, type KubeObject, type Resource } from '../../api/resource.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import type { Engine, ObjectSchema, ServedResource } from '../registry/served-resource.ts';
import { keyPrefix, storageKey } from '../registry/storage-key.ts';
import type { WatchCache } from '../watchcache/port.ts';
import type { Conversions } from './conversions.ts';
import { storedApiVersion } from './converted-store.ts';
import type { CustomType } from './custom-type.ts';
import type { LazyCache } from './lazy-cache.ts';
import { versionCache } from './version-cache.ts';

/**
 * What objects look like that were stored in another version: as they are, with another `apiVersion` (strategy `None`), or
 * as a webhook makes them, which the cache shows already.
 */
export type Shows = 'asStored' | 'renamed' | Conversions;

/** One version of a custom resource as the engine works on it. Its cache opens late, so it is asked for each time. */
export class ServedVersion implements ServedResource {
  readonly definition: ResourceDefinition;
  readonly schema: ObjectSchema;
  readonly prefix: string;
  readonly engine: Engine;
  readonly custom: NonNullable<ServedResource['custom']>;
  readonly storage: ServedResource['storage'];
  readonly #source: LazyCache;
  /** Where the cache holds objects in any version: how this one shows them. */
  readonly #apiVersion: string | undefined;
  #view: { readonly base: WatchCache; readonly cache: WatchCache } | undefined;

  constructor(parts: {
    readonly type: CustomType;
    readonly resource: Resource;
    readonly source: LazyCache;
    readonly schema: ObjectSchema;
    readonly definition: ResourceDefinition;
    readonly engine: Engine;
    readonly isTerminating: () => boolean;
    readonly shows: Shows;
  }) {
    const { type, resource, source, isTerminating, shows } = parts;
    this.definition = parts.definition;
    this.schema = parts.schema;
    this.prefix = keyPrefix(resource);
    this.engine = parts.engine;
    this.custom = {
      definition: type.name,
      stamp: `${type.uid}/${type.generation}`,
      storageVersion: type.versions.find(({ name, served }) => served && name === type.storageVersion)?.name,
      isTerminating,
      convert: async (object, apiVersion) =>
        typeof shows === 'object'
          ? await shows.fromStored(type.name, object, apiVersion)
          : { ...object, apiVersion },
      count: () => (source.isOpen ? source.cache.size : undefined),
    };
    this.#source = source;
    const apiVersion = apiVersionOf(resource);
    const stored = apiVersionOf({ group: type.group, version: type.storageVersion });
    const isStale = async (namespace: string, name: string): Promise<boolean> => {
      const found = await this.engine.datastore.get(storageKey(this, namespace, name));
      return found !== undefined && storedApiVersion(found.value) !== stored;
    };
    if (typeof shows === 'object') {
      this.storage = {
        isStale,
        write: (object) => shows.toStored(type.name, object, stored),
        read: (object) => shows.fromStored(type.name, object, apiVersion),
      };
      return;
    }
    if (shows === 'asStored' || type.versions.length === 1) return;
    this.#apiVersion = apiVersion;
    this.storage = {
      isStale,
      write: (object: KubeObject) => ({ ...object, apiVersion: stored }),
      read: (object: KubeObject) => ({ ...object, apiVersion }),
    };
  }

  settled(): Promise<void> {
    return this.#source.settled();
  }

  get cache(): WatchCache {
    const base = this.#source.cache;
    if (this.#apiVersion === undefined) return base;
    if (this.#view?.base !== base) this.#view = { base, cache: versionCache(base, this.#apiVersion) };
    return this.#view.cache;
  }
}
