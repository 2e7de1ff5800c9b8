import { apiVersionOf, type KubeObject, type Resource } from '../api/resource.ts';
import { isGone } from '../api/status.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import type { ChangeHandler, Informer, InformerFactory, InformerOptions, Store } from './informer.ts';
import type { Keep, KeptCopies, KeptCopy } from './kept-copies.ts';
import { ObjectStore } from './object-store.ts';
import type { Client } from './port.ts';

export interface InformerFactoryOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 to 1, spreads the reconnects of many clients. `Math.random` by default. */
  readonly random?: () => number;
  /** Where informers that ask for it keep copies; nowhere by default. */
  readonly copies?: KeptCopies;
}

/** Informers over one client. Nothing runs before `start`; `stop` resolves when every watch has ended. */
export function createInformerFactory(options: InformerFactoryOptions): InformerFactory {
  const informers = new Map<string, ReflectedInformer<KubeObject>>();
  const transforms = new Map<unknown, number>();
  const outage = { isKnown: false };
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
        const onStop = (): void => void informers.delete(key);
        informer = new ReflectedInformer({ ...options, outage, onStop }, resource, wanted);
        informers.set(key, informer as unknown as ReflectedInformer<KubeObject>);
        if (state === 'started') informer.start();
      }
      if (wanted.keep && options.copies) informer.keep(options.copies, wanted.keep);
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
    retry() {
      for (const informer of informers.values()) informer.retry();
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

/** The server is at an older revision than it was: its data was replaced, and what it says now is what counts. */
class HistoryReplaced extends Error {
  override readonly name = 'HistoryReplaced';
}

interface ReflectorOptions extends InformerFactoryOptions {
  /** Shared: once one informer has found the server away, the others need not wait for it as long. */
  readonly outage: { isKnown: boolean };
  readonly onStop: () => void;
}

class ReflectedInformer<T extends KubeObject> implements Informer<T> {
  readonly #options: ReflectorOptions;
  readonly #resource: Resource<T>;
  readonly #wanted: InformerOptions<T>;
  readonly #store = new ObjectStore<T>();
  /** Replaced when it changes, so that whoever is calling them need not copy it. */
  #handlers: readonly ChangeHandler<T>[] = [];
  readonly #abort = new AbortController();
  readonly #waiting: { resolve: () => void; reject: (why: Error) => void }[] = [];
  readonly #transform: (object: T) => T;
  #running: Promise<void> | undefined;
  #copy: KeptCopy | undefined;
  #fallingBack: Promise<void> | undefined;
  #synced = false;
  /** The server has said something, so that a copy could only take the store back in time. */
  #hasHeard = false;
  #failures = 0;
  #relistedMono = Number.NEGATIVE_INFINITY;
  #pause = new AbortController();

  constructor(options: ReflectorOptions, resource: Resource<T>, wanted: InformerOptions<T>) {
    this.#options = options;
    this.#resource = resource;
    this.#wanted = wanted;
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
    this.#handlers = [...this.#handlers, own];
    if (own.add) for (const object of this.#store.list()) this.#guard(() => own.add?.(object));
    return () => {
      this.#handlers = this.#handlers.filter((handler) => handler !== own);
    };
  }

  start(): void {
    if (this.#abort.signal.aborted) return;
    this.#running ??= this.#run();
    if (this.#copy) this.#fallingBack ??= this.#fallBack(this.#copy);
  }

  /** Keeps what it knows on the disk from now on, and falls back on that while the server does not answer. */
  keep(copies: KeptCopies, keep: Keep): void {
    if (this.#copy !== undefined) return;
    this.#copy = copies.open(keep);
    if (this.#running) this.start();
    this.#changed();
  }

  retry(): void {
    this.#failures = 0;
    this.#pause.abort();
  }

  async stop(): Promise<void> {
    this.#options.onStop();
    this.#abort.abort(this.#stoppedError());
    await this.#running;
    await this.#fallingBack;
    await this.#copy?.stop();
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
        if (isGone(error) || error instanceof HistoryReplaced) {
          this.#store.resourceVersion = '';
          const nowMono = clock.monotonicMs();
          const isRare = nowMono - this.#relistedMono > LIMITS.informer.retryMaxMs;
          this.#relistedMono = nowMono;
          // At once, unless the server says so over and over.
          if (isRare) continue;
        } else log.debug('watch failed', { resource: this.#resource.resource, error });
        this.#pause = new AbortController();
        const either = AbortSignal.any([signal, this.#pause.signal]);
        await sleep(clock, this.#delayMs(this.#failures++), either).catch(() => {});
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

  /** Takes what was last known when the server does not answer in time; the server's word replaces it. */
  async #fallBack(copy: KeptCopy): Promise<void> {
    const { clock, log, outage } = this.#options;
    const patience = new AbortController();
    const signal = AbortSignal.any([patience.signal, this.#abort.signal]);
    const waitMs = outage.isKnown ? LIMITS.informer.outageMs : LIMITS.informer.offlineAfterMs;
    await Promise.race([this.synced(), sleep(clock, waitMs, signal)]).catch(() => {});
    patience.abort();
    if (this.#hasHeard || this.#abort.signal.aborted) return;
    outage.isKnown = true;
    const content = await copy.load();
    if (content === undefined || this.#hasHeard || this.#abort.signal.aborted) return;
    for (const item of content.items) this.#put(item as T);
    this.#store.resourceVersion = content.resourceVersion;
    log.warn('the server does not answer: going on with what was last known', {
      resource: this.#resource.resource,
      objects: content.items.length,
    });
    this.#markSynced();
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
      this.#heard();
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
    this.#changed();
    this.#markSynced();
  }

  #heard(): void {
    this.#hasHeard = true;
    this.#options.outage.isKnown = false;
  }

  #markSynced(): void {
    if (this.#synced) return;
    this.#synced = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #changed(): void {
    if (!this.#hasHeard || this.#store.resourceVersion === '') return;
    this.#copy?.changed(() => ({
      resourceVersion: this.#store.resourceVersion,
      items: this.#store.list(),
    }));
  }

  async #watch(): Promise<void> {
    const { resourceVersion } = this.#store;
    for await (const event of this.#options.client.watch(this.#resource, {
      ...this.#selection(),
      resourceVersion,
    })) {
      this.#failures = 0;
      this.#heard();
      if (event.type === 'BOOKMARK') {
        if (Number(event.resourceVersion) < Number(this.#store.resourceVersion)) throw new HistoryReplaced();
        this.#store.resourceVersion = event.resourceVersion;
        continue;
      }
      // Before the handlers run, so that what they ask the store is already true.
      this.#store.resourceVersion = event.object.metadata.resourceVersion ?? this.#store.resourceVersion;
      if (event.type === 'DELETED') this.#remove(event.object);
      else this.#put(event.object);
      this.#changed();
    }
  }

  #put(received: T): void {
    const { namespace, name = '', resourceVersion } = received.metadata;
    // A relist brings mostly what is known: keep the old object and stay silent.
    if (resourceVersion && this.#store.get(namespace, name)?.metadata.resourceVersion === resourceVersion)
      return;
    const object = this.#shape(received);
    const old = this.#store.set(object);
    for (const handler of this.#handlers)
      if (old) this.#guard(() => handler.update?.(object, old));
      else this.#guard(() => handler.add?.(object));
  }

  #remove(received: T): void {
    if (!this.#store.remove(received)) return;
    const object = this.#shape(received);
    for (const handler of this.#handlers) this.#guard(() => handler.delete?.(object));
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
