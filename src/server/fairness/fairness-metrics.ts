import { MetricRegistry } from '../../lib/metrics.ts';
import type { PriorityLevel, Rejection } from './priority-level.ts';

/** Upstream's boundaries for waiting and running (apiserver_flowcontrol_…). */
const SECONDS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const BY_FLOW = ['priority_level', 'flow_schema'];

/** What `/metrics` shows of priority and fairness. */
export class FairnessMetrics {
  readonly #registry = new MetricRegistry();
  readonly #dispatched = this.#registry.counter({
    name: 'apiserver_flowcontrol_dispatched_requests_total',
    help: 'Requests that were let run.',
    labels: BY_FLOW,
  });
  readonly #rejected = this.#registry.counter({
    name: 'apiserver_flowcontrol_rejected_requests_total',
    help: 'Requests that were refused, and why.',
    labels: [...BY_FLOW, 'reason'],
  });
  readonly #waited = this.#registry.histogram({
    name: 'apiserver_flowcontrol_request_wait_duration_seconds',
    help: 'How long requests waited for a seat.',
    labels: [...BY_FLOW, 'execute'],
    bucketsSeconds: SECONDS,
  });
  readonly #ran = this.#registry.histogram({
    name: 'apiserver_flowcontrol_request_execution_seconds',
    help: 'How long requests held their seats.',
    labels: BY_FLOW,
    bucketsSeconds: SECONDS,
  });

  dispatched(level: string, schema: string, waitedMs: number): void {
    this.#dispatched.add([level, schema]);
    this.#waited.of(level, schema, 'true').observe(waitedMs / 1000);
  }
  executed(level: string, schema: string, ranMs: number): void {
    this.#ran.of(level, schema).observe(ranMs / 1000);
  }
  rejected(level: string, schema: string, reason: Rejection): void {
    this.#rejected.add([level, schema, reason]);
  }

  /** Gauges of each level, read when somebody asks. */
  render(levels: () => Iterable<PriorityLevel>): string {
    const registry = new MetricRegistry();
    const gauge = (name: string, help: string, read: (level: PriorityLevel) => number): void =>
      registry.collect({
        name: `apiserver_flowcontrol_${name}`,
        help,
        type: 'gauge',
        labels: ['priority_level'],
        read: () => [...levels()].map((level) => ({ labels: [level.name], value: read(level) })),
      });
    gauge('current_inqueue_requests', 'Requests that wait.', (level) => level.waiting);
    gauge('current_executing_requests', 'Requests that run.', (level) => level.executingRequests);
    gauge('current_executing_seats', 'Seats that running requests hold.', (level) => level.executingSeats);
    gauge('nominal_limit_seats', "A level's part of the server's seats.", (level) => level.nominal);
    gauge('lower_limit_seats', 'Seats that a level never lends.', (level) => level.min);
    gauge('upper_limit_seats', 'Seats of a level with all that it may borrow.', (level) => level.max);
    return `${this.#registry.render()}${registry.render()}`;
  }
}
