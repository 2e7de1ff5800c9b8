import type { JsonObject } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { Change, Datastore } from '../../datastore/port.ts';
import { apiVersionOf, encodeForStorage } from '../watchcache/stored-object.ts';
import type { CacheSource } from '../watchcache/watch-caches.ts';

/** Converts what is stored to the version the store shows. Rejects when it cannot. */
export type ConvertAll = (objects: readonly JsonObject[]) => Promise<readonly JsonObject[]>;

export interface ConvertedStoreOptions {
  readonly datastore: Datastore;
  /** Of the objects. */
  readonly prefix: string;
  readonly apiVersion: string;
  readonly convert: ConvertAll;
  /** A change could not be converted: nothing more is delivered, and what came of the store is no good any more. */
  readonly onFailure: (error: Error) => void;
}

/**
 * The datastore as one version of a custom resource sees it whose versions another program converts. Changes wait for
 * their conversion and for each other, so they arrive in order, but late: who has to see everything that was written
 * awaits `settled`.
 */
export class ConvertedStore implements CacheSource {
  readonly #options: ConvertedStoreOptions;
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  readonly #unsubscribe: () => void;
  #revision: number;
  #pending: Promise<void> | undefined;
  #isOver = false;

  constructor(options: ConvertedStoreOptions) {
    this.#options = options;
    this.#revision = options.datastore.revision;
    this.#unsubscribe = options.datastore.subscribe((changes) => this.#receive(changes));
  }

  /** Everything up to it was delivered. */
  get revision(): number {
    return this.#revision;
  }

  /** Resolves when everything that was committed until now is delivered, or will never be. */
  async settled(): Promise<void> {
    await this.#pending;
  }

  end(): void {
    this.#isOver = true;
    this.#unsubscribe();
    this.#listeners.clear();
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async list(options: Parameters<Datastore['list']>[0]): ReturnType<Datastore['list']> {
    const found = await this.#options.datastore.list(options);
    const entries = await this.#convert(found.entries);
    // What happened up to here must not come later than what the list shows.
    await this.settled();
    return { ...found, entries };
  }

  async get(key: string, revision?: number): ReturnType<Datastore['get']> {
    const found = await this.#options.datastore.get(key, revision);
    return found && (await this.#convert([found]))[0];
  }

  async changes(options: Parameters<Datastore['changes']>[0]): ReturnType<Datastore['changes']> {
    return await this.#convert(await this.#options.datastore.changes(options));
  }

  #receive(changes: readonly Change[]): void {
    const needsNothing = changes.every(
      ({ key, type, value }) => type === 'delete' || !this.#concerns(key) || !this.#isOther(value),
    );
    if (needsNothing && this.#pending === undefined) {
      this.#deliver(changes);
      return;
    }
    const turn = (this.#pending ?? Promise.resolve()).then(async () => {
      if (this.#isOver) return;
      const own = changes.filter(({ key, type }) => type === 'put' && this.#concerns(key));
      const results = await this.#convert(own);
      const converted = new Map(own.map((change, index) => [change, results[index]!]));
      this.#deliver(changes.map((change) => converted.get(change) ?? change));
    });
    const settled = turn.catch((error: unknown) => this.#fail(error as Error));
    this.#pending = settled;
    void settled.then(() => {
      if (this.#pending === settled) this.#pending = undefined;
    });
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.end();
    this.#options.onFailure(error);
  }

  #deliver(changes: readonly Change[]): void {
    if (this.#isOver) return;
    for (const listener of [...this.#listeners]) listener(changes);
    this.#revision = changes.at(-1)?.revision ?? this.#revision;
  }

  #concerns(key: string): boolean {
    return key.startsWith(this.#options.prefix);
  }

  /** Stored in another version. */
  #isOther(value: Uint8Array): boolean {
    return storedApiVersion(value) !== this.#options.apiVersion;
  }

  async #convert<T extends { readonly value: Uint8Array }>(entries: readonly T[]): Promise<T[]> {
    const results = [...entries];
    const others = entries.flatMap((entry, at) => (this.#isOther(entry.value) ? [at] : []));
    if (others.length === 0) return results;
    const converted = await this.#options.convert(others.map((at) => parse(entries[at]!.value)));
    others.forEach((at, index) => {
      const value = encodeForStorage(converted[index] as unknown as KubeObject);
      results[at] = { ...entries[at]!, value, decoded: undefined };
    });
    return results;
  }
}

const parse = (value: Uint8Array): JsonObject =>
  JSON.parse(Buffer.from(value).toString('utf8')) as JsonObject;

/** The version in which an object is stored. */
export function storedApiVersion({ buffer, byteOffset, length }: Uint8Array): string {
  return apiVersionOf({ buffer: Buffer.from(buffer, byteOffset, length), start: 0, length });
}
