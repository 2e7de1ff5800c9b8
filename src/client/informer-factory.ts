import { apiVersionOf, type KubeObject, type Resource } from '../api/resource.ts';
import { isGone } from '../api/status.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import type { ChangeHandler, Informer, InformerFactory, InformerOptions, Store } from './informer.ts';
import { ObjectStore } from './object-store.ts';
import type { Client } from './port.ts';

export interface InformerFactoryOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 to 1, spreads the reconnects of many clients. `Math.random` by default. */
  readonly random?: () => number;
}

/** Informers over one client. Nothing runs before `start`; `stop` resolves when every watch has ended. */
export function createInformerFactory(options: InformerFactoryOptions): InformerFactory {
  const informers = new Map<string, ReflectedInformer<KubeObject>>();
  const transforms = new Map<unknown, number>();
  let state: 'new' | 'started' | 'stopped' = 'new';

  const identify = (resource: Resource, wanted: InformerOptions): string => {
    const { namespace = '', labelSelector = '', fieldSelector = '', transform } = wanted;
    if (!transforms.has(transform)) transforms.set(transform, transforms.size);
    const parts = [apiVersionOf(resource), resource.resource, namespace, labelSelector, fieldSelector];
    return [...parts, transforms.get(transform)].join('|');
  };

  return {
    for<T extends KubeObject>(resource: Resource<T>, wanted: InformerOptions<T> = {}): Informer<T> {
      const key = identify(resource as Resource, wanted as unknown as InformerOptions);
      let informer = informers.get(key) as ReflectedInformer<T> | undefined;
      if (!informer) {
        informer = new ReflectedInformer(options, resource, wanted, () => informers.delete(key));
        informers.set(key, informer as unknown as ReflectedInformer<KubeObject>);
        if (state === 'started') informer.start();
      }
      return informer;
    },
    async start() {
      if (state === 'stopped') throw new Error('informers were stopped');
      state = 'started';
      const all = [...informers.values()];
      for (const informer of all) informer.start();
      // A stop in between ends the waiting without blaming whoever started.
      await Promise.all(all.map((informer) => informer.synced().catch(() => {})));
    },
    async stop() {
      state = 'stopped';
      await Promise.all([...informers.values()].map((informer) => informer.stop()));
    },
  };
}

/** Drops what no reader in this process looks at and what costs as much memory as the rest of an object. */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

class ReflectedInformer<T extends KubeObject> implements Informer<T> {
  readonly #options: InformerFactoryOptions;
  readonly #resource: Resource<T>;
  readonly #wanted: InformerOptions<T>;
  readonly #onStop: () => void;
  readonly #store = new ObjectStore<T>();
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #abort = new AbortController();
  readonly #waiting: { resolve: () => void; reject: (why: Error) => void }[] = [];
  readonly #transform: (object: T) => T;
  #running: Promise<void> | undefined;
  #synced = false;
  #failures = 0;

  constructor(
    options: InformerFactoryOptions,
    resource: Resource<T>,
    wanted: InformerOptions<T>,
    onStop: () => void,
  ) {
    this.#options = options;
    this.#resource = resource;
    this.#wanted = wanted;
    this.#onStop = onStop;
    this.#transform = wanted.transform ?? withoutManagedFields;
  }

  get store(): Store<T> {
    return this.#store;
  }
  get hasSynced(): boolean {
    return this.#synced;
  }

