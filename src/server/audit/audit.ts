import type { Clock } from '../../lib/clock.ts';
import type { MetricRegistry } from '../../lib/metrics.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { UserInfo } from '../registry/definition.ts';
import { type AuditPolicy, decide } from './policy.ts';
import { AuditRecord, type RequestFacts } from './record.ts';

/** Where events go, one line each. Writing never blocks; what does not fit is dropped and counted. */
export interface AuditSink {
  write(line: string): void;
  readonly dropped: number;
  readonly errors: number;
  close(): Promise<void>;
}

/** Writes down who did what, as the policy says (`audit.k8s.io/v1`). */
export class Audit {
  readonly #policy: AuditPolicy;
  readonly #log: AuditSink;
  readonly #clock: Clock;
  #events = 0;

  constructor(options: { readonly policy: AuditPolicy; readonly log: AuditSink; readonly clock: Clock }) {
    this.#policy = options.policy;
    this.#log = options.log;
    this.#clock = options.clock;
  }

  /** The record of a request that has come in; `undefined` where the policy does not want to know of it. */
  begin(user: UserInfo, info: RequestInfo, facts: RequestFacts): AuditRecord | undefined {
    const decision = decide(this.#policy, user, info);
    if (decision.level === 'None') return undefined;
    return new AuditRecord({
      ...{ decision, user, info, facts },
      clock: this.#clock,
      write: (line) => {
        this.#events++;
        this.#log.write(line);
      },
    });
  }

  collect(metrics: MetricRegistry): void {
    const counter = (name: string, help: string, read: () => number): void =>
      metrics.collect({ name, help, type: 'counter', read });
    counter('apiserver_audit_event_total', 'Audit events made.', () => this.#events);
    counter(
      'apiserver_audit_requests_rejected_total',
      'Audit events dropped because the log could not keep up.',
      () => this.#log.dropped,
    );
    metrics.collect({
      name: 'apiserver_audit_error_total',
      help: 'Audit events that could not be written.',
      type: 'counter',
      labels: ['plugin'],
      read: () => [{ labels: ['log'], value: this.#log.errors }],
    });
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
