import type {
  Change,
  ChangesOptions,
  CommitResult,
  Datastore,
  Durability,
  ListOptions,
  Write,
} from '../../datastore/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { HistogramSeries, MetricRegistry } from '../../lib/metrics.ts';
import type { AdmissionOperation, AdmissionPlugin } from '../admission/port.ts';
import type { Registry } from '../registry/registry.ts';
import { countObjects } from '../registry/served-resource.ts';
import type { Metrics } from './metrics.ts';

const STORAGE_SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 1, 2, 5, 10, 30, 60];

/** The plugin with its time taken. */
export function timedPlugin(plugin: AdmissionPlugin, metrics: Metrics, clock: Clock): AdmissionPlugin {
  const timed = (type: 'admit' | 'validate', run: AdmissionPlugin['mutate']): AdmissionPlugin['mutate'] => {
    if (!run) return undefined;
    const admitted = new Map<AdmissionOperation, HistogramSeries>();
    const done = (operation: AdmissionOperation, startMs: number): void => {
      let series = admitted.get(operation);
      if (series === undefined) {
        series = metrics.admission(plugin.name, type, operation, false);
        admitted.set(operation, series);
      }
      series.observe((clock.monotonicMs() - startMs) / 1000);
    };
    const failed = (operation: AdmissionOperation, startMs: number, error: unknown): never => {
      const series = metrics.admission(plugin.name, type, operation, true);
      series.observe((clock.monotonicMs() - startMs) / 1000);
      throw error;
    };
    return (attributes) => {
      const { operation } = attributes;
      const startMs = clock.monotonicMs();
      try {
        const running = run.call(plugin, attributes);
        if (running) {
          return running.then(
            () => done(operation, startMs),
            (error: unknown) => failed(operation, startMs, error),
          );
        }
      } catch (error) {
        return failed(operation, startMs, error);
      }
      return done(operation, startMs);
    };
  };
  const mutate = timed('admit', plugin.mutate);
  const validate = timed('validate', plugin.validate);
  return { ...plugin, ...(mutate ? { mutate } : {}), ...(validate ? { validate } : {}) };
}

/** The datastore with the time of its writes taken, in the names that upstream has for etcd's. */
export function observedDatastore(datastore: Datastore, registry: MetricRegistry, clock: Clock): Datastore {
  const durations = registry.histogram({
    name: 'etcd_request_duration_seconds',
    help: 'Time that the datastore took.',
    labels: ['operation', 'type'],
    bucketsSeconds: STORAGE_SECONDS,
  });
  const errors = registry.counter({
    name: 'etcd_request_errors_total',
    help: 'Writes that the datastore refused or failed.',
    labels: ['operation', 'type'],
  });
  return new ObservedDatastore(datastore, {
    begin: () => clock.monotonicMs(),
    done(writes, startMs) {
      durations.of(...labelsOf(writes)).observe((clock.monotonicMs() - startMs) / 1000);
    },
    failed: (writes) => errors.add(labelsOf(writes)),
  });
}

interface CommitObserver {
  begin(): number;
  done(writes: readonly Write[], startMs: number): void;
  failed(writes: readonly Write[]): void;
}

class ObservedDatastore implements Datastore {
  readonly #datastore: Datastore;
  readonly #observer: CommitObserver;

  constructor(datastore: Datastore, observer: CommitObserver) {
    this.#datastore = datastore;
    this.#observer = observer;
  }
  get revision(): number {
    return this.#datastore.revision;
  }
  get compactedRevision(): number {
    return this.#datastore.compactedRevision;
  }
  get(key: string, revision?: number): ReturnType<Datastore['get']> {
    return this.#datastore.get(key, revision);
  }
  list(options: ListOptions): ReturnType<Datastore['list']> {
    return this.#datastore.list(options);
  }
  count(prefix: string, revision?: number): Promise<number> {
    return this.#datastore.count(prefix, revision);
  }
  changes(options: ChangesOptions): ReturnType<Datastore['changes']> {
    return this.#datastore.changes(options);
  }
  compact(revision: number): Promise<void> {
    return this.#datastore.compact(revision);
  }
  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.#datastore.subscribe(listener);
  }
  close(): Promise<void> {
    return this.#datastore.close();
  }

  commit(writes: readonly Write[], durability?: Durability): Promise<CommitResult> {
    const startMs = this.#observer.begin();
    const committed = this.#datastore.commit(writes, durability);
    committed.then(
      () => this.#observer.done(writes, startMs),
      () => this.#observer.failed(writes),
    );
    return committed;
  }
}

function labelsOf([write]: readonly Write[]): [operation: string, type: string] {
  if (!write) return ['', ''];
  const operation = write.value === undefined ? 'delete' : write.expectedRevision === 0 ? 'create' : 'update';
  // `/registry/<group>/<resource>/…`
  const { key } = write;
  const group = key.indexOf('/', 1) + 1;
  const resource = key.indexOf('/', group) + 1;
  const name = key.slice(resource, key.indexOf('/', resource));
  const isCore = key.startsWith('core/', group);
  return [operation, isCore ? name : `${name}.${key.slice(group, resource - 1)}`];
}

/** How many objects there are of each resource. */
export function collectRegistry(metrics: MetricRegistry, registry: Registry): void {
  const stored = () => {
    // Versions of a custom resource share their objects.
    const own = registry.endpoints.filter(
      ({ conversion, served }) => !conversion && !served.definition.virtual,
    );
    const byPrefix = new Map(own.map((endpoint) => [endpoint.served.prefix, endpoint]));
    return [...byPrefix.values()].flatMap(({ resource, served }) => {
      const value = countObjects(served);
      return value === undefined ? [] : [{ resource, value }];
    });
  };
  metrics.collect({
    name: 'apiserver_resource_objects',
    help: 'Objects of each resource.',
    type: 'gauge',
    labels: ['group', 'resource'],
    read: () =>
      stored().map(({ resource, value }) => ({ labels: [resource.group, resource.resource], value })),
  });
  metrics.collect({
    name: 'apiserver_storage_objects',
    help: 'Objects of each resource, under the older name.',
    type: 'gauge',
    labels: ['resource'],
    read: () =>
      stored().map(({ resource: { group, resource }, value }) => ({
        labels: [group === '' ? resource : `${resource}.${group}`],
        value,
      })),
  });
}
