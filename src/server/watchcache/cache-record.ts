import type { KubeObject } from '../../api/resource.ts';
import type { Interner } from './interner.ts';
import type { CachedObject } from './port.ts';
import type { Slabs, Slot } from './slabs.ts';
import { revisionOffset, type StoredBytes, withRevision } from './stored-object.ts';

export type SelectableFields = Readonly<Record<string, (object: never) => string>>;

/** Makes records; one for each resource. */
export interface RecordFactory {
  readonly prefix: string;
  readonly namespaced: boolean;
  readonly selectableFields: SelectableFields;
  readonly slabs: Slabs;
  readonly interner: Interner;
}

export interface StoredVersion {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

/**
 * One version of one object: what selections and indexes ask about, and where its bytes lie. The cache and the ring
 * of events hold it; with the last hold its bytes go.
 */
export class CacheRecord implements CachedObject {
  /** Key below the resource's prefix: `namespace/name` or `name`. */
  readonly path: string;
  readonly namespace: string | undefined;
  readonly uid: string;
  readonly revision: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly owners: readonly string[];
  readonly #slot: Slot;
  readonly #offset: number;
  readonly #selectable: readonly string[];
  readonly #factory: RecordFactory;
  #holds = 0;
  /** The bytes, once the slot is gone and somebody still had the record. */
  #kept: StoredBytes | undefined;
  #fields: Readonly<Record<string, string>> | undefined;
  #parsed: WeakRef<KubeObject> | undefined;

  constructor(factory: RecordFactory, version: StoredVersion) {
    const { interner, slabs } = factory;
    this.#factory = factory;
    this.path = version.key.slice(factory.prefix.length);
    const slash = factory.namespaced ? this.path.indexOf('/') : -1;
    this.namespace = slash < 0 ? undefined : interner.string(this.path.slice(0, slash));
    this.revision = version.revision;
    const { value } = version;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const object = parse({ buffer: bytes, start: 0, length: bytes.length }, version.revision);
    const { uid = '', labels, ownerReferences } = object.metadata;
    this.uid = uid;
    this.labels = interner.map(labels);
    this.owners = ownerReferences?.length ? ownerReferences.map((owner) => interner.string(owner.uid)) : NONE;
    const readers = Object.values(factory.selectableFields);
    this.#selectable =
      readers.length === 0 ? NONE : readers.map((read) => interner.string(read(object as never) ?? ''));
    this.#offset = revisionOffset(bytes);
    this.#slot = slabs.store(bytes);
    this.#parsed = new WeakRef(object);
  }

  get name(): string {
    return this.namespace === undefined ? this.path : this.path.slice(this.namespace.length + 1);
  }

  get fields(): Readonly<Record<string, string>> {
    // Kept once asked for: a watcher with a field selector asks at every change.
    this.#fields ??= this.#readFields();
    return this.#fields;
  }

  #readFields(): Readonly<Record<string, string>> {
    const fields: Record<string, string> = {
      'metadata.name': this.name,
      'metadata.namespace': this.namespace ?? '',
    };
    Object.keys(this.#factory.selectableFields).forEach((field, index) => {
      fields[field] = this.#selectable[index] ?? '';
    });
    return fields;
  }

  get sizeBytes(): number {
    return this.stored.length;
  }

  get stored(): StoredBytes {
    return this.#kept ?? this.#slot;
  }

  /** Where `resourceVersion` goes in `stored`. */
  get offset(): number {
    return this.#offset;
  }

  json(): Buffer {
    return withRevision(this.stored, this.#offset, this.revision);
  }

  object(): KubeObject {
    const known = this.#parsed?.deref();
    if (known) return known;
    const object = parse(this.stored, this.revision);
    this.#parsed = new WeakRef(object);
    return object;
  }

  hold(): this {
    this.#holds++;
    return this;
  }

  /** The last release gives the bytes' room back; a reader that kept the record still finds them. */
  release(): void {
    if (--this.#holds > 0) return;
    const { buffer, start, length } = this.#slot;
    this.#kept = { buffer, start, length };
    this.#factory.slabs.release(this.#slot);
  }
}

/** An object as its deletion shows it: the last state with the revision of the deletion. */
export class DeletedRecord implements CachedObject {
  readonly #last: CacheRecord;
  readonly revision: number;
  #parsed: KubeObject | undefined;

  constructor(last: CacheRecord, revision: number) {
    this.#last = last;
    this.revision = revision;
  }
  get namespace(): string | undefined {
    return this.#last.namespace;
  }
  get name(): string {
    return this.#last.name;
  }
  get uid(): string {
    return this.#last.uid;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#last.labels;
  }
  get fields(): Readonly<Record<string, string>> {
    return this.#last.fields;
  }
  get owners(): readonly string[] {
    return this.#last.owners;
  }
  json(): Buffer {
    return withRevision(this.#last.stored, this.#last.offset, this.revision);
  }
  object(): KubeObject {
    this.#parsed ??= parse(this.#last.stored, this.revision);
    return this.#parsed;
  }
}

const NONE: readonly string[] = Object.freeze([]);

function parse({ buffer, start, length }: StoredBytes, revision: number): KubeObject {
  const object = JSON.parse(buffer.toString('utf8', start, start + length)) as KubeObject;
  object.metadata.resourceVersion = String(revision);
  return object;
}
