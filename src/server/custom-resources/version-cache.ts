import type { KubeObject } from '../../api/resource.ts';
import type {
  CachedObject,
  CacheEvent,
  Selection,
  WatchCache,
  Watcher,
  WatchHandle,
} from '../watchcache/port.ts';
import { withApiVersion } from '../watchcache/stored-object.ts';

/**
 * The cache of a resource as one of its versions shows it where versions differ in nothing but `apiVersion` (conversion
 * strategy `None`): what is stored so is handed on as it is, the rest gets another `apiVersion` in front.
 */
export function versionCache(base: WatchCache, apiVersion: string): WatchCache {
  const shown = new WeakMap<CachedObject, CachedObject>();
  const show = (object: CachedObject): CachedObject => {
    if (object.apiVersion === apiVersion) return object;
    let other = shown.get(object);
    if (!other) {
      other = new InVersion(object, apiVersion);
      shown.set(object, other);
    }
    return other;
  };
  const events = new WeakMap<CacheEvent, CacheEvent>();
  const showEvent = (event: CacheEvent): CacheEvent => {
    const object = show(event.object);
    if (object === event.object) return event;
    let other = events.get(event);
    if (!other) {
      other = new EventInVersion(event.type, object);
      events.set(event, other);
    }
    return other;
  };
  return {
    get revision() {
      return base.revision;
    },
    get size() {
      return base.size;
    },
    get(namespace, name) {
      const found = base.get(namespace, name);
      return found && show(found);
    },
    list: (selection: Selection) => base.list(selection).map(show),
    ownedBy: (uid) => base.ownedBy(uid).map(show),
    reach: (afterRevision) => base.reach(afterRevision),
    watch(selection: Selection, afterRevision: number, watcher: Watcher): WatchHandle {
      return base.watch(selection, afterRevision, {
        event: (event) => watcher.event(showEvent(event)),
        closed: (error) => watcher.closed(error),
      });
    },
    close: () => base.close(),
    end: () => base.end(),
    endWatches: () => base.endWatches(),
  };
}

class InVersion implements CachedObject {
  readonly #stored: CachedObject;
  readonly apiVersion: string;

  constructor(stored: CachedObject, apiVersion: string) {
    this.#stored = stored;
    this.apiVersion = apiVersion;
  }
  get namespace(): string | undefined {
    return this.#stored.namespace;
  }
  get name(): string {
    return this.#stored.name;
  }
  get uid(): string {
    return this.#stored.uid;
  }
  get revision(): number {
    return this.#stored.revision;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#stored.labels;
  }
  get fields(): Readonly<Record<string, string>> {
    return this.#stored.fields;
  }
  get owners(): readonly string[] {
    return this.#stored.owners;
  }
  json(): Buffer {
    return withApiVersion(this.#stored.json(), this.apiVersion);
  }
  get jsonBytes(): number {
    return this.#stored.jsonBytes - this.#stored.apiVersion.length + this.apiVersion.length;
  }
  writeJson(target: Buffer, at: number): void {
    target.set(this.json(), at);
  }
  object(): KubeObject {
    return { ...this.#stored.object(), apiVersion: this.apiVersion };
  }
}

const TAIL = Buffer.from('}\n');

class EventInVersion implements CacheEvent {
  readonly type: CacheEvent['type'];
  readonly object: CachedObject;
  #frame: Buffer | undefined;

  constructor(type: CacheEvent['type'], object: CachedObject) {
    this.type = type;
    this.object = object;
  }
  frame(): Buffer {
    const head = Buffer.from(`{"type":"${this.type}","object":`);
    this.#frame ??= Buffer.concat([head, this.object.json(), TAIL]);
    return this.#frame;
  }
}