  synced(): Promise<void> {
    if (this.#synced) return Promise.resolve();
    if (this.#abort.signal.aborted) return Promise.reject(this.#stoppedError());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  onChange(handler: ChangeHandler<T>): () => void {
    // Its own object, so that one handler registered twice is removed once.
    const own = { ...handler };
    this.#handlers.add(own);
    if (own.add) for (const object of this.#store.list()) this.#guard(() => own.add?.(object));
    return () => this.#handlers.delete(own);
  }

  start(): void {
    if (!this.#abort.signal.aborted) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#onStop();
    this.#abort.abort(this.#stoppedError());
    await this.#running;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#stoppedError());
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        if (this.#store.resourceVersion === '') await this.#list();
        await this.#watch();
        // A watch that the server ended at once would otherwise spin.
        if (!signal.aborted) await sleep(clock, this.#delayMs(0), signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isGone(error)) {
          this.#store.resourceVersion = '';
          if (this.#failures === 0) {
            this.#failures = 1;
            continue;
          }
        } else log.debug('watch failed', { resource: this.#resource.resource, error });
        await sleep(clock, this.#delayMs(this.#failures++), signal).catch(() => {});
      }
    }
  }

  /** Half to all of the exponential delay: many clients that lost one server come back spread out. */
  #delayMs(failures: number): number {
    const { retryBaseMs, retryMaxMs } = LIMITS.informer;
    const ceilingMs = Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(failures, 16));
    return ceilingMs * (0.5 + (this.#options.random ?? Math.random)() / 2);
  }

  #selection() {
    const { namespace, labelSelector, fieldSelector } = this.#wanted;
    return { namespace, labelSelector, fieldSelector, signal: this.#abort.signal };
  }

  /** Reads page by page, so that only one page of raw objects lives beside the store. */
  async #list(): Promise<void> {
    const seen = new Set<string>();
    let continueFrom: string | undefined;
    let resourceVersion = '';
    do {
      const page = await this.#options.client.list(this.#resource, {
        ...this.#selection(),
        limit: LIMITS.informer.pageObjects,
        ...(continueFrom === undefined ? {} : { continue: continueFrom }),
      });
      // The first page's revision is the one all pages are read at; older servers repeat it on each.
      if (resourceVersion === '') resourceVersion = page.metadata.resourceVersion ?? '';
      for (const object of page.items) {
        const { namespace = '', name = '' } = object.metadata;
        seen.add(`${namespace}/${name}`);
        this.#put(object);
      }
      continueFrom = page.metadata.continue || undefined;
    } while (continueFrom !== undefined);
    for (const object of this.#store.list()) {
      const { namespace = '', name = '' } = object.metadata;
      if (!seen.has(`${namespace}/${name}`)) this.#remove(object);
    }
    this.#store.resourceVersion = resourceVersion;
    this.#failures = 0;
    if (this.#synced) return;
    this.#synced = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  async #watch(): Promise<void> {
    const { resourceVersion } = this.#store;
    for await (const event of this.#options.client.watch(this.#resource, {
      ...this.#selection(),
      resourceVersion,
    })) {
      this.#failures = 0;
      if (event.type === 'BOOKMARK') {
        this.#store.resourceVersion = event.resourceVersion;
        continue;
      }
      // Before the handlers run, so that what they ask the store is already true.
      this.#store.resourceVersion = event.object.metadata.resourceVersion ?? this.#store.resourceVersion;
      if (event.type === 'DELETED') this.#remove(event.object);
      else this.#put(event.object);
    }
  }

  #put(received: T): void {
    const { namespace, name = '', resourceVersion } = received.metadata;
    // A relist brings mostly what is known: keep the old object and stay silent.
    if (resourceVersion && this.#store.get(namespace, name)?.metadata.resourceVersion === resourceVersion)
      return;
    const object = this.#shape(received);
    const old = this.#store.set(object);
    for (const handler of [...this.#handlers]) {
      this.#guard(() => (old ? handler.update?.(object, old) : handler.add?.(object)));
    }
  }

  #remove(received: T): void {
    if (!this.#store.remove(received)) return;
    const object = this.#shape(received);
    for (const handler of [...this.#handlers]) this.#guard(() => handler.delete?.(object));
  }

  /** Items of lists carry no type; readers need one, for references and Events. */
  #shape(received: T): T {
    const object = this.#transform(received);
    if (object.kind !== undefined && object.apiVersion !== undefined) return object;
    return { ...object, kind: this.#resource.kind, apiVersion: apiVersionOf(this.#resource) };
  }

  /** One bad handler must not end the watch that all others live on. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.log.error('informer handler failed', { resource: this.#resource.resource, error });
    }
  }

  #stoppedError(): Error {
    return new Error(`informer for ${this.#resource.resource} stopped`);
  }
}
