import type { Datastore } from '../../datastore/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { Deadlines } from '../../lib/deadlines.ts';
import { LIMITS } from '../../lib/limits.ts';
import { workQueueMetrics } from '../../lib/work-queue-metrics.ts';
import type { AdmissionPlugin } from '../admission/port.ts';
import { Fairness } from '../fairness/fairness.ts';
import type { Registry } from '../registry/registry.ts';
import { ByteBudget } from './byte-budget.ts';
import type { RequestDeadlines } from './handler.ts';
import { LongRequests } from './long-requests.ts';
import { Metrics } from './metrics.ts';
import { collectRegistry, observedDatastore, timedPlugin } from './observers.ts';
import { ReadRequests } from './read-requests.ts';
import { Watches } from './watch-response.ts';

/** What stands before every request and is shared by all of them: bounds, fairness, counts. */
export class Front {
  readonly metrics: Metrics;
  readonly fairness: Fairness;
  readonly watches: Watches;
  readonly bodies = new ByteBudget(LIMITS.http.bodiesBytes);
  readonly long = new LongRequests();
  readonly deadlines: RequestDeadlines;
  readonly requests = new ReadRequests();
  readonly #clock: Clock;

  constructor(clock: Clock, registry: Registry) {
    this.#clock = clock;
    this.metrics = new Metrics(clock);
    this.deadlines = {
      body: new Deadlines(clock, LIMITS.http.bodyTimeoutMs),
      request: new Deadlines(clock, LIMITS.http.requestTimeoutMs),
    };
    this.fairness = new Fairness(clock);
    this.watches = new Watches(clock, this.metrics);
    collectRegistry(this.metrics.registry, registry);
    this.#collectLong();
    this.metrics.add(() => this.fairness.metrics.render(() => this.fairness.levels));
    this.metrics.add(() => workQueueMetrics.render());
  }

  /** The same plugins, and how long they take. */
  timed(plugins: readonly AdmissionPlugin[]): AdmissionPlugin[] {
    return plugins.map((plugin) => timedPlugin(plugin, this.metrics, this.#clock));
  }

  /** The same datastore, and how long its writes take. */
  observed(datastore: Datastore): Datastore {
    return observedDatastore(datastore, this.metrics.registry, this.#clock);
  }

  #collectLong(): void {
    this.metrics.registry.collect({
      name: 'apiserver_longrunning_requests',
      help: 'Requests that last: watches by resource, and all others together.',
      type: 'gauge',
      labels: ['verb', 'group', 'version', 'resource'],
      read: () => [...this.watches.counts(), { labels: ['CONNECT', '', '', ''], value: this.long.count }],
    });
  }
}
