import { copyJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { Interner } from './interner.ts';
import type { CachedObject } from './port.ts';
import type { Keeper, RecentObjects } from './recent-objects.ts';
import type { Slabs, Slot } from './slabs.ts';
import {
  apiVersionOf,
  encodeForStorage,
  lengthWithRevision,
  revisionOffset,
  type StoredBytes,
  withRevision,
  writeWithRevision,
} from './stored-object.ts';

export type SelectableFields = Readonly<Record<string, (object: never) => string>>;

/** Makes records; one for each resource. */
export interface RecordFactory {
  readonly prefix: string;
  readonly namespaced: boolean;
  readonly selectableFields: SelectableFields;
  /** The values of `selectableFields`. */
  readonly readers: readonly ((object: never) => string)[];
  readonly slabs: Slabs;
  readonly interner: Interner;
  readonly recent: RecentObjects;
  /** What objects are brought to that an earlier schema let in; none where schemas never change. */
  readonly upkeep?: (() => Upkeep) | undefined;
}

/** Brings stored objects to what their schema asks for now, which may have changed since they were written. */
export interface Upkeep {
  /** Objects of later revisions were written under this schema and need nothing. */
  readonly sinceRevision: number;
  /** Changes `object` in place; true when it did. Never throws. */
  readonly bring: (object: KubeObject) => boolean;
}

export interface StoredVersion {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  /** The object that `value` was made of; whoever gives it away changes it no more. */
  readonly decoded?: object | undefined;
}

/**
 * One version of one object: what selections and indexes ask about, and where its bytes lie. The cache and the ring
 * of events hold it; with the last hold its bytes go.
 */
export class CacheRecord implements CachedObject, Keeper {
  /** Key below the resource's prefix: `namespace/name` or `name`. */
  readonly path: string;
  readonly namespace: string | undefined;
  readonly uid: string;
  readonly revision: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly owners: readonly string[];
  #slot: Slot;
  #offset: number;
  readonly #selectable: readonly string[];
  readonly #factory: RecordFactory;
  #holds = 0;
  /** The bytes, once the slot is gone and somebody still had the record. */
  #kept: StoredBytes | undefined;
  #fields: Readonly<Record<string, string>> | undefined;
  #parsed: KubeObject | undefined;

  constructor(factory: RecordFactory, version: StoredVersion, isNew: boolean) {
    const { interner, slabs } = factory;
    this.#factory = factory;
    this.path = version.key.slice(factory.prefix.length);
    const slash = factory.namespaced ? this.path.indexOf('/') : -1;
    this.namespace = slash < 0 ? undefined : interner.string(this.path.slice(0, slash));
    this.revision = version.revision;
    const { value } = version;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const object = version.decoded
      ? atRevision(version.decoded as KubeObject, version.revision)
      : parse({ buffer: bytes, start: 0, length: bytes.length }, version.revision);
    const { uid = '', labels, ownerReferences } = object.metadata;
    this.uid = uid;
    this.labels = interner.map(labels);
    this.owners = ownerReferences?.length ? ownerReferences.map((owner) => interner.string(owner.uid)) : NONE;
    const { readers } = factory;
    this.#selectable =
      readers.length === 0 ? NONE : readers.map((read) => interner.string(read(object as never) ?? ''));
    this.#offset = revisionOffset(bytes);
    this.#slot = slabs.store(bytes);
    // Not while a cache fills: few of so many are asked for, and held weakly they would all become old garbage.
    if (isNew) this.#remember(object, bytes.length);
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

  /** Stays the same for as long as the record lives. */
  get sizeBytes(): number {
    return this.#slot.length;
  }

  get apiVersion(): string {
    return apiVersionOf(this.stored);
  }

  get stored(): StoredBytes {
    return this.#kept ?? this.#slot;
  }

  /** Where `resourceVersion` goes in `stored`. */
  get offset(): number {
    return this.#offset;
  }

  json(): Buffer {
    return withRevision(this.stored, this.offset, this.revision);
  }

  get jsonBytes(): number {
    return lengthWithRevision(this.stored, this.offset, this.revision);
  }
  writeJson(target: Buffer, at: number): void {
    writeWithRevision(target, at, { stored: this.stored, offset: this.offset, revision: this.revision });
  }

  object(): KubeObject {
    if (this.#parsed) return this.#parsed;
    const { stored } = this;
    const object = parse(stored, this.revision);
    this.#remember(object, stored.length);
    return object;
  }

  #remember(object: KubeObject, sizeBytes: number): void {
    this.#parsed = object;
    this.#factory.recent.keep(this, object, sizeBytes);
  }

  forget(object: KubeObject): void {
    if (this.#parsed === object) this.#parsed = undefined;
  }

  /** Puts other bytes in the place of those that were stored; the revision stays. */
  protected replace(object: KubeObject): void {
    const bytes = encodeForStorage(object);
    const before = this.#slot;
    this.#offset = revisionOffset(bytes);
    this.#remember(object, bytes.length);
    if (this.#kept) {
      this.#kept = { buffer: bytes, start: 0, length: bytes.length };
      return;
    }
    this.#slot = this.#factory.slabs.store(bytes);
    this.#factory.slabs.release(before);
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

type KeepingFactory = RecordFactory & { readonly upkeep: () => Upkeep };

/** A record of a resource whose schema may change: what it shows is always as the schema of now wants it. */
class KeptRecord extends CacheRecord {
  readonly #upkeep: () => Upkeep;
  readonly #sizeBytes: number;
  /** The schema under which the bytes are right. */
  #done: Upkeep | undefined;

  constructor(factory: KeepingFactory, version: StoredVersion, isNew: boolean) {
    super(factory, version, isNew);
    this.#upkeep = factory.upkeep;
    this.#sizeBytes = version.value.length;
    const upkeep = this.#upkeep();
    if (!isNew && version.revision > upkeep.sinceRevision) this.#done = upkeep;
    else this.#bring();
  }

  override get sizeBytes(): number {
    return this.#sizeBytes;
  }
  override get stored(): StoredBytes {
    this.#bring();
    return super.stored;
  }
  override get offset(): number {
    this.#bring();
    return super.offset;
  }
  override object(): KubeObject {
    this.#bring();
    return super.object();
  }

  #bring(): void {
    const upkeep = this.#upkeep();
    if (this.#done === upkeep) return;
    this.#done = upkeep;
    // What others hold must not change under them.
    const object = copyJson(super.object());
    if (upkeep.bring(object)) this.replace(object);
  }
}

/** `isNew`: just written, perhaps under a schema that changed at the same time. */
export function createRecord(factory: RecordFactory, version: StoredVersion, isNew = false): CacheRecord {
  if (keepsUp(factory)) return new KeptRecord(factory, version, isNew);
  return new CacheRecord(factory, version, isNew);
}

function keepsUp(factory: RecordFactory): factory is KeepingFactory {
  return factory.upkeep !== undefined;
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
  get apiVersion(): string {
    return this.#last.apiVersion;
  }
  json(): Buffer {
    return withRevision(this.#last.stored, this.#last.offset, this.revision);
  }
  get jsonBytes(): number {
    return lengthWithRevision(this.#last.stored, this.#last.offset, this.revision);
  }
  writeJson(target: Buffer, at: number): void {
    writeWithRevision(target, at, {
      stored: this.#last.stored,
      offset: this.#last.offset,
      revision: this.revision,
    });
  }
  object(): KubeObject {
    this.#parsed ??= parse(this.#last.stored, this.revision);
    return this.#parsed;
  }
}

const NONE: readonly string[] = Object.freeze([]);

function parse({ buffer, start, length }: StoredBytes, revision: number): KubeObject {
  return atRevision(JSON.parse(buffer.toString('utf8', start, start + length)) as KubeObject, revision);
}

function atRevision(object: KubeObject, revision: number): KubeObject {
  object.metadata.resourceVersion = String(revision);
  return object;
}
